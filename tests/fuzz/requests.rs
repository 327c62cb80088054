//! The grammar of HTTP requests: sound ones, and how they are damaged before they are bytes.

use super::damage;
use super::dice::Dice;

pub struct Request {
    pub line: Vec<u8>,
    pub headers: Vec<Vec<u8>>,
    pub body: Vec<u8>,
}

const READS: [&str; 25] = [
    "/",
    "/docs",
    "/docs/README.md",
    "/openapi.json",
    "/asyncapi.json",
    "/redoc",
    "/ping",
    "/health",
    "/metrics",
    "/activity",
    "/streams",
    "/streams/",
    "/streams/STREAM",
    "/streams/STREAM?report_error=true",
    "/data/STREAM",
    "/data/STREAM?count=100",
    "/data/STREAM/?last_entry_id=0&count=7",
    "/data/STREAM?last_entry_id=1700000000000-1",
    "/data/STREAM?format=json&count=100&last_entry_id=first",
    "/data/STREAM?format=raw&last_entry_id=-1h&until=latest",
    "/data/STREAM+fuzz%2B?format=json&last_entry_id=*+2026-11-25T10:00:00+01:00",
    "/data/STREAM+fuzz-1+fuzz-2+none?count=9&last_entry_id=0&until=2100-01-01",
    "/v2/data/STREAM+none?last_entry_id=-",
    "/v2/streams/",
    "/mjpeg",
];

/// Replies that stay open, for a moment at least.
const FOLLOWS: [&str; 9] = [
    "/data/STREAM?follow=true&timeout=50",
    "/data/STREAM?follow=true&format=json&last_entry_id=first&until=latest",
    "/data/STREAM+none+fuzz%2B?follow=1&format=json&last_entry_id=-1h+$+first&timeout=50",
    "/data/STREAM?follow=yes&newest=true&max_rate=1000&last_entry_id=first&timeout=50",
    "/data/STREAM?follow=true&on_gap=close&last_entry_id=1700000000000-1&count=7&timeout=50",
    "/data/STREAM?follow=true&format=pairs",
    "/mjpeg/STREAM?last_entry_id=first&timeout=50",
    "/mjpeg/STREAM?max_rate=0.5&timeout=50",
    "/v2/data/STREAM?follow=True&format=json&latest=False&timeout=50",
];

const ODD_HEADERS: [&str; 30] = [
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding : chunked",
    "Content-Length: 1000000000000000",
    "Content-Length: -1",
    "Content-Length: 3",
    "Content-Length: 3, 3",
    "Content-Type: multipart/form-data",
    "Content-Type: multipart/form-data; boundary=\"",
    "Content-Type: application/x-www-form-urlencoded",
    "Connection: close",
    "Connection: Upgrade, HTTP2-Settings",
    "Connection: keep-alive, close, ,",
    "Upgrade: h2c",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Expect: 100-continue",
    "Expect: something",
    "Origin: http://elsewhere.example",
    "Cookie: authorization=\"Bearer x.y.z\"; authorization=",
    "Authorization: Basic dGVzdDp0ZXN0",
    "Host: \u{00e4}\u{202e}",
    "Accept: text/event-stream",
    "Accept: text/event-stream;q=0, */*",
    "Last-Event-ID: 1700000000000-1+$",
    "Last-Event-ID: \u{00e4}",
    " folded: yes",
    "nocolon",
    ": noname",
];

impl Request {
    /// Nothing is wrong with it: the answer is 2xx or 4xx, and the connection lives on.
    pub fn sound(dice: &mut Dice, token: &str) -> Self {
        match dice.below(8) {
            0 => Self::put_or_delete(dice, token),
            1 => Self::sign_in(dice),
            2..=4 => Self::post(dice, token),
            _ => {
                let method = dice.pick(&["GET", "GET", "GET", "HEAD", "OPTIONS"]);
                let path = dice.pick(&READS);
                let path = named(dice, path);
                Self::new(method, &path, token)
            }
        }
    }

    /// The last one of its connection, which is its own from then on.
    pub fn follow(dice: &mut Dice, token: &str) -> Self {
        let method = dice.pick(&["GET", "GET", "GET", "HEAD"]);
        let path = dice.pick(&FOLLOWS);
        let mut request = Self::new(method, &named(dice, path), token);
        if dice.one_in(3) {
            request.add("Accept: text/event-stream");
            let place = dice.pick(&["", "1700000000000-1", "0-0", "$", "1-1+2-2+3-3", "x"]);
            request.add(&format!("Last-Event-ID: {place}"));
        }
        request
    }

