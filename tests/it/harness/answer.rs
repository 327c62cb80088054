//! One HTTP reply, read by ureq or, byte by byte, from a bare socket.

use std::io::{ErrorKind, Read, Write};

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(n, _)| n == name);
        let found = all.next().map(|(_, value)| value.as_str());
        assert!(all.next().is_none(), "header {name} twice: {self:?}");
        found
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a reply of text")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        // A shell's prompt stands below a reply, not behind it.
        assert!(self.body.ends_with(b"\n") && !self.body.ends_with(b"\n\n"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The detail of an error that is one sentence.
    #[track_caller]
    pub fn detail(&self) -> String {
        let json = self.json();
        let detail = json["detail"].as_str();
        detail
            .unwrap_or_else(|| panic!("no sentence as detail: {json}"))
            .to_owned()
    }

    /// The (last word of loc, type) of every fault of a 422.
    #[track_caller]
    pub fn faults(&self) -> Vec<(String, String)> {
        assert_eq!(self.status, 422, "{self:?}");
        let json = self.json();
        let list = json["detail"].as_array().unwrap_or_else(|| panic!("no list: {json}"));
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        list.iter()
            .map(|fault| (word(&fault["loc"][1]), word(&fault["type"])))
            .collect()
    }

    /// Asserts the status, showing the whole reply when it is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.summary());
        self
    }

    fn summary(&self) -> String {
        let body = &self.body[..self.body.len().min(2000)];
        format!("{} {:?} {}", self.status, self.headers, String::from_utf8_lossy(body))
    }
}

/// Sends bytes on a bare connection.
#[track_caller]
pub fn send(stream: &mut impl Write, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).expect("to send");
}

/// The peer closes, without another byte.
#[track_caller]
pub fn expect_end(stream: &mut impl Read) {
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Ok(_) => panic!("{:?} instead of the end", byte[0] as char),
        Err(error) => panic!("still open: {error}"),
    }
}

/// Reads exactly one reply and not a byte more.
#[track_caller]
pub fn read_answer(stream: &mut impl Read) -> Answer {
    let mut answer = read_head(stream);
    if answer.status < 200 || matches!(answer.status, 204 | 304) {
        return answer;
    }
    if answer.header("transfer-encoding") == Some("chunked") {
        answer.body = read_chunks(stream);
    } else if let Some(length) = answer.header("content-length") {
        let length = length.parse().expect("a decimal Content-Length");
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body).expect("the whole body");
    } else {
        stream.read_to_end(&mut answer.body).expect("the body up to the end");
    }
    answer
}

/// The reply to a HEAD: a head that is not followed by the body it describes.
#[track_caller]
pub fn read_answer_to_head(stream: &mut impl Read) -> Answer {
    read_head(stream)
}

#[track_caller]
fn read_head(stream: &mut impl Read) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read_byte(stream, &head));
    }
    let head = String::from_utf8(head).expect("a head of text");
    let mut lines = head.trim_end().split("\r\n");
    let first = lines.next().unwrap_or_default();
    assert!(first.starts_with("HTTP/1."), "not a status line: {first:?}");
    let status = first
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_else(|| panic!("no status in {first:?}"));
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header: {line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    Answer {
        status,
        headers,
        body: Vec::new(),
    }
}

#[track_caller]
fn read_byte(stream: &mut impl Read, so_far: &[u8]) -> u8 {
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(1) => return byte[0],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => panic!(
                "{other:?} instead of a reply, after {:?}",
                String::from_utf8_lossy(so_far)
            ),
        }
    }
}

#[track_caller]
fn read_chunks(stream: &mut impl Read) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(read_byte(stream, &line));
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        let size = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("not a chunk size: {line:?}"));
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).expect("a whole chunk");
        assert!(chunk.ends_with(b"\r\n"), "a chunk without its end");
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return body;
        }
    }
}
