//! Replies are read whole, however they are cut, and what is none is an error.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use proptest::prelude::*;
use redis::ConnectionAddr;

use super::*;
use crate::store::Nobody;

/// A link, and Redis's end of it.
fn link() -> (Link, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let address = ConnectionAddr::Tcp(address.ip().to_string(), address.port());
    let link = Link {
        socket: RedisSocket::connect(&address, Duration::from_secs(5)).unwrap(),
        patience: Duration::from_secs(5),
        buffer: ReadBuffer::default(),
        seen_to: Instant::now(),
        used: Instant::now(),
        abilities: Box::default(),
    };
    (link, listener.accept().unwrap().0)
}

/// What a link makes of these bytes, which arrive in two pieces and then end.
fn read(bytes: &[u8], cut: usize) -> io::Result<Value> {
    let (mut link, mut redis) = link();
    let (first, second) = bytes.split_at(cut.min(bytes.len()));
    redis.write_all(first).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || link.reply(&mut Nobody));
        redis.write_all(second).unwrap();
        drop(redis);
        reader.join().unwrap()
    })
}

fn pack(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Int(number) => bytes.extend(format!(":{number}\r\n").as_bytes()),
        Value::BulkString(string) => {
            bytes.extend(format!("${}\r\n", string.len()).as_bytes());
            bytes.extend(string);
            bytes.extend(b"\r\n");
        }
        Value::Array(items) => {
            bytes.extend(format!("*{}\r\n", items.len()).as_bytes());
            items.iter().for_each(|item| pack(item, bytes));
        }
        Value::Okay => bytes.extend(b"+OK\r\n"),
        _ => bytes.extend(b"$-1\r\n"),
    }
}

fn any_reply() -> impl Strategy<Value = Value> {
    let flat = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Value::BulkString),
        (60_000..200_000_usize).prop_map(|length| Value::BulkString(vec![b'x'; length])),
        Just(Value::Okay),
        Just(Value::Nil),
    ];
    flat.prop_recursive(4, 20, 5, |inner| {
        prop::collection::vec(inner, 0..5).prop_map(Value::Array)
    })
}

#[test]
fn a_pause_of_redis_in_the_middle_of_a_transfer_changes_nothing() {
    let (mut link, mut redis) = link();
    let large = vec![b'x'; 8 << 20];
    let mut reply = Vec::new();
    pack(&Value::BulkString(large.clone()), &mut reply);
    let pause = TICK + TICK / 5;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A first reply, so that there is a buffer and a place in it.
            redis.write_all(b"+OK\r\n").unwrap();
            // Then it takes nothing for a while, and sends nothing in the middle of its answer.
            std::thread::sleep(pause);
            let mut taken = vec![0; large.len()];
            redis.read_exact(&mut taken).unwrap();
            redis.write_all(&reply[..5000]).unwrap();
            std::thread::sleep(pause);
            redis.write_all(&reply[5000..]).unwrap();
            redis.write_all(b":1\r\n").unwrap();
        });
        assert_eq!(link.reply(&mut Nobody).unwrap(), Value::Okay);
        link.send(&mut [IoSlice::new(&large)], &mut Nobody).unwrap();
        assert_eq!(link.reply(&mut Nobody).unwrap(), Value::BulkString(large.clone()));
        assert_eq!(link.reply(&mut Nobody).unwrap(), Value::Int(1));
    });
}

#[test]
fn whoever_is_beside_is_seen_to_though_redis_always_has_something() {
    struct Counting(usize);
    impl Beside for Counting {
        fn interest(&self) -> Option<PollFd<'_>> {
            None
        }
        fn see_to(&mut self) -> bool {
            self.0 += 1;
            true
        }
    }
    let (mut link, mut redis) = link();
    let mut beside = Counting(0);
    let begun = Instant::now();
    while begun.elapsed() < 3 * TICK {
        redis.write_all(b"+OK\r\n").unwrap();
        link.send(&mut [IoSlice::new(b"PING\r\n")], &mut beside).unwrap();
        link.reply(&mut beside).unwrap();
    }
    assert!(beside.0 >= 2, "{}", beside.0);
}

#[test]
fn a_connection_that_ended_while_it_rested_is_known_to_be_over() {
    let (mut link, redis) = link();
    std::thread::sleep(2 * RESTED);
    assert!(!link.is_over());
    drop(redis);
    std::thread::sleep(2 * RESTED);
    assert!(link.is_over());
}

#[test]
fn an_error_reply_is_a_value() {
    match read(b"-WRONGTYPE not that\r\n", 7).unwrap() {
        Value::ServerError(error) => assert_eq!((error.code(), error.details()), ("WRONGTYPE", Some("not that"))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_reply_is_an_error() {
    let nested = "*1\r\n".repeat(100);
    let endless = format!("+{}", "x".repeat(LONGEST_LINE + 10));
    for bytes in [
        "",
        "\r\n",
        "hello\r\n",
        ":12",
        ":x\r\n",
        "$5\r\nab",
        "*2\r\n:1\r\n",
        "$99999999999999\r\n",
        &nested,
        &endless,
    ] {
        assert!(read(bytes.as_bytes(), 3).is_err(), "{bytes:?}");
    }
}

proptest! {
    // Each case is a connection.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn replies_are_read_whole_however_they_are_cut(reply in any_reply(), cut in 0..300_usize) {
        let mut bytes = Vec::new();
        pack(&reply, &mut bytes);
        prop_assert_eq!(read(&bytes, cut).unwrap(), reply);
    }

    #[test]
    fn no_bytes_make_a_link_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), cut in 0..100_usize) {
        let _ = read(&bytes, cut);
    }
}
