//! `ptg-store record`: streams into a folder, each by a thread and a pull of its own.

mod stream;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use argh::{ArgsInfo, FromArgs};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use ptg_store::cursor::{Cursor, Until};
use ptg_store::ids::StreamId;
use ptg_store::recording::Writable;
use ptg_store::units::Span;

use super::{counted, say_result, stream_id};
use crate::client::{Console, Exit, Failure, Interrupted, Patience, Store, TICK, figures};
use stream::Tape;

/// How many sentences may wait to be shown.
const SENTENCES: usize = 64;

/// Records streams into a folder, until Ctrl-C. Where the folder has a recording of a stream, it goes on behind its last entry.
/// docs/recording.md describes the folder.
#[derive(FromArgs, ArgsInfo, Debug)]
pub struct Flags {
    /// the streams
    #[argh(positional, arg_name = "stream")]
    streams: Vec<String>,

    /// the folder; it is made if there is none
    #[argh(option)]
    out: PathBuf,

    /// where a stream begins that the recording does not have yet: $ (now, the default), first, an entry id, …
    #[argh(option, default = "String::from(\"$\")")]
    from: String,

    /// end with the last entry up to this: an entry id, a time, latest, …
    #[argh(option)]
    until: Option<String>,

    /// end after so long: 90s, 10m, 2h
    #[argh(option)]
    duration: Option<Span>,

    /// have everything on the disk before going on: a power loss costs one reply at most. Slow
    #[argh(switch)]
    sync: bool,

    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    url: Option<String>,

    /// token for the store (default: the environment's PTG_STORE_TOKEN if it is for this store, else that of ptg-store login)
    #[argh(option)]
    token: Option<String>,

    /// for how long to try again while the store cannot be reached: 10s, 1h, forever; 0: never (default forever)
    #[argh(option, default = "Patience::Forever")]
    retry: Patience,

    /// say nothing but what went wrong
    #[argh(switch)]
    quiet: bool,
}

/// What the threads share.
struct Session<'a> {
    store: &'a Store,
    flags: &'a Flags,
    /// All are to end.
    ended: AtomicBool,
}

/// What was recorded of a stream in this session.
#[derive(Default)]
struct Counts {
    entries: AtomicU64,
    bytes: AtomicU64,
    gaps: AtomicU64,
}

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("record", arguments, record)
}

fn record(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    let streams = streams(&flags.streams)?;
    check_places(&flags)?;
    let store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    let mut console = Console::new("record", flags.quiet);
    let mut folder = Writable::open(&flags.out, &store.url()).map_err(Failure::Here)?;
    if folder.about().store != store.url() {
        let begun = &folder.about().store;
        console.say(&format!(
            "this recording was begun from {begun}, not from {}",
            store.url()
        ));
    }
    let mut tapes = Vec::new();
    for id in streams {
        tapes.push(open(id, &mut folder, &flags, &mut console)?);
    }
    let session = Session {
        store: &store,
        flags: &flags,
        ended: AtomicBool::new(false),
    };
    let done = record_all(&mut tapes, &session, &mut console);
    let told = match flags.quiet {
        true => Ok(()),
        false => tapes.iter().try_for_each(|tape| say_result(&tape.summary())),
    };
    done.and(told).map(|()| Exit::Done)
}

/// The streams that were asked for, each once.
fn streams(names: &[String]) -> Result<BTreeSet<StreamId>, Failure> {
    let streams = names.iter().map(|name| stream_id(name));
    let streams: BTreeSet<StreamId> = streams.collect::<Result<_, _>>()?;
    if streams.is_empty() {
        return Err(Failure::Usage("name at least one stream".into()));
    }
    Ok(streams)
}

/// Refuses places that are none, before anything is made.
fn check_places(flags: &Flags) -> Result<(), Failure> {
    let wrong = |flag: &str, text: &str, fault: String| Failure::Usage(format!("{flag} {text}: {fault}"));
    let from: Result<Cursor, String> = flags.from.parse();
    from.map_err(|fault| wrong("--from", &flags.from, fault))?;
    let Some(text) = &flags.until else { return Ok(()) };
    let until: Result<Until, String> = text.parse();
    until.map(drop).map_err(|fault| wrong("--until", text, fault))
}

/// Opens a stream's files, and says where they are.
fn open(id: StreamId, folder: &mut Writable, flags: &Flags, console: &mut Console) -> Result<Tape, Failure> {
    let (mut writer, torn) = folder.writer(&id).map_err(Failure::Here)?;
    if !torn.is_none() {
        console.say(&format!("{id}: {torn} at its end were torn, and are cut"));
    }
    if let Some(last) = writer.last() {
        let entries = counted(writer.entries(), "entry", "entries");
        console.say(&format!("{id}: goes on behind {last}, with {entries} so far"));
    }
    if flags.sync {
        writer.sync();
    }
    Ok(Tape::new(id, writer))
}

/// Records until all have ended, one of them failed, or the user has had enough.
fn record_all(tapes: &mut [Tape], session: &Session, console: &mut Console) -> Result<(), Failure> {
    let begun = Instant::now();
    let (say, said) = bounded::<String>(SENTENCES);
    let counts: Vec<_> = tapes.iter().map(|tape| tape.counts.clone()).collect();
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (number, tape) in tapes.iter_mut().enumerate() {
            let say: Sender<String> = say.clone();
            let run = move || {
                let done = tape.record(session, &say);
                if done.is_err() {
                    session.ended.store(true, Relaxed);
                    let _ = say.send(format!("{}: it failed, which ends the recording", tape.stream));
                }
                done
            };
            let thread = thread::Builder::new()
                .name(format!("record-{number}"))
                .spawn_scoped(scope, run);
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    session.ended.store(true, Relaxed);
                    return Err(Failure::Here(format!("cannot start a thread for each stream: {error}")));
                }
            }
        }
        drop(say);
        loop {
            match said.recv_timeout(TICK) {
                Ok(sentence) => console.say(&sentence),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if session.flags.duration.is_some_and(|Span(time)| begun.elapsed() >= time) {
                session.ended.store(true, Relaxed);
            }
            console.progress(|| progress(&counts, begun.elapsed()));
        }
        console.clear();
        let done = threads.into_iter().map(|thread| thread.join());
        // A panic in a thread is one here.
        done.map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .fold(Ok(()), Result::and)
    })
}

fn progress(counts: &[Arc<Counts>], time: Duration) -> String {
    let sum = |what: fn(&Counts) -> &AtomicU64| counts.iter().map(|one| what(one).load(Relaxed)).sum::<u64>();
    format!(
        "{}, {}, {} in {}",
        counted(sum(|one| &one.entries), "entry", "entries"),
        figures::bytes(sum(|one| &one.bytes)),
        counted(sum(|one| &one.gaps), "gap", "gaps"),
        figures::time(time)
    )
}
