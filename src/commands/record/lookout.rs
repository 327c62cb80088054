//! Which streams there are: at the beginning, and while all of them are recorded.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use ptg_store::words::cursor::{Moment, Until};
use ptg_store::words::ids::StreamId;

use super::Session;
use super::crew::Word;
use crate::client::{Failure, Retry, Store, TICK, activity, names};
use crate::commands::doctor::is_probe;

/// How often it looks. The store looks once a second at most, so that many who look cost no more than one.
const EVERY: Duration = Duration::from_secs(1);

/// Which streams there are.
pub struct Seen {
    pub streams: BTreeSet<StreamId>,
    /// Whether they were there at the beginning.
    pub first: bool,
}

/// Tells which streams there are, and again and again which there are by then, until the recording ends, or no stream that
/// comes could be a part of it.
pub fn look(session: &Session, tell: &Sender<Word>) -> Result<(), Failure> {
    let mut retry = Retry::new(session.flags.retry);
    let mut store = session.store.clone();
    let (mut due, mut seen_at) = (Instant::now(), String::new());
    let mut first = true;
    while first || is_awaited(session) {
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            store.interrupted.sleep(wait.min(TICK))?;
            continue;
        }
        let begun = Instant::now();
        due = begun + EVERY;
        retry.limit(&mut store);
        // What there is at the beginning is looked for anew.
        let seen = match first {
            true => names(&store).map(|names| (names, String::new())),
            false => lately(&store),
        };
        match seen {
            Ok((names, at)) => {
                retry.opened();
                retry.worked();
                let streams = names.into_iter().filter_map(wanted).collect();
                if first || seen_at != at {
                    // Whoever listened has ended, and so will this.
                    let _ = tell.send(Word::Seen(Seen { streams, first }));
                }
                (first, seen_at) = (false, at);
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

/// The streams as the store saw them last, and when that was: it does not look anew for everybody who asks.
fn lately(store: &Store) -> Result<(Vec<String>, String), Failure> {
    let activity = activity(store)?;
    let (Some(streams), Some(time)) = (activity["streams"].as_array(), activity["time"].as_str()) else {
        return Err(Failure::Foreign(
            "this is no store: its reply to GET /activity has no time or no streams".into(),
        ));
    };
    let names = streams.iter().filter_map(|stream| stream["id"].as_str());
    Ok((names.map(str::to_owned).collect(), time.to_owned()))
}

/// Those that `ptg-store doctor` makes for seconds are nobody's.
fn wanted(name: String) -> Option<StreamId> {
    StreamId::new(name).ok().filter(|name| !is_probe(name.as_str()))
}
