//! `GET /activity`: what every stream did lately, in one reply. Made for pages that show it and ask every second,
//! so it is made once for all of them.

use std::sync::TryLockError;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::context::{Context, Snapshot};
use crate::csrf;
use crate::error::Error;
use crate::http::Reply;
use crate::limits::lock;
use crate::store::{Activity, Session, own_max_len};

/// How long a snapshot serves. A little less than the second after which pages ask again.
const AGE: Duration = Duration::from_millis(900);

/// A snapshot serves at least so many times as long as it took to make: pages never take more than a twentieth of Redis.
const REST: u32 = 20;

/// Replies with the snapshot that there is, or makes a new one.
pub fn get(session: &mut Session, context: &Context) -> Result<Reply, Error> {
    let snapshot = &context.activity.snapshot;
    let begun = Instant::now();
    let fresh = |kept: &Snapshot| (kept.stale > begun).then(|| kept.body.clone());
    if let Some(body) = lock(snapshot).as_ref().and_then(fresh) {
        return Ok(reply(body, context));
    }
    // One worker looks. The others take what there was: waiting would let pages have all workers when Redis is slow.
    let body = match context.activity.looking.try_lock() {
        Err(TryLockError::WouldBlock) => lock(snapshot).as_ref().map(|kept| kept.body.clone()),
        _looking => {
            let body = body(&session.activity()?, context.config.max_len);
            let stale = begun + AGE.max(begun.elapsed() * REST);
            *lock(snapshot) = Some(Snapshot {
                body: body.clone(),
                stale,
            });
            Some(body)
        }
    };
    let body = body.ok_or_else(|| Error::Busy("The activity is just being looked up for the first time.".into()))?;
    Ok(reply(body, context))
}

/// The header is for pages of ours: see `csrf`.
fn reply(body: Vec<u8>, context: &Context) -> Reply {
    Reply::json_text(200, body).with(csrf::HEADER, context.auth.csrf_token().text())
}

fn body(activity: &[Activity], default_max_len: u64) -> Vec<u8> {
    let streams: Vec<Value> = activity
        .iter()
        .map(|activity| stream(activity, default_max_len))
        .collect();
    let time = jiff::Timestamp::now().to_string();
    json!({ "time": time, "default_max_len": default_max_len, "streams": streams })
        .to_string()
        .into_bytes()
}

fn stream(activity: &Activity, default_max_len: u64) -> Value {
    let described = activity.description.as_ref();
    let contents = &activity.contents;
    let mut stream = json!({
        "id": activity.stream.as_str(),
        "description": described.and_then(|described| described.read::<Value>("description")),
        "max_len": described.and_then(own_max_len).unwrap_or(default_max_len),
        "entries": contents.entries,
        "entries_added": contents.entries_added,
        "newest_id": contents.newest.map(|(id, _)| id.to_string()),
        "newest_bytes": contents.newest.map(|(_, bytes)| bytes),
    });
    if let Some(error) = &activity.error {
        stream["error"] = json!(error.to_string());
    }
    stream
}
