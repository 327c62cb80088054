//! `GET /activity`: what every stream did lately, and how Redis is, in one reply. Made for pages that show it and ask every
//! second, so the streams are looked at once for all of them.

use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::standing;
use crate::limits::lock;
use crate::request::csrf;
use crate::state::context::{Context, Looking, Snapshot};
use crate::store::{Activity, Looks, Session, own_max_len};
use crate::words::error::{Error, StoreError};
use crate::words::http::Reply;

/// How long a snapshot serves. A little less than the second after which pages ask again.
const AGE: Duration = Duration::from_millis(900);

/// A snapshot serves at least so many times as long as it took to make, so that pages take no more than a twentieth of Redis.
const REST: u32 = 20;

/// But no longer than this. A machine that is busy with other things makes a look of ten thousand streams last for seconds,
/// most of which are not Redis's, and a page has to tell that a stream fell silent.
const LONGEST: Duration = Duration::from_secs(5);

/// How many looks before their time may follow each other at once, as in scripts that change something and ask how things are,
/// step by step. One more may come with each time that a snapshot would serve.
const EARLY_AT_ONCE: u32 = 5;

/// How long Redis may take over one reply, as with `GET /ping`: a page that waits longer cannot tell that it does not answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Replies with the snapshot that there is, or makes a new one. How Redis is comes with it, also if it is away: 503 then; and who
/// asks, which a page that a cookie lets in cannot know otherwise.
pub fn get(session: &mut Session, context: &Context, user: &str) -> Result<Reply, Error> {
    let reply = match snapshot(session, context) {
        Ok(snapshot) => Reply::json_text(200, body(&snapshot, context, user)),
        Err(Error::Store(cause)) if cause.is_passing() => standing::refusal(cause, &context.store.standing()),
        Err(other) => return Err(other),
    };
    // The header is for pages of ours: see `csrf`.
    Ok(reply.with(csrf::HEADER, context.auth.csrf_token().text()))
}

fn snapshot(session: &mut Session, context: &Context) -> Result<Arc<Snapshot>, Error> {
    let kept = || lock(&context.activity.snapshot).clone();
    if let Some(kept) = kept().filter(|kept| kept.stale > Instant::now() && kept.done == context.done()) {
        return Ok(kept);
    }
    // One worker looks. The others take what there was: waiting would let pages have all workers when Redis is slow.
    let mut looking = match context.activity.looking.try_lock() {
        Ok(looking) => looking,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => {
            return kept()
                .ok_or_else(|| Error::Busy("The activity is just being looked up for the first time.".into()));
        }
    };
    // Somebody may just have looked.
    if let Some(kept) = kept().filter(|kept| kept.stale > Instant::now())
        && !is_due_early(&kept, &mut looking, context)
    {
        return Ok(kept);
    }
    let usual = session.set_reply_timeout(ANSWER_WITHIN);
    let looked = look(session, &mut looking.looks, context);
    session.set_reply_timeout(usual);
    let made = Arc::new(looked?);
    *lock(&context.activity.snapshot) = Some(made.clone());
    Ok(made)
}

/// Whether to look before it is time, so that whoever did something sees it: who deleted a stream is not to be shown it. Each
/// such look is one that need not be made in its time, so that a flood of them costs Redis no more in the long run.
fn is_due_early(kept: &Snapshot, looking: &mut Looking, context: &Context) -> bool {
    let done = context.done();
    let limit = match () {
        () if kept.done.changes != done.changes => &mut looking.for_changes,
        () if kept.done.entries != done.entries => &mut looking.for_entries,
        () => return false,
    };
    limit.allows(kept.max_age, EARLY_AT_ONCE, Instant::now())
}

fn look(session: &mut Session, looks: &mut Looks, context: &Context) -> Result<Snapshot, StoreError> {
    let (begun, time, done) = (Instant::now(), Timestamp::now(), context.done());
    let now_ms = u64::try_from(time.as_millisecond()).unwrap_or(0);
    let activity = session.activity(looks, now_ms)?;
    let storage = session.storage()?;
    let max_age = (begun.elapsed() * REST).clamp(AGE, LONGEST);
    let default_max_len = context.config.max_len;
    let streams: Vec<Value> = activity.iter().map(|one| stream(one, default_max_len)).collect();
    Ok(Snapshot {
        // Values of JSON can always be written.
        streams: to_raw_value(&streams).unwrap_or_default(),
        storage,
        time,
        max_age,
        stale: begun + max_age,
        done,
    })
}

/// The snapshot, and what is of this moment.
fn body(snapshot: &Snapshot, context: &Context, user: &str) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        time: String,
        now: String,
        user: &'a str,
        max_age: f64,
        redis: Value,
        default_max_len: u64,
        streams: &'a RawValue,
    }
    let body = Body {
        time: snapshot.time.to_string(),
        now: Timestamp::now().to_string(),
        user,
        max_age: snapshot.max_age.as_secs_f64(),
        redis: standing::of(&context.store.standing(), &snapshot.storage),
        default_max_len: context.config.max_len,
        streams: &snapshot.streams,
    };
    serde_json::to_vec(&body).unwrap_or_default()
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
        "state": activity.pulse.word(),
    });
    if let Some(error) = &activity.error {
        stream["error"] = json!(error.to_string());
    }
    stream
}
