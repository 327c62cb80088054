//! Clients as they should be: they push and pull through a store, connect again when they are cut off, and keep the books.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

use crate::books::Account;
use crate::harness::{Client, Socket, multipart, slice};

/// How many messages a push sends ahead of their acknowledgements.
const WINDOW: u64 = 8;

/// How many entries a push without acknowledgements sends before it closes to know that they are stored.
const CHAPTER: u64 = 50;

/// How long a push rests after each entry it sends: a steady load, not the most there can be.
const PACE: Duration = Duration::from_millis(2);

/// How often a client that waits looks up.
const TICK: Duration = Duration::from_millis(100);

/// How long a client waits before it tries again.
const AGAIN: Duration = Duration::from_millis(50);

/// Longer than the store may hold back anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// When clients are to stop, and what they were told when something went wrong.
#[derive(Default)]
pub struct Watched {
    pushes_over: AtomicBool,
    over: AtomicBool,
    /// Refused requests and handshakes by status, closes by code; with the reason, and who was told.
    refusals: Mutex<Vec<(u16, String)>>,
    slowest_pong: AtomicU64,
}

impl Watched {
    pub fn stop_pushes(&self) {
        self.pushes_over.store(true, Relaxed);
    }

    fn stop(&self) {
        self.stop_pushes();
        self.over.store(true, Relaxed);
    }

    /// Stops the clients when it is dropped, also when the test fails.
    pub fn until_dropped(&self) -> impl Drop + '_ {
        Stop(self)
    }

    pub fn pushes_go_on(&self) -> bool {
        !self.pushes_over.load(Relaxed)
    }

    pub fn goes_on(&self) -> bool {
        !self.over.load(Relaxed)
    }

    /// What clients were told since this was last asked.
    pub fn refusals(&self) -> Vec<(u16, String)> {
        std::mem::take(&mut *self.refusals.lock().expect("the refusals"))
    }

    pub fn slowest_pong(&self) -> Duration {
        Duration::from_millis(self.slowest_pong.load(Relaxed))
    }

    fn refused(&self, who: &str, code: u16, reason: &str) {
        self.refusals
            .lock()
            .expect("the refusals")
            .push((code, format!("{who}: {reason}")));
    }
}

struct Stop<'a>(&'a Watched);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// A client of one stream.
#[derive(Clone, Copy)]
pub struct GoodClient<'a> {
    pub client: &'a Client,
    pub account: &'a Account,
    pub watched: &'a Watched,
}

