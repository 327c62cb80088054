//! What listens on port 6789 before the store does: it is named as what it is, and so is what to do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::harness::{OWN_REDIS_PORT, PATIENCE, Program, Redis, eventually, own_redis, take_turn};
use crate::redis::port::{leave, refused_command};

/// What it does with a connection, and the words by which it is named.
type Case = (fn(TcpStream), &'static str);

#[test]
fn what_is_no_redis_or_lets_nobody_in_ends_the_start_with_what_it_is_and_what_to_do() {
    let _turn = take_turn();
    let web = |mut stream: TcpStream| drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"));
    // A TLS alert, `protocol_version` (RFC 8446, section 6.2).
    let tls = |mut stream: TcpStream| drop(stream.write_all(&[21, 3, 1, 0, 2, 2, 70]));
    let cases: [Case; 2] = [(web, "no Redis: it says \"HTTP/1.1 400 Bad Request\""), (tls, "TLS")];
    for (talk, words) in cases {
        let listener = Listener::start(talk);
        refused(words);
        drop(listener);
    }
    let redis = Redis::start_on(OWN_REDIS_PORT);
    redis.command::<()>(&["CONFIG", "SET", "requirepass", "secret"]);
    refused("Redis wants a password");
    // The turn wants to know who is left.
    let mut connection = redis::Client::open(format!("redis://:secret@127.0.0.1:{OWN_REDIS_PORT}/"))
        .and_then(|client| client.get_connection())
        .expect("a connection");
    redis::cmd("CONFIG")
        .arg(&["SET", "requirepass", ""])
        .exec(&mut connection)
        .expect("to open it again");
}

#[test]
fn what_says_nothing_or_closes_at_once_may_become_a_redis_and_is_named_until_it_does() {
    let _turn = take_turn();
    let silent = |mut stream: TcpStream| drop(stream.read_to_end(&mut Vec::new()));
    let closing = |stream: TcpStream| drop(stream);
    let cases: [Case; 2] = [(silent, "it hangs, or is no Redis"), (closing, "or what is no Redis")];
    let directory = tempfile::tempdir().expect("a directory");
    for (talk, words) in cases {
        let listener = Listener::start(talk);
        let mut store = Program::start_in(directory.path(), &[], &[]);
        let start = store.log();
        assert!(start.contains(words) && start.contains("--own-redis-port 0"), "{start}");
        assert!(store.get("/ping").expect(503).detail().contains(words));
        drop(listener);
        let redis = Redis::start_on(OWN_REDIS_PORT);
        eventually(PATIENCE, || store.get("/ping").status == 200);
        leave(&mut store);
        let log = store.log();
        let said = log
            .lines()
            .filter(|line| line.contains("ERROR") && line.contains(words))
            .count();
        assert_eq!(said, 1, "{log}");
        drop(redis);
    }
}

#[test]
fn a_data_folder_that_a_redis_of_others_leaves_unused_is_told_with_the_flag_that_gives_a_private_one() {
    let _turn = take_turn();
    let redis = Redis::start_on(OWN_REDIS_PORT);
    let directory = tempfile::tempdir().expect("a directory");
    let mut store = Program::start_in(directory.path(), &["--data-dir", "mine"], &[]);
    let log = store.log();
    let told = log.lines().find(|line| line.contains("--data-dir mine is not used"));
    assert!(
        told.is_some_and(|line| line.contains("WARN")
            && line.contains("not ours")
            && line.contains("--own-redis-port 0")),
        "{log}"
    );
    leave(&mut store);
    // As it says.
    let mut store = Program::start_in(directory.path(), &["--data-dir", "mine", "--own-redis-port", "0"], &[]);
    store.add("x", &[b"entry"]);
    assert_eq!(own_redis::<usize>(&["DBSIZE"]), 0);
    leave(&mut store);
    drop(redis);
}

/// What listens on the port and is no Redis; it ends with this.
struct Listener {
    end: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Listener {
    fn start(talk: fn(TcpStream)) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", OWN_REDIS_PORT)).expect("the port");
        let end = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let ends = end.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                std::thread::spawn(move || talk(stream));
            }
        });
        Self {
            end,
            thread: Some(thread),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", OWN_REDIS_PORT));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A store without flags is refused, and says these words.
#[track_caller]
fn refused(words: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.current_dir(directory.path());
    let message = refused_command(command);
    for word in [words, "127.0.0.1:6789", "--own-redis-port 0", "--redis"] {
        assert!(message.contains(word), "{word} in {message}");
    }
}