    pub fn new(method: &str, path: &str, token: &str) -> Self {
        let headers = ["Host: x".to_owned(), format!("Authorization: Bearer {token}")];
        Self {
            line: format!("{method} {path} HTTP/1.1").into(),
            headers: headers.map(String::into_bytes).into(),
            body: Vec::new(),
        }
    }

    fn put_or_delete(dice: &mut Dice, token: &str) -> Self {
        let path = dice.pick(&[
            "/streams/STREAM?override=1&desc=a%20b&meta=%7B%22a%22%3A%5B1%5D%7D&max_len=50",
            "/streams/STREAM?desc=&meta=&max_len=",
            "/streams/STREAM?force=yes",
        ]);
        Self::new(dice.pick(&["PUT", "DELETE"]), &named(dice, path), token)
    }

    fn sign_in(dice: &mut Dice) -> Self {
        let mut request = Self::new("POST", dice.pick(&["/token", "/token/", "/signout"]), "");
        request.add("Content-Type: application/x-www-form-urlencoded");
        let body = dice.pick(&[
            "username=ada&password=ada",
            "username=ada&password=%00",
            "",
            "grant_type=password",
        ]);
        request.set_body(dice, body.as_bytes());
        request
    }

    fn post(dice: &mut Dice, token: &str) -> Self {
        let mut request = Self::new("POST", &named(dice, "/data/STREAM"), token);
        if dice.one_in(2) {
            request.add("Content-Type: image/jpeg");
            let body = dice.bytes(3000);
            request.set_body(dice, &body);
        } else {
            request.add("Content-Type: multipart/form-data; boundary=b");
            let mut body = Vec::new();
            for _ in 0..dice.below(5) {
                let name = dice.pick(&["entries", "entries", "other"]);
                let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n");
                body.extend(head.as_bytes());
                body.extend(dice.bytes(500));
                body.extend(b"\r\n");
            }
            body.extend(b"--b--\r\n");
            request.set_body(dice, &body);
        }
        request
    }

    fn add(&mut self, header: &str) {
        self.headers.push(header.as_bytes().to_vec());
    }

    /// By its length, or in chunks of any size.
    fn set_body(&mut self, dice: &mut Dice, body: &[u8]) {
        if dice.one_in(3) {
            self.add("Transfer-Encoding: chunked");
            let mut rest = body;
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(1 + dice.below(rest.len()));
                let extension = dice.pick(&["", "", ";a=b", ";a=\"b\""]);
                self.body.extend(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
                self.body.extend(chunk);
                self.body.extend(b"\r\n");
                rest = after;
            }
            self.body
                .extend(dice.pick(&["0\r\n\r\n", "000\r\nX-Trailer: y\r\n\r\n"]).as_bytes());
        } else {
            self.add(&format!("Content-Length: {}", body.len()));
            self.body = body.to_vec();
        }
    }

    /// Breaks its structure in a few places.
    pub fn damage(&mut self, dice: &mut Dice) {
        for _ in 0..=dice.below(3) {
            let place = dice.below(self.headers.len());
            match dice.below(11) {
                0 => damage::bytes(dice, &mut self.line),
                1 => {
                    let line = dice.pick(&[
                        "BREW /ping HTTP/1.1",
                        "GET /ping HTTP/2.0",
                        "GET /ping",
                        "PRI * HTTP/2.0",
                        "CONNECT x:1 HTTP/1.1",
                    ]);
                    self.line = line.into();
                }
                2 => damage::bytes(dice, &mut self.body),
                3 => dice.shuffle(&mut self.headers),
                4 if !self.headers.is_empty() => drop(self.headers.remove(place)),
                5 if !self.headers.is_empty() => self.headers.push(self.headers[place].clone()),
                6 if !self.headers.is_empty() => damage::bytes(dice, &mut self.headers[place]),
                7 => self.add(&format!("Content-Length: {}", damage::number(dice))),
                8 => self.add(&format!("X: {}", "y".repeat(dice.below(20_000)))),
                9 => (0..dice.below(100)).for_each(|_| self.add("A: b")),
                _ => self.add(dice.pick(&ODD_HEADERS)),
            }
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.line.clone();
        for header in &self.headers {
            bytes.extend(b"\r\n");
            bytes.extend(header);
        }
        bytes.extend(b"\r\n\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// One of a few streams, so that clients meet in them.
pub fn named(dice: &mut Dice, path: &str) -> String {
    path.replace("STREAM", &format!("fuzz-{}", dice.below(10)))
}
