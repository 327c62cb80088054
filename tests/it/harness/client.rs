//! Talks to a store wherever it runs: REST by ureq, bare sockets, WebSockets by tungstenite.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use tungstenite::ClientRequestBuilder;
use tungstenite::HandshakeError;
use tungstenite::protocol::WebSocketConfig;
use ureq::http::Request;

use super::{Answer, DEVELOPMENT_KEY, Followed, PATIENCE, Socket, read_answer, send};

/// 64 MiB take a while in a debug build on a busy machine.
const REQUEST_DEADLINE: Duration = Duration::from_secs(60);

/// The largest reply a test reads: the largest the store sends, and some more.
const REPLY_LIMIT: u64 = 100 << 20;

pub struct Client {
    address: SocketAddr,
    pub token: String,
    agent: ureq::Agent,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(REQUEST_DEADLINE))
            .build();
        Self {
            address,
            token: token_for("tester"),
            agent: ureq::Agent::new_with_config(config),
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The value of an Authorization header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("Authorization", &self.bearer())], None)
    }

    #[track_caller]
    pub fn put(&self, path: &str) -> Answer {
        self.ask("PUT", path, &[("Authorization", &self.bearer())], Some(b""))
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &[("Authorization", &self.bearer())], None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Answer {
        let headers = [
            ("Authorization", self.bearer()),
            ("Content-Type", content_type.to_owned()),
        ];
        let headers = headers.each_ref().map(|(n, v)| (*n, v.as_str()));
        self.ask("POST", path, &headers, Some(body))
    }

    /// One POST of these entries, as multipart/form-data.
    #[track_caller]
    pub fn post_entries(&self, stream: &str, entries: &[&[u8]]) -> Answer {
        let parts: Vec<_> = entries.iter().map(|entry| ("entries", *entry)).collect();
        let (content_type, body) = multipart(&parts);
        self.post(&format!("/data/{}", encode(stream)), &content_type, &body)
    }

    /// The same, and the ids that it must return.
    #[track_caller]
    pub fn add(&self, stream: &str, entries: &[&[u8]]) -> Vec<String> {
        let ids = self.post_entries(stream, entries).expect(200).json();
        serde_json::from_value(ids).expect("a list of entry ids")
    }

    /// Any request, with these headers and no others of ours; a token only if it is among them.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        self.try_ask(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The same, for clients that try again.
    pub fn try_ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = match body {
            Some(body) => self.agent.run(request.body(body).expect("a well-formed request")),
            None => self.agent.run(request.body(()).expect("a well-formed request")),
        }?;
        let headers = reply.headers().iter();
        let headers = headers
            .map(|(name, value)| {
                let value = value.to_str().expect("a header of text");
                (name.as_str().to_owned(), value.to_owned())
            })
            .collect();
        let status = reply.status().as_u16();
        let body = reply.into_body().into_with_config().limit(REPLY_LIMIT);
        let body = body.read_to_vec()?;
        Ok(Answer { status, headers, body })
    }

    /// A bare connection for tests that speak HTTP, or something else, by hand.
    pub fn raw(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a TCP connection to the store");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read deadline");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write deadline");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// Sends these bytes on a connection of their own and reads one reply.
    #[track_caller]
    pub fn exchange(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.raw();
        send(&mut stream, bytes);
        read_answer(&mut stream)
    }

    /// A request head with a token and these header lines, for bare connections.
    pub fn head(&self, method: &str, path: &str, lines: &[&str]) -> String {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n",
            self.address,
            self.bearer()
        );
        for line in lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head + "\r\n"
    }

    /// An open push socket; `query` is what follows the question mark, or nothing.
    #[track_caller]
    pub fn push(&self, stream: &str, query: &str) -> Socket {
        self.socket(&format!("/data/{}/push?{query}", encode(stream)))
    }

    #[track_caller]
    pub fn pull(&self, stream: &str, query: &str) -> Socket {
        self.socket(&format!("/data/{}/pull?{query}", encode(stream)))
    }

    /// A reply that stays open, whose head has come; `lines` are more header lines.
    #[track_caller]
    pub fn follow(&self, path: &str, lines: &[&str]) -> Followed {
        let mut stream = self.raw();
        send(&mut stream, self.head("GET", path, lines));
        let followed = Followed::begin(stream);
        assert_eq!(followed.head.status, 200, "{path}: {:?}", followed.head);
        followed
    }

    /// A WebSocket at any path, signed in by header.
    #[track_caller]
    pub fn socket(&self, path: &str) -> Socket {
        self.try_socket(path)
            .unwrap_or_else(|error| panic!("no WebSocket at {path}: {error:?}"))
    }

    /// The same, for clients that try again.
    pub fn try_socket(&self, path: &str) -> Result<Socket, tungstenite::Error> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let uri = format!("ws://{}{path}", self.address).parse().expect("a WebSocket URL");
        let request = ClientRequestBuilder::new(uri).with_header("Authorization", self.bearer().as_str());
        let config = WebSocketConfig::default()
            .max_message_size(Some(REPLY_LIMIT as usize))
            .max_frame_size(Some(REPLY_LIMIT as usize));
        match tungstenite::client::client_with_config(request, stream, Some(config)) {
            Ok((socket, _)) => Ok(socket),
            Err(HandshakeError::Failure(error)) => Err(error),
            Err(HandshakeError::Interrupted(_)) => panic!("{path}: no answer to a handshake within {PATIENCE:?}"),
        }
    }

    /// The plain HTTP reply to an upgrade. The handshake is a good one, without a token; a header given here replaces
    /// the handshake's own, and one with an empty value takes it away.
    #[track_caller]
    pub fn socket_answer(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let host = self.address.to_string();
        let good = [
            ("Host", host.as_str()),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let kept = good.iter().filter(|(name, _)| !given(name));
        let mut request = format!("GET {path} HTTP/1.1\r\n");
        for (name, value) in kept.chain(headers).filter(|(_, value)| !value.is_empty()) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        self.exchange(request)
    }

    /// A value of /metrics by its name and labels as they stand there; 0 when it is not there yet.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let answer = self.ask("GET", "/metrics", &[], None).expect(200);
        let line = answer.text().lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(' ')?;
            value.trim().parse().ok()
        });
        line.unwrap_or(0.0)
    }

    /// Serves as ever and no handler panicked: what a hostile test asks at its end.
    #[track_caller]
    pub fn assert_serves(&self) {
        assert_eq!(self.metric("ptg_handler_panics_total"), 0.0);
        assert_eq!(self.get("/ping").expect(200).text(), "true\n");
        let ids = self.add("still-serving", &[b"entry"]);
        let found = self.get("/data/still-serving").expect(200);
        assert_eq!((ids.len(), found.body.as_slice()), (1, &b"entry"[..]));
    }
}

/// A token as the store itself would sign it in development mode.
pub fn token_for(user: &str) -> String {
    let key = EncodingKey::from_secret(DEVELOPMENT_KEY.as_bytes());
    let claims = serde_json::json!({"sub": user, "exp": 4_102_444_800_u64});
    jsonwebtoken::encode(&Header::default(), &claims, &key).expect("a signed token")
}

/// Percent-encodes a stream name, so that it is one segment of a path.
pub fn encode(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A multipart/form-data body of these named parts, with its content type.
pub fn multipart(parts: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let boundary = "----a-boundary-that-no-test-sends-as-data";
    let mut body = Vec::new();
    for (name, data) in parts {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}
