//! The threads that record, one a stream: they are started as streams come, and joined as they end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use ptg_store::recording::Writable;
use ptg_store::words::ids::StreamId;
use ptg_store::words::units::Span;

use super::super::counted;
use super::lookout::Seen;
use super::stream::{Counts, Recorded, Tape};
use super::{Session, lookout};
use crate::client::{Console, Failure, figures};

/// How often it is looked whether all are to end: their threads look up once a tick themselves.
const SHORT_TICK: Duration = Duration::from_millis(50);

/// How many words may wait to be heard.
const WORDS: usize = 64;

/// The most streams of `*`: half of the sockets that a store takes (`--max-sockets`), so that others find room, too.
const MOST_STREAMS: usize = 500;

/// A stream that was not there so many times when somebody looked is given up until it comes again: its thread ends.
const GONE: u32 = 3;

/// What a thread says.
pub enum Word {
    /// A sentence for the user.
    Say(String),
    /// There are these streams.
    Seen(Seen),
    /// It has ended: that of a stream, or the one that looks for streams.
    Ended(Option<StreamId>),
}

/// A stream that is recorded now.
struct Running<'scope> {
    thread: ScopedJoinHandle<'scope, (Recorded, Result<(), Failure>)>,
    counts: Arc<Counts>,
    /// It alone is to end.
    retired: Arc<AtomicBool>,
    /// How often it was not there.
    absent: u32,
}

/// Says that a thread has ended when it is dropped, so that nobody waits for one that panicked.
struct Farewell {
    tell: Sender<Word>,
    stream: Option<StreamId>,
}

/// Has all threads end when it is dropped: a scope waits for them also when its own thread panics.
struct Curfew<'a>(&'a Session<'a>);

/// What became of a recording.
pub struct Outcome {
    /// Why it ended early, if it did.
    pub done: Result<(), Failure>,
    /// What was recorded, by its stream.
    pub recorded: Vec<Recorded>,
    /// Whether some of all streams were left out.
    pub left_out: bool,
}

/// All threads.
struct Crew<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    session: &'env Session<'env>,
    folder: &'env mut Writable,
    console: &'env mut Console,
    /// The streams that were asked for by their names: one that fails is not left out.
    named: BTreeSet<StreamId>,
    running: BTreeMap<StreamId, Running<'scope>>,
    recorded: BTreeMap<StreamId, Recorded>,
    /// Those of all streams that failed, as long as they are there.
    failed: BTreeSet<StreamId>,
    /// Those that are too many, as long as they are there, and where each begins once there is room.
    waiting: BTreeMap<StreamId, Option<String>>,
    /// Whether one was ever left out.
    left_out: bool,
    done: Result<(), Failure>,
    tell: Sender<Word>,
}

/// Records until all have ended, one of them failed, or the user has had enough: the streams that were named, and if all are
/// wanted those that there are and those that come.
pub fn record<'env>(
    session: &'env Session<'env>,
    folder: &'env mut Writable,
    console: &'env mut Console,
    named: BTreeSet<StreamId>,
) -> Outcome {
    let (tell, words) = bounded(WORDS);
    thread::scope(|scope| {
        let _curfew = Curfew(session);
        let mut crew = Crew {
            scope,
            session,
            folder,
            console,
            named: named.clone(),
            running: BTreeMap::new(),
            recorded: BTreeMap::new(),
            failed: BTreeSet::new(),
            waiting: BTreeMap::new(),
            left_out: false,
            done: Ok(()),
            tell: tell.clone(),
        };
        for id in named {
            crew.start(id, Some(session.from.wire.clone()));
        }
        let mut lookout = None;
        if session.all {
            let look = move || {
                let farewell = Farewell { tell, stream: None };
                lookout::look(session, &farewell.tell)
            };
            let name = "record-lookout".to_owned();
            match thread::Builder::new().name(name).spawn_scoped(scope, look) {
                Ok(thread) => lookout = Some(thread),
                Err(error) => crew.fail(no_thread(&error)),
            }
        }
        crew.listen(words, &mut lookout);
        crew.console.clear();
        Outcome {
            done: crew.done,
            recorded: crew.recorded.into_values().collect(),
            left_out: crew.left_out,
        }
    })
}

