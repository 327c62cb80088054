//! The first words on a connection: who we are, what is at the other end, and what it lets us do. A connection comes in that
//! nothing was said on, and `Abilities` go out; `Store` calls `connect`, once for each connection, in one round trip.
//!
//! What is tried here has no effect: an empty transaction, a script that does nothing. That needs no right to look at access
//! lists, and it tells the truth also where a command was renamed, or where a proxy lacks it.

use std::io::{self, IoSlice};
use std::time::Duration;

use redis::{ConnectionInfo, RedisConnectionInfo, ServerError, Value};

use super::abilities::Abilities;
use super::beside::Nobody;
use super::link::Link;
use super::{refusal, value};
use crate::words::error::StoreError;

/// How much of what something says that is no Redis is told.
const EXCERPT: usize = 60;

/// How a TLS record begins that tells of an alert (RFC 8446, section 5.1).
const TLS_ALERT: &[u8] = &[21, 3];

/// Connects, signs in, selects the database and learns what is there, all within `patience`, which the link has from then on.
pub fn connect(info: &ConnectionInfo, patience: Duration) -> Result<Link, StoreError> {
    let mut link = Link::open(info, patience)?;
    let abilities = introduce(&mut link, info.redis_settings(), patience)?;
    link.set_abilities(abilities);
    Ok(link)
}

fn introduce(link: &mut Link, info: &RedisConnectionInfo, within: Duration) -> Result<Abilities, StoreError> {
    let mut packed = Vec::new();
    let mut signing_in = 0;
    if let Some(password) = info.password() {
        let mut auth = redis::cmd("AUTH");
        if let Some(name) = info.username() {
            auth.arg(name);
        }
        auth.arg(password).write_packed_command(&mut packed);
        signing_in += 1;
    }
    if info.db() != 0 {
        redis::cmd("SELECT").arg(info.db()).write_packed_command(&mut packed);
        signing_in += 1;
    }
    // Access lists always allow HELLO: <https://redis.io/docs/latest/commands/hello/>.
    redis::cmd("HELLO").write_packed_command(&mut packed);
    redis::cmd("EVAL")
        .arg("return 1")
        .arg(0)
        .write_packed_command(&mut packed);
    redis::cmd("MULTI").write_packed_command(&mut packed);
    redis::cmd("EXEC").write_packed_command(&mut packed);

    // Who has no connection to give says so and closes, so that sending fails: what was said comes first.
    let sent = link.send(&mut [IoSlice::new(&packed)], &mut Nobody);
    let first = link.reply(&mut Nobody).map_err(|error| match sent {
        Err(sent) if link.unread().is_empty() => unheard(&sent, within),
        _ => unknown(link, &error, within),
    })?;
    let mut replies = vec![first];
    for _ in 1..signing_in + 4 {
        if let [Value::ServerError(error)] = replies.as_slice()
            && let met @ StoreError::Unusable(_) = refusal::meaning(error)
            && !is_loading(error)
        {
            // It may say nothing more.
            return Err(met);
        }
        match (link.reply(&mut Nobody), replies.as_slice()) {
            (Ok(reply), _) => replies.push(reply),
            // What refuses the first words and then falls silent has told the cause.
            (Err(_), [Value::ServerError(error), ..]) => return Err(not_let_in(error, info)),
            (Err(error), _) => return Err(unheard(&error, within)),
        }
    }
    let asked = replies.split_off(signing_in);
    let refused = replies.iter().find_map(as_error);
    if let Some(error) = refused {
        return Err(not_let_in(error, info));
    }
    abilities(link, asked, info, within)
}

