//! Something that listens where a store is expected, and says whatever a test wants.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::PATIENCE;

/// Opcodes of WebSocket frames (RFC 6455, section 5.2).
pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;

/// Ended when it goes out of scope.
pub struct Liar {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Liar {
    /// Answers each request with what this makes of its head, byte for byte, and closes the connection.
    pub fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (heads, ended) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (told, over) = (heads.clone(), ended.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Relaxed) {
                    return;
                }
                let Some(head) = read_head(&stream) else { continue };
                told.lock().expect("the heads").push(head.clone());
                let _ = (&stream).write_all(&answer(&head));
                let _ = stream.shutdown(std::net::Shutdown::Write);
                // Closed with bytes unread, the connection would be reset, and the answer lost.
                let _ = (&stream).read_to_end(&mut Vec::new());
            }
        });
        Liar {
            address,
            heads,
            ended,
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("the heads").clone()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        end(self.address, &self.ended, self.thread.take());
    }
}

/// A reply with a body of JSON, and further headers.
pub fn reply(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}").into_bytes()
}

/// The answer to the opening of a WebSocket, and these frames behind it: opcode and payload of each.
pub fn socket(head: &str, frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = tungstenite::handshake::derive_accept_key(key.expect("a key").trim().as_bytes());
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes();
    for (opcode, payload) in frames {
        answer.push(0x80 | opcode);
        answer.push(
            u8::try_from(payload.len())
                .ok()
                .filter(|length| *length < 126)
                .expect("a short frame"),
        );
        answer.extend(payload);
    }
    answer
}

/// The payload of a close frame.
pub fn closing(code: u16, reason: &str) -> (u8, Vec<u8>) {
    (CLOSE, [&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

fn read_head(mut stream: &TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Something that says the same after everything that it reads, whatever that is.
pub struct Anything {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Anything {
    pub fn start(answer: &[u8]) -> Anything {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let ended = Arc::new(AtomicBool::new(false));
        let (over, answer) = (ended.clone(), answer.to_vec());
        let thread = std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if over.load(Relaxed) {
                    return;
                }
                let answer = answer.clone();
                // Ends with its connection.
                std::thread::spawn(move || {
                    let mut read = [0; 4096];
                    while stream.read(&mut read).is_ok_and(|count| count > 0) && stream.write_all(&answer).is_ok() {}
                });
            }
        });
        Anything {
            address,
            ended,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Anything {
    fn drop(&mut self) {
        end(self.address, &self.ended, self.thread.take());
    }
}

/// Ends a thread that accepts.
fn end(address: SocketAddr, ended: &AtomicBool, thread: Option<JoinHandle<()>>) {
    ended.store(true, Relaxed);
    let _ = TcpStream::connect(address);
    let _ = thread.map(JoinHandle::join);
}