impl GoodClient<'_> {
    /// Pushes with acknowledgements, in batches if the account has them.
    pub fn push_acked(self) {
        let batch = self.account.batch;
        let query = if batch > 1 { "batch=true&ack=true" } else { "ack=true" };
        while self.watched.pushes_go_on() {
            let Some(mut socket) = self.open(&format!("push?{query}")) else {
                continue;
            };
            let mut sent = self.account.next();
            while self.watched.pushes_go_on() || sent > self.account.next() {
                if self.watched.pushes_go_on() && sent < self.account.next() + WINDOW * batch {
                    if self.send(&mut socket, sent).is_err() {
                        break;
                    }
                    sent += batch;
                    continue;
                }
                match socket.read() {
                    Ok(Message::Text(ids)) => ids.split(',').for_each(|id| self.account.ack(id)),
                    other => match self.quiet(other, "push acked") {
                        true => {}
                        false => break,
                    },
                }
            }
            let _ = socket.close(None);
        }
    }

    /// Pushes without acknowledgements; the answer to its close tells that everything is stored.
    pub fn push_plain(self) {
        while self.watched.pushes_go_on() {
            let Some(mut socket) = self.open("push") else { continue };
            let first = self.account.next();
            let chapter = first..first + CHAPTER;
            if chapter.clone().any(|number| self.send(&mut socket, number).is_err()) {
                // Why may have been said all the same.
                self.quiet(socket.read(), "push plain");
                continue;
            }
            let normal = CloseFrame {
                code: CloseCode::Normal,
                reason: Default::default(),
            };
            let _ = socket.close(Some(normal));
            let start = Instant::now();
            while start.elapsed() < DEADLINE {
                match socket.read() {
                    Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1000 => {
                        self.account.confirm(chapter.end);
                        break;
                    }
                    other => match self.quiet(other, "push plain") {
                        true => {}
                        false => break,
                    },
                }
            }
        }
    }

    /// Posts the account's batches.
    pub fn post(self) {
        while self.watched.pushes_go_on() {
            let first = self.account.next();
            let entries: Vec<_> = (first..first + self.account.batch)
                .map(|n| self.account.send(n))
                .collect();
            let parts: Vec<_> = entries.iter().map(|entry| ("entries", entry.as_slice())).collect();
            let (content_type, body) = multipart(&parts);
            let path = format!("/data/{}", self.account.stream);
            let headers = [
                ("Authorization", &*self.client.bearer()),
                ("Content-Type", &content_type),
            ];
            let Ok(answer) = self.client.try_ask("POST", &path, &headers, Some(&body)) else {
                // The store itself is gone.
                std::thread::sleep(AGAIN);
                continue;
            };
            if answer.status == 200 {
                let ids: Vec<String> = serde_json::from_value(answer.json()).expect("a list of ids");
                ids.iter().for_each(|id| self.account.ack(id));
            } else {
                self.watched.refused("POST", answer.status, answer.text());
                std::thread::sleep(AGAIN);
            }
        }
    }

    /// Gets the newest entries again and again; they must be ours.
    pub fn get(self) {
        while self.watched.goes_on() {
            let answer = self.client.get(&format!("/data/{}?count=10", self.account.stream));
            if answer.status == 200 {
                let offsets = answer.header("entry-offset").expect("offsets");
                let offsets: Vec<(String, usize)> = serde_json::from_str(offsets).expect("offsets");
                for (id, bytes) in slice(&offsets, &answer.body) {
                    crate::books::line(&self.account.stream, &id, &bytes);
                }
            } else {
                self.watched.refused("GET", answer.status, answer.text());
            }
            std::thread::sleep(AGAIN);
        }
    }

    /// Pulls from the start on, and after a break from the last id; `pace` is its rest after each reply while it may lag.
    pub fn pull(self, puller: usize, count: usize, pace: Duration) {
        while self.watched.goes_on() {
            let (_, last) = self.account.pulled(puller);
            let query = format!("pull?count={count}&last_entry_id={last}");
            let Some(mut socket) = self.open(&query) else { continue };
            let mut offsets = None;
            while self.watched.goes_on() {
                match (socket.read(), offsets.take()) {
                    (Ok(Message::Text(text)), None) => offsets = Some(text.as_str().to_owned()),
                    (Ok(Message::Binary(blob)), Some(text)) => {
                        let list: Vec<(String, usize)> = serde_json::from_str(&text).expect("offsets");
                        assert!((1..=count).contains(&list.len()), "{} entries in one reply", list.len());
                        for (id, bytes) in slice(&list, &blob) {
                            self.account.pull(puller, &id, &bytes);
                        }
                        if self.watched.pushes_go_on() && !pace.is_zero() {
                            std::thread::sleep(pace);
                        }
                    }
                    (other, kept) => {
                        offsets = kept;
                        if !self.quiet(other, "pull") {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Has a socket open that does nothing but ping, and notes the slowest pong.
    pub fn idle(self, path: &str) {
        while self.watched.goes_on() {
            let Some(mut socket) = self.open(path) else { continue };
            while self.watched.goes_on() {
                let start = Instant::now();
                if socket.send(Message::Ping(Default::default())).is_err() {
                    break;
                }
                let answered = loop {
                    match socket.read() {
                        Ok(Message::Pong(_)) => break true,
                        other => match self.quiet(other, "idle") && start.elapsed() < DEADLINE {
                            true => {}
                            false => break false,
                        },
                    }
                };
                if !answered && self.watched.goes_on() {
                    self.watched.refused("idle", 0, "no pong");
                    break;
                }
                self.watched
                    .slowest_pong
                    .fetch_max(start.elapsed().as_millis() as u64, Relaxed);
                std::thread::sleep(TICK);
            }
        }
    }

    fn open(self, what: &str) -> Option<Socket> {
        match self.client.try_socket(&format!("/data/{}/{what}", self.account.stream)) {
            Ok(socket) => {
                let stream = socket.get_ref();
                stream.set_read_timeout(Some(TICK)).expect("a read deadline");
                stream.set_write_timeout(Some(DEADLINE)).expect("a write deadline");
                return Some(socket);
            }
            Err(Error::Http(reply)) => self.watched.refused("handshake", reply.status().as_u16(), what),
            // The store itself is gone.
            Err(_) => {}
        }
        std::thread::sleep(AGAIN);
        None
    }

    fn send(self, socket: &mut Socket, number: u64) -> Result<(), Error> {
        let batch = self.account.batch;
        let entries: Vec<_> = (number..number + batch).map(|n| self.account.send(n)).collect();
        if batch > 1 {
            let mut end = 0;
            let offsets = entries.iter().map(|entry| {
                end += entry.len();
                (end - entry.len()).to_string()
            });
            let offsets = offsets.collect::<Vec<_>>().join(",");
            socket.write(Message::text(offsets))?;
        }
        socket.send(Message::binary(entries.concat()))?;
        std::thread::sleep(PACE * batch as u32);
        Ok(())
    }

    /// Whether nothing has happened that ends a socket. A close is noted.
    fn quiet(self, read: Result<Message, Error>, who: &str) -> bool {
        match read {
            Ok(Message::Ping(_) | Message::Pong(_)) => true,
            Ok(Message::Close(frame)) => {
                let (code, reason) = frame.map_or((1005, String::new()), |f| (f.code.into(), f.reason.to_string()));
                self.watched.refused(who, code, &reason);
                false
            }
            Ok(other) => panic!("{who} was sent {other:?}"),
            Err(Error::Io(error)) if matches!(error.kind(), std::io::ErrorKind::WouldBlock) => true,
            Err(_) => false,
        }
    }
}
