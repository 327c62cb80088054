//! Replies are read whole, however they are cut, and what is none is an error.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use proptest::prelude::*;
use redis::ConnectionAddr;

use super::*;

/// A link, and Redis's end of it.
fn link() -> (Link, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let address = ConnectionAddr::Tcp(address.ip().to_string(), address.port());
    let link = Link {
        stream: Stream::connect(&address, Duration::from_secs(5)).unwrap(),
        patience: Duration::from_secs(5),
        buffer: Vec::new(),
        start: 0,
        end: 0,
        large: false,
        drained: false,
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
