//! Which streams there are: at the beginning, and while all of them are recorded.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use ptg_store::cursor::{Moment, Until};
use ptg_store::ids::StreamId;

use super::Session;
use super::crew::Word;
use crate::client::{Failure, Retry, Store, TICK, activity, names};
use crate::doctor::is_probe;

/// How often it looks. The store looks once a second at most, so that many who look cost no more than one.
const EVERY: Duration = Duration::from_secs(1);

/// The streams that there are now.
pub fn streams(store: &Store) -> Result<Vec<StreamId>, Failure> {
    Ok(names(store)?.into_iter().filter_map(wanted).collect())
}

/// Tells again and again which streams there are, until the recording ends, or no stream that comes could be a part of it.
pub fn look(session: &Session, tell: &Sender<Word>) -> Result<(), Failure> {
    let mut retry = Retry::new(session.flags.retry);
    let mut store = session.store.clone();
    let mut due = Instant::now() + EVERY;
    while !session.ended.load(Relaxed) && is_awaited(session) {
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            session.store.interrupted.sleep(wait.min(TICK))?;
            continue;
        }
        let begun = Instant::now();
        due = begun + EVERY;
        retry.limit(&mut store);
        match lately(&store) {
            Ok(streams) => {
                retry.opened();
                retry.worked();
                // Whoever listened has ended, and so will this.
                let _ = tell.send(Word::Streams(streams));
            }
            Err(failure) => due = due.max(retry.failed(failure, begun)?),
        }
        if let Some(notice) = retry.take_notice() {
            let _ = tell.send(Word::Say(notice));
        }
    }
    Ok(())
}

/// Whether a stream that comes now could still have an entry up to the end.
fn is_awaited(session: &Session) -> bool {
    match session.until.map(|until| until.wire.parse()) {
        None => true,
        Some(Ok(Until::Moment(Moment::At(ms)))) => {
            u64::try_from(jiff::Timestamp::now().as_millisecond()).is_ok_and(|now| now <= ms)
        }
        Some(_) => false,
    }
}

/// The streams that there were within about a second, as the store knows them without looking anew.
fn lately(store: &Store) -> Result<Vec<StreamId>, Failure> {
    let activity = activity(store)?;
    let streams = activity["streams"]
        .as_array()
        .ok_or_else(|| Failure::Foreign("this is no store: its reply to GET /activity has no streams".into()))?;
    let names = streams.iter().filter_map(|stream| stream["id"].as_str());
    Ok(names.filter_map(|name| wanted(name.to_owned())).collect())
}

/// Those that `ptg-store doctor` makes for seconds are nobody's.
fn wanted(name: String) -> Option<StreamId> {
    StreamId::new(name).ok().filter(|name| !is_probe(name.as_str()))
}
