//! The promises of `CONTRACT.md`, each tested over real sockets against a real redis-server.
//! A test's name is the promise that it holds.

#[path = "../fuzz/mod.rs"]
mod fuzzing;
mod harness;

mod sign_in;
mod tokens;

mod connections;
mod foreign_hosts;
mod framing;
mod http;
mod origins;
mod origins_allowed;
mod parameters;
mod paths;

mod data_in;
mod data_limits;
mod data_out;
mod descriptions;
mod foreign_fields;
mod forms;
mod retention;
mod stored_script;
mod streams;
mod streams_meta;
mod streams_unreadable;

mod pull;
mod pull_pace;
mod push;
mod push_batches;
mod push_fate;
mod push_ids;
mod push_limits;
mod push_on_error;
mod push_several;
mod push_v2;
mod push_whole;
mod sockets;
mod sockets_busy;
mod sockets_frames;
mod sockets_handshake;
mod sockets_refused;
mod wire;

mod cursors;
mod cursors_end;
mod events;
mod follow;
mod follow_outages;
mod followers;
mod gaps;
mod gaps_none;
mod joined;
mod joined_refused;
mod later_dialect;
mod mjpeg;
mod newest;
mod pace;
mod pull_memory;
mod pull_outages;
mod shapes;

mod crashes;
mod fuzz;
mod hostile;
mod odd_bytes;
mod open_files;
mod outages;
mod redis_faults;
mod redis_faults_living;
mod redis_faults_network;
mod redis_faults_outages;
mod redis_faults_refusals;
mod redis_kinds;
mod redis_switchover;
mod slow_clients;
mod smuggling;

mod behind_proxy;
mod bench;
mod client_login;
mod client_pull;
mod client_pull_ends;
mod client_push;
mod client_push_ends;
mod client_streams;
mod client_terminal;
mod client_token;
mod client_watch;
mod command_line;
mod doctor;
mod doctor_findings;
mod documentation;
mod ending;
mod links;
mod live_page;
mod log;
mod nobody_listens;
mod operations;
mod own_redis;
mod own_redis_private;
mod own_redis_shared;
mod portal;
mod record;
mod record_faults;
mod recording_round_trip;
mod replay;
mod replay_others;
mod replay_refusals;
mod replay_times;
mod visible;