/// What the replies to `HELLO`, `EVAL`, `MULTI` and `EXEC` tell.
fn abilities(
    link: &mut Link,
    replies: Vec<Value>,
    info: &RedisConnectionInfo,
    within: Duration,
) -> Result<Abilities, StoreError> {
    let [hello, eval, multi, exec] = replies.as_slice() else {
        return Err(super::unexpected("HELLO"));
    };
    if let Some(error) = as_error(hello).filter(|error| error.code() == "NOAUTH") {
        return Err(refusal::meaning(error));
    }
    let said = |name: &str| field(hello, name);
    if said("mode") == Some("sentinel") {
        let sentence =
            "what --redis names is a Redis Sentinel, which stores nothing: name the Redis that it watches over";
        return Err(StoreError::Unusable(sentence.into()));
    }
    // Where EXEC has another name, the transaction is still open.
    if as_error(multi).is_none() && as_error(exec).is_some_and(|error| error.code() == "ERR") {
        let discard = redis::cmd("DISCARD").get_packed_command();
        link.send(&mut [IoSlice::new(&discard)], &mut Nobody)
            .and_then(|()| link.reply(&mut Nobody))
            .map_err(|error| unheard(&error, within))?;
    }
    let user = info.username().unwrap_or("default");
    let lack = |replies: &[&Value], commands: &str, rights: &str, purpose: &str| {
        let mut errors = replies.iter().filter_map(|reply| as_error(reply));
        let error = refusal::text_of(errors.find(|error| refusal::is_lack(error))?);
        // The reason of a close frame is short, so what mends it comes first.
        Some(match error.contains("unknown command") {
            true => format!("it has no {commands} (rename-command, or a proxy?), which {purpose}: {error}"),
            false => format!("ACL SETUSER {user} {rights} is needed: {commands}, which {purpose}, is denied: {error}"),
        })
    };
    Ok(Abilities {
        is_cluster: said("mode") == Some("cluster"),
        transactions: lack(&[multi, exec], "MULTI with EXEC", "+multi +exec", "makes batches whole"),
        scripts: lack(
            &[eval],
            "EVAL",
            "+eval",
            "stores entries with ids and in several streams, and tells what streams did lately",
        ),
    })
}

/// A field of the reply to `HELLO`, `[name, value, …]`.
pub fn field<'a>(hello: &'a Value, name: &str) -> Option<&'a str> {
    let Value::Array(fields) = hello else { return None };
    let mut pairs = fields.chunks_exact(2);
    let pair = pairs.find(|pair| value::text(&pair[0]) == Some(name))?;
    value::text(&pair[1])
}

fn as_error(reply: &Value) -> Option<&ServerError> {
    match reply {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

/// A Redis that reads its data lets us in all the same.
fn is_loading(error: &ServerError) -> bool {
    error.code() == "LOADING"
}

/// Why `AUTH` or `SELECT` were refused.
fn not_let_in(error: &ServerError, info: &RedisConnectionInfo) -> StoreError {
    let text = refusal::text_of(error);
    match refusal::meaning(error) {
        StoreError::Refused(_) if text.contains("without any password") => {
            StoreError::Unusable(format!("Redis has no password, but --redis names one: {text}"))
        }
        StoreError::Refused(_) if info.db() != 0 => StoreError::Unusable(format!(
            "Redis does not give us its database {}, the number at the end of --redis: {text}",
            info.db()
        )),
        StoreError::Refused(_) => StoreError::Unusable(format!("Redis does not let us in: {text}")),
        other => other,
    }
}

/// Why the first reply could not be read: what is there may be no Redis.
fn unknown(link: &Link, error: &io::Error, within: Duration) -> StoreError {
    let said = link.unread();
    if said.starts_with(TLS_ALERT) {
        let sentence = "what listens there wants TLS, which is not supported between the store and Redis";
        return StoreError::Unusable(sentence.into());
    }
    if said.first().is_some_and(|kind| !b"+-:$*".contains(kind)) {
        let line = said.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
        let excerpt = &line[..line.len().min(EXCERPT)];
        return StoreError::Unusable(format!(
            "what listens there is no Redis: it says \"{}\"",
            excerpt.escape_ascii()
        ));
    }
    unheard(error, within)
}

/// Why nothing was heard.
fn unheard(error: &io::Error, within: Duration) -> StoreError {
    StoreError::Unreachable(match error.kind() {
        io::ErrorKind::TimedOut => format!("no answer within {within:?}; it hangs, or is no Redis"),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => format!(
            "it ends the connection without an answer, as a proxy without a Redis does, a port for TLS, or what is no Redis ({error})"
        ),
        _ => error.to_string(),
    })
}
