//! The port on which the store starts a Redis of its own. It is fixed, so tests take turns.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::holds_within;

pub const OWN_REDIS_PORT: u16 = 6789;

/// Listening here is having the turn, among threads as among processes.
const TURN: (&str, u16) = ("127.0.0.1", 6788);

#[track_caller]
pub fn take_turn() -> TcpListener {
    let mut turn = None;
    // Other tests may be before us, each of them for some seconds.
    let mine = holds_within(Duration::from_secs(120), || {
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
    turn.expect("the turn")
}

pub fn own_redis_listens() -> bool {
    TcpStream::connect(("127.0.0.1", OWN_REDIS_PORT)).is_ok()
}
