//! The port on which the store starts a Redis of its own. It is fixed, so tests take turns.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::{holds_within, signal};

pub const OWN_REDIS_PORT: u16 = 6789;

/// Listening here is having the turn, among threads as among processes.
const TURN: (&str, u16) = ("127.0.0.1", 6788);

/// Other tests may be before us, those of other checkouts among them, each for some seconds.
const QUEUE: Duration = Duration::from_secs(600);

/// The turn; a Redis that a failed test leaves behind ends with it.
pub struct Turn(TcpListener);

#[track_caller]
pub fn take_turn() -> Turn {
    let mut turn = None;
    let mine = holds_within(QUEUE, || {
        turn = TcpListener::bind(TURN).ok();
        turn.is_some()
    });
    assert!(
        mine,
        "{TURN:?} is taken, and with it the turn for port {OWN_REDIS_PORT}"
    );
    // A Redis by hand or another checkout's demo may just be ending.
    assert!(
        holds_within(Duration::from_secs(30), || !own_redis_listens()),
        "something that is not ours listens on 127.0.0.1:{OWN_REDIS_PORT}; stop it for these tests"
    );
    Turn(turn.expect("the turn"))
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Nothing listened when the turn began, so what does now was started in it.
        let Ok(mut connection) = connect() else { return };
        if let Ok(info) = redis::cmd("INFO").arg("server").query::<String>(&mut connection)
            && let Some(pid) = field(&info, "process_id").parse().ok().filter(|pid| *pid > 1)
        {
            signal("KILL", pid);
        }
        let gone = holds_within(Duration::from_secs(10), || !own_redis_listens());
        assert!(
            gone || std::thread::panicking(),
            "a Redis is left behind on {:?}",
            self.0
        );
    }
}

pub fn own_redis_listens() -> bool {
    TcpStream::connect(("127.0.0.1", OWN_REDIS_PORT)).is_ok()
}

/// What the Redis on the port says to a command.
#[track_caller]
pub fn own_redis<T: redis::FromRedisValue>(words: &[&str]) -> T {
    let mut connection = connect().expect("a connection to the own Redis");
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query(&mut connection).expect("a reply of the own Redis")
}

/// A field of its INFO, such as `run_id` and `process_id`.
#[track_caller]
pub fn own_redis_is(name: &str) -> String {
    field(&own_redis::<String>(&["INFO"]), name)
}

fn field(info: &str, name: &str) -> String {
    let mut lines = info.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().to_owned()
}

fn connect() -> redis::RedisResult<redis::Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{OWN_REDIS_PORT}"))?;
    let connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(connection)
}