impl<'scope> Crew<'scope, '_> {
    /// Hears what the threads say, until the last one has ended.
    fn listen(&mut self, words: Receiver<Word>, lookout: &mut Option<ScopedJoinHandle<'scope, Result<(), Failure>>>) {
        let begun = Instant::now();
        while !self.running.is_empty() || lookout.is_some() {
            match words.recv_timeout(SHORT_TICK) {
                Ok(Word::Say(sentence)) => self.console.say(&sentence),
                Ok(Word::Seen(Seen { streams, first: true })) => {
                    self.take(streams, Some(self.session.from.wire.clone()));
                }
                Ok(Word::Seen(Seen { streams, .. })) => {
                    self.give_up_gone(&streams);
                    self.take(streams, None);
                }
                Ok(Word::Ended(Some(id))) => self.end(&id),
                Ok(Word::Ended(None)) => match lookout.take().map(joined) {
                    Some(Err(failure)) if failure != Failure::Interrupted => self.fail(failure),
                    _ => {}
                },
                Err(_) => {}
            }
            let duration = self.session.flags.duration;
            let is_over = duration.is_some_and(|Span(time)| begun.elapsed() >= time);
            if is_over || self.session.interrupted.is_set() {
                self.session.store.interrupted.set();
            }
            let line = || progress(&self.running, &self.recorded, begun.elapsed());
            self.console.progress(line);
        }
    }

    /// Records those of all streams that are not recorded yet, from there on, or from their very first entry on.
    fn take(&mut self, streams: BTreeSet<StreamId>, from: Option<String>) {
        for id in streams {
            if self.session.store.interrupted.is_set() {
                return;
            }
            if self.running.contains_key(&id) || self.failed.contains(&id) {
                continue;
            }
            if self.running.len() < MOST_STREAMS {
                let from = match self.waiting.remove(&id) {
                    Some(from) => {
                        self.console.say(&format!("{id} is recorded now: there is room for it"));
                        from
                    }
                    None => from.clone(),
                };
                self.start(id, from);
                continue;
            }
            if !self.waiting.contains_key(&id) {
                self.console.complain(&format!(
                    "{id} is left out: more than {MOST_STREAMS} streams are not recorded at once, unless they are named"
                ));
                self.left_out = true;
                self.waiting.insert(id, from.clone());
            }
        }
    }

    /// Ends the threads of streams that have been gone for a while, and forgets those that are not recorded: there may be many
    /// of them.
    fn give_up_gone(&mut self, streams: &BTreeSet<StreamId>) {
        self.failed.retain(|id| streams.contains(id));
        self.waiting.retain(|id, _| streams.contains(id));
        for (id, running) in &mut self.running {
            running.absent = match streams.contains(id) || self.named.contains(id) {
                true => 0,
                false => running.absent + 1,
            };
            if running.absent >= GONE {
                running.retired.store(true, Relaxed);
            }
        }
    }

    /// Opens a stream's files, says where they are, and records it.
    fn start(&mut self, id: StreamId, from: Option<String>) {
        let before = self.recorded.remove(&id);
        let counts = before.map(|before| before.counts).unwrap_or_default();
        let opened = self.folder.writer(&id).map_err(Failure::Here);
        let (mut writer, torn) = match opened {
            Ok(opened) => opened,
            Err(failure) => return self.fail(failure),
        };
        if !torn.is_none() {
            self.console
                .say(&format!("{id}: {torn} at its end were torn, and are cut"));
        }
        if let Some(last) = writer.last() {
            let entries = counted(writer.entries(), "entry", "entries");
            self.console
                .say(&format!("{id}: goes on behind {last}, with {entries} so far"));
        }
        if self.session.flags.sync {
            writer.sync();
        }
        let retired = Arc::new(AtomicBool::new(false));
        let mut tape = Tape::new(id.clone(), from, writer, counts.clone(), retired.clone());
        let (session, tell) = (self.session, self.tell.clone());
        let run = move || {
            let stream = Some(tape.stream.clone());
            let farewell = Farewell { tell, stream };
            let done = tape.record(session, &farewell.tell);
            (tape.recorded(), done)
        };
        let name = format!("record-{}", self.running.len());
        match thread::Builder::new().name(name).spawn_scoped(self.scope, run) {
            Ok(thread) => {
                let running = Running {
                    thread,
                    counts,
                    retired,
                    absent: 0,
                };
                self.running.insert(id, running);
            }
            Err(error) => self.fail(no_thread(&error)),
        }
    }

    /// A stream's thread has ended.
    fn end(&mut self, id: &StreamId) {
        let Some(running) = self.running.remove(id) else { return };
        let (recorded, done) = joined(running.thread);
        self.recorded.insert(id.clone(), recorded);
        let Err(failure) = done else { return };
        if is_of_one_stream(&failure) && !self.named.contains(id) {
            self.console
                .complain(&format!("{id}: {failure}; it is left out, and the others go on"));
            self.left_out = true;
            self.failed.insert(id.clone());
            return;
        }
        self.console.say(&format!("{id}: it failed, which ends the recording"));
        self.fail(failure);
    }

    /// All are to end.
    fn fail(&mut self, failure: Failure) {
        self.session.store.interrupted.set();
        if self.done.is_ok() {
            self.done = Err(failure);
        }
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // Whoever listened has ended, and so will this.
        let _ = self.tell.send(Word::Ended(self.stream.take()));
    }
}

impl Drop for Curfew<'_> {
    fn drop(&mut self) {
        self.0.store.interrupted.set();
    }
}

/// Whether others need not fail in the same way: the store refuses this stream, because it is none or cannot be read.
fn is_of_one_stream(failure: &Failure) -> bool {
    match failure {
        Failure::Refused { status, .. } => !matches!(status, 401 | 403),
        Failure::Closed { .. } => !failure.is_passing(),
        _ => false,
    }
}

/// A panic in a thread is one here.
fn joined<T>(thread: ScopedJoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn no_thread(error: &std::io::Error) -> Failure {
    Failure::Here(format!("cannot start a thread for each stream: {error}"))
}

fn progress(running: &BTreeMap<StreamId, Running>, recorded: &BTreeMap<StreamId, Recorded>, time: Duration) -> String {
    let counts = running.values().map(|one| &one.counts);
    let counts: Vec<_> = counts.chain(recorded.values().map(|one| &one.counts)).collect();
    let sum = |what: fn(&Counts) -> &AtomicU64| counts.iter().map(|one| what(one).load(Relaxed)).sum::<u64>();
    format!(
        "{}, {}, {} in {}",
        counted(sum(|one| &one.entries), "entry", "entries"),
        figures::bytes(sum(|one| &one.bytes)),
        counted(sum(|one| &one.gaps), "gap", "gaps"),
        figures::time(time)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_says_that_it_has_ended() {
        let (tell, words) = bounded(1);
        let stream = StreamId::new("s").ok();
        let expected = stream.clone();
        let thread = thread::spawn(move || {
            let _farewell = Farewell { tell, stream };
            panic!("as it should");
        });
        assert!(matches!(words.recv(), Ok(Word::Ended(stream)) if stream == expected));
        assert!(thread.join().is_err());
    }
}
