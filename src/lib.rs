//! The PTG Data Store: REST and WebSocket in front of Redis Streams, with bearer tokens.
//!
//! # The map
//!
//! Arrows of use only point down this list.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`server`] | starts and stops everything, in order |
//! | [`door`] | the public port: caps, deadlines, one sane request head; then REST or WebSocket |
//! | [`websocket`] | handshake, pings, close codes; `push` and `pull` |
//! | [`follow`] | HTTP replies that stay open: followed entries, Server-Sent Events, pictures |
//! | [`rest`] | tiny_http workers and the handlers of REST requests |
//! | [`pull`] | reading streams for one client: where each has got to, what comes next, and when |
//! | [`call`] | what a request asks for, decided from its head alone |
//! | [`batch_header`] | where the entries of a pushed batch lie, and where they go |
//! | [`router`] | every route on one screen |
//! | [`auth`] | password to token, token to user |
//! | [`openapi`], [`asyncapi`], [`swagger`], [`csp`] | the documents, the page that shows them, and what pages may do |
//! | [`params`], [`form`] | query, path and form fields, exactly as they were sent |
//! | [`origin`], [`csrf`], [`hosts`], [`authority`] | which web pages may ask, and under which names: what browsers do for strangers |
//! | [`proxied`] | where clients see the store when a proxy is in front |
//! | [`context`], [`connections`], [`limits`], [`wait`], [`wire`] | what every thread shares; the TCP connections that are open; gates and budgets; waiting and pace; a client's stream that never waits by itself |
//! | [`redis_server`] | the Redis that stores start when there is none, share, and stop |
//! | [`store`] | everything Redis: commands, connect and reconnect |
//! | [`batch`], [`shape`], [`ids`], [`cursor`], [`destination`], [`read_buffer`], [`growth`] | offsets and entries, lines of JSON, stream and entry ids, places in a stream, where pushed entries go, bytes read ahead, memory for what was announced: no input or output of their own |
//! | [`object`] | JSON objects whose values stay as they were written |
//! | [`recording`] | a folder with recorded streams: reading and writing of files, nothing else |
//! | [`files`] | opening files that others may have put there |
//! | [`http`], [`error`], [`ending`], [`metrics`], [`config`], [`units`], [`random`] | plain data |
//! | [`listeners`] | what has a port of this machine |
//! | [`nearest`] | the name that somebody meant who wrote another |
//! | [`log_line`], [`visible`] | fields of log lines; what others wrote, made safe to show |
//!
//! The program itself is `main.rs`. Beside it are modules that use nothing of the above but plain data and pure functions:
//! `arguments` is the command line and its help; `allocator` makes malloc give back what large entries used; `logging` is standard error, and `signals` says what ends the program; `client/` is a store as its clients see it, and `commands/` are the
//! commands that stand on it, such as `ptg-store push`; `bench/` is `ptg-store bench`, a client of a store and its Redis, and so
//! is `doctor/`, `ptg-store doctor`, which looks for what is wrong with them.
//!
//! # The data's way
//!
//! In: `door` → `websocket::frames` → `push` (`load`, `batch_header`) → `storer` → `Session::append` or `place` → Redis. A large entry is
//! copied twice: from the network into its own memory, and from there to Redis.
//! Out: Redis → `store::entries` → `pull` → its outlet (`websocket::pull`, `follow`) → socket. An entry goes from Redis into the reply that it is part of,
//! and from there to the network; what Redis sends beyond one reply stays in the network until that one is taken.
//! REST: `door` (head, body) → tiny_http → worker → `call` → handler → `Session`, and back through the door,
//! which writes the reply and the log line. What tells how the program is (`/health`, `/metrics`, `/ping`) the door answers itself.
//!
//! # Threads
//!
//! `door` accepts; each connection has one (`conn-<n>`), and its WebSocket, or its reply that stays open, stays on it: while
//! such a thread waits for Redis it also sees to its client, and the other way round (`store::Beside`). `rest-<n>` handle
//! requests (and tiny_http has threads of its own, which it does not name); `redis-watch` asks Redis whether it is there, and
//! `redis-lookout` whether streams that somebody reads have begun anew; `redis-keeper` looks after a Redis of ours. In the
//! program, `log` writes to standard error.
//!
//! # Invariants
//!
//! 1. Only `rest/mod.rs` names tiny_http, only `websocket/` names tungstenite (and `client/`, the other end), only `store/` and
//!    `redis_server/` name redis (and `bench/` and `doctor/`, which talk to it as any client does).
//! 2. Nothing that a client sends can end the process or the accept loop. A panic in a handler is a 500 for that request alone.
//! 3. Every wait has a deadline, every buffer a limit; both are named constants or flags with a unit and a reason.
//! 4. A handler is a plain function, values in and value out. Errors are returned, and logged once, at the edge.
//! 5. An entry that was acknowledged is in Redis. Nothing is dropped in silence: what is lost is counted and logged.
//! 6. Tokens and passwords never reach a log, an error or a metric.
//! 7. Whatever is started is stopped: every thread has a name and an owner, a signal ends the program within ten seconds.
//! 8. What others wrote reaches a terminal only through `visible`, and a field of the log only through `log_line`. A file whose name or
//!    place others may have chosen is opened through `files`.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod http;
pub mod limits;
pub mod net;
pub mod pages;
pub mod pull;
pub mod recording;
pub mod request;
pub mod server;
pub mod state;
pub mod store;
pub mod websocket;
pub mod words;

pub use server::Server;
pub use state::config::Config;
