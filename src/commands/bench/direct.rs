//! Redis as a plain client uses it: the redis crate over TCP, one connection, one command or pipeline at a time.

use std::time::Duration;

use ptg_store::words::ids::EntryId;
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, Connection, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, Value};

use super::socket::advance;

/// How long one `XREAD` waits for an entry.
const BLOCK: Duration = Duration::from_millis(500);

/// What answers in words that are not Redis's, as the store has it.
const NO_REDIS: &str = "what listens there is no Redis";

/// The Redis behind the store.
#[derive(Clone)]
pub struct Direct {
    client: Client,
    /// How long it may take to connect, and for one answer.
    patience: Duration,
}

/// An error of Redis as a sentence.
pub fn sentence(error: redis::RedisError) -> String {
    match error.kind() {
        // The crate's words for that are about its parser.
        ErrorKind::Parse => NO_REDIS.into(),
        _ => format!("Redis: {error}"),
    }
}

impl Direct {
    /// Prepares to use the Redis at `url`. The error says what is wrong, behind whatever named it.
    pub fn new(url: &str, patience: Duration) -> Result<Direct, String> {
        ptg_store::store::check_url(url)?;
        let wrong = |error: redis::RedisError| error.to_string();
        let info = url.into_connection_info().map_err(wrong)?;
        // The store does the same: what is small is to leave at once.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(info).map_err(wrong)?;
        Ok(Direct { client, patience })
    }

    /// Where it is, without a password.
    pub fn address(&self) -> String {
        self.info().addr().to_string()
    }

    /// How it is reached, with a password if it has one.
    pub fn info(&self) -> &ConnectionInfo {
        self.client.get_connection_info()
    }

    pub fn connect(&self) -> Result<Connection, String> {
        let connection = self.client.get_connection_with_timeout(self.patience);
        let address = self.address();
        let connection = connection.map_err(|error| match error.kind() {
            ErrorKind::Parse => format!("{address}: {NO_REDIS}"),
            _ => format!("Redis at {address} cannot be reached: {error}"),
        })?;
        connection.set_read_timeout(Some(self.patience)).map_err(sentence)?;
        connection.set_write_timeout(Some(self.patience)).map_err(sentence)?;
        Ok(connection)
    }

    /// One command on a connection of its own.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T, String> {
        let mut command = Cmd::new();
        command.arg(words);
        command.query(&mut self.connect()?).map_err(sentence)
    }
}

/// What the store does with an entry.
pub fn xadd(stream: &str, max_len: usize, entry: &[u8]) -> Cmd {
    let mut add = redis::cmd("XADD");
    add.arg(stream)
        .arg(&["MAXLEN", "~"])
        .arg(max_len)
        .arg("*")
        .arg("d")
        .arg(entry);
    add
}

/// The same entry so often.
pub fn xadds(stream: &str, max_len: usize, entry: &[u8], count: usize) -> Pipeline {
    let mut pipeline = redis::pipe();
    for _ in 0..count {
        pipeline.add_command(xadd(stream, max_len, entry));
    }
    pipeline
}

/// Reads a stream as a pull does: from the start on, at most `count` at a time.
pub struct Reader<'a> {
    connection: Connection,
    stream: &'a str,
    count: usize,
    last: EntryId,
    id: String,
}

impl<'a> Reader<'a> {
    pub fn new(connection: Connection, stream: &'a str, count: usize) -> Reader<'a> {
        Reader {
            connection,
            stream,
            count,
            last: EntryId::default(),
            id: "0".into(),
        }
    }

    /// From the start again.
    pub fn rewind(&mut self) {
        (self.last, self.id) = (EntryId::default(), "0".into());
    }

    /// One `XREAD`; shows each entry that it brings, and how many there were.
    pub fn read(
        &mut self,
        blocking: bool,
        mut entry: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<usize, String> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(self.count);
        if blocking {
            read.arg("BLOCK").arg(BLOCK.as_millis() as u64);
        }
        read.arg("STREAMS").arg(self.stream).arg(&self.id);
        let reply: Value = read.query(&mut self.connection).map_err(sentence)?;
        let entries = match &reply {
            Value::Nil => return Ok(0),
            Value::Array(streams) => match streams.as_slice() {
                [Value::Array(stream)] => stream.get(1),
                _ => None,
            },
            _ => None,
        };
        let Some(Value::Array(entries)) = entries else {
            return Err("Redis: the reply to XREAD has an unexpected shape".into());
        };
        let mut newest = None;
        for one in entries {
            let Value::Array(parts) = one else {
                return Err("Redis: an entry has an unexpected shape".into());
            };
            match parts.as_slice() {
                [Value::BulkString(id), Value::Array(fields)] => {
                    let id = std::str::from_utf8(id).map_err(|_| "Redis: an id is not text")?;
                    advance(&mut self.last, id)?;
                    newest = Some(id);
                    match fields.as_slice() {
                        [Value::BulkString(_), Value::BulkString(data)] => entry(data)?,
                        _ => return Err("Redis: an entry has other fields than d".into()),
                    }
                }
                _ => return Err("Redis: an entry has an unexpected shape".into()),
            }
        }
        if let Some(newest) = newest {
            self.id = newest.to_string();
        }
        Ok(entries.len())
    }
}
