//! WebSockets as a client sees them. What does not come within the read deadline is a failure that says so.

use std::net::TcpStream;

use tungstenite::{Error, Message, WebSocket};

pub type Socket = WebSocket<TcpStream>;

#[track_caller]
pub fn send_binary(socket: &mut Socket, data: &[u8]) {
    let message = Message::binary(data.to_vec());
    socket.send(message).expect("to send a binary message");
}

#[track_caller]
pub fn send_text(socket: &mut Socket, text: &str) {
    let message = Message::text(text.to_owned());
    socket.send(message).expect("to send a text message");
}

/// Returns when the server has read everything that was sent before: its pong comes after it.
#[track_caller]
pub fn wait_for_pong(socket: &mut Socket) {
    let ping = Message::Ping(b"read so far?".to_vec().into());
    socket.send(ping).expect("to send a ping");
    loop {
        match socket.read() {
            Ok(Message::Pong(data)) if data.as_ref() == b"read so far?" => return,
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            other => panic!("{other:?} instead of a pong"),
        }
    }
}

#[track_caller]
pub fn receive_text(socket: &mut Socket) -> String {
    match receive(socket) {
        Message::Text(text) => text.as_str().to_owned(),
        other => panic!("{} instead of a text message", describe(&other)),
    }
}

#[track_caller]
pub fn receive_binary(socket: &mut Socket) -> Vec<u8> {
    match receive(socket) {
        Message::Binary(data) => data.to_vec(),
        other => panic!("{} instead of a binary message", describe(&other)),
    }
}

/// One reply of a pull, a text and a binary message, as the entries in it.
#[track_caller]
pub fn receive_reply(socket: &mut Socket) -> Vec<(String, Vec<u8>)> {
    let text = receive_text(socket);
    let offsets: Vec<(String, usize)> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
    let blob = receive_binary(socket);
    super::slice(&offsets, &blob)
}

/// The same of a pull that names the streams.
#[track_caller]
pub fn receive_triples(socket: &mut Socket) -> Vec<(String, String, Vec<u8>)> {
    let text = receive_text(socket);
    let offsets: Vec<(String, String, usize)> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"));
    let blob = receive_binary(socket);
    let (streams, offsets): (Vec<String>, Vec<_>) = offsets.into_iter().map(|(s, id, at)| (s, (id, at))).unzip();
    let entries = super::slice(&offsets, &blob);
    let all = streams.into_iter().zip(entries);
    all.map(|(stream, (id, data))| (stream, id, data)).collect()
}

/// A text message that is JSON.
#[track_caller]
pub fn receive_json(socket: &mut Socket) -> serde_json::Value {
    let text = receive_text(socket);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

/// The close that the server sends: its code and reason.
#[track_caller]
pub fn expect_close(socket: &mut Socket) -> (u16, String) {
    match receive(socket) {
        Message::Close(Some(frame)) => (frame.code.into(), frame.reason.as_str().to_owned()),
        other => panic!("{} instead of a close with a code", describe(&other)),
    }
}

/// The next message that is not a ping or a pong.
#[track_caller]
fn receive(socket: &mut Socket) -> Message {
    loop {
        match socket.read() {
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            Ok(message) => return message,
            Err(Error::Io(error)) => panic!("nothing came: {error}"),
            Err(error) => panic!("no message but {error}"),
        }
    }
}

fn describe(message: &Message) -> String {
    match message {
        Message::Binary(data) => format!("binary message of {} bytes", data.len()),
        other => format!("{other:?}"),
    }
}
