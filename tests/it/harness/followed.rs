//! A reply that stays open, read chunk by chunk as it comes.

use std::io::Read;
use std::net::TcpStream;

use super::{Answer, read_answer_to_head};

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With its last chunk, and the connection with it.
    Whole,
    /// Without: something is missing.
    BrokenOff,
}

/// A reply whose head has come.
pub struct Followed {
    pub head: Answer,
    stream: TcpStream,
    chunked: bool,
    /// What has come and was not asked for yet.
    come: Vec<u8>,
    end: Option<End>,
}

impl Followed {
    /// Reads the head; what becomes of the body is seen later.
    #[track_caller]
    pub fn begin(mut stream: TcpStream) -> Self {
        let head = read_answer_to_head(&mut stream);
        let chunked = head.header("transfer-encoding") == Some("chunked");
        Self {
            head,
            stream,
            chunked,
            come: Vec::new(),
            end: None,
        }
    }

    /// The connection itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The next so many bytes.
    #[track_caller]
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.come.len() < count {
            self.read_more();
        }
        self.come.drain(..count).collect()
    }

    /// The next line, without its end.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut seen = 0;
        loop {
            if let Some(at) = self.come[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.come.drain(..=seen + at).collect();
                line.pop();
                return String::from_utf8(line).expect("a line of text");
            }
            seen = self.come.len();
            self.read_more();
        }
    }

    /// The next line, which must be JSON.
    #[track_caller]
    pub fn json(&mut self) -> serde_json::Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// All that still comes, and how it ends.
    #[track_caller]
    pub fn rest(mut self) -> (Vec<u8>, End) {
        while self.end.is_none() {
            self.read();
        }
        (self.come, self.end.expect("an end"))
    }

    /// Nothing more comes, and it ends so.
    #[track_caller]
    pub fn ends(self, expected: End) {
        let (rest, end) = self.rest();
        let shown = String::from_utf8_lossy(&rest[..rest.len().min(500)]);
        assert_eq!((shown.as_ref(), end), ("", expected));
    }

    #[track_caller]
    fn read_more(&mut self) {
        self.read();
        assert_eq!(self.end, None, "after {:?}", String::from_utf8_lossy(&self.come));
    }

    /// Reads one chunk; without chunks, whatever is there.
    #[track_caller]
    fn read(&mut self) {
        if self.chunked {
            return self.read_chunk();
        }
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Whole),
            Ok(read) => self.come.extend(&buffer[..read]),
            Err(error) => panic!("{error} instead of more"),
        }
    }

    #[track_caller]
    fn read_chunk(&mut self) {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            match self.stream.read(&mut byte) {
                Ok(1) => line.push(byte[0]),
                Ok(_) => return self.end = Some(End::BrokenOff),
                Err(error) if is_end(&error) => return self.end = Some(End::BrokenOff),
                Err(error) => panic!("{error} instead of a chunk"),
            }
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        let size = usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("not a chunk size: {line:?}"));
        let mut chunk = vec![0; size + 2];
        match self.stream.read_exact(&mut chunk) {
            Ok(()) => {}
            Err(error) if is_end(&error) => return self.end = Some(End::BrokenOff),
            Err(error) => panic!("{error} in a chunk of {size} bytes"),
        }
        assert!(chunk.ends_with(b"\r\n"), "a chunk without its end");
        self.come.extend(&chunk[..size]);
        if size == 0 {
            let mut byte = [0];
            let after = self.stream.read(&mut byte).expect("the end of the connection");
            assert_eq!(after, 0, "something after the last chunk");
            self.end = Some(End::Whole);
        }
    }
}

fn is_end(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof)
}
