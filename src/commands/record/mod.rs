//! `ptg-store record`: streams into a folder, each by a thread and a pull of its own.

mod crew;
mod lookout;
mod stream;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};
use ptg_store::recording::Writable;
use ptg_store::words::ids::StreamId;
use ptg_store::words::units::Span;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{say_result, stream_id};
use crate::client::typed::{self, Typed};
use crate::client::{Console, Exit, Failure, Interrupted, Patience, Store, names};
use stream::Recorded;

/// The name that stands for all streams.
const ALL: &str = "*";

/// Records streams into a folder, until Ctrl-C. Where the folder has a recording of a stream, it goes on behind its last entry.
/// docs/recording.md describes the folder.
#[derive(FromArgs, ArgsInfo, Debug)]
pub struct Flags {
    /// the streams; '*' is all that there are, and those that come: these from their first entry on
    #[argh(positional, arg_name = "stream")]
    streams: Vec<String>,

    /// the folder; it is made if there is none
    #[argh(option)]
    out: PathBuf,

    /// where a stream begins that the recording does not have yet: $ (now, the default), first, an entry id, -5m, -1w, or a
    /// time: 2026-11-25T10:00:00Z, or by this machine's clock 10:00, '2026-11-25 10:00', 2026-11-25
    #[argh(option, default = "String::from(\"$\")")]
    from: String,

    /// end with the last entry up to this: latest, an entry id, or a time, as with --from, which may lie ahead
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

/// How long the store may take to say at the end which streams there are: nobody waits longer for that after Ctrl-C.
const HURRY: Duration = Duration::from_secs(1);

/// What the threads share.
struct Session<'a> {
    /// It is interrupted when all are to end: whatever a thread waits for then, it waits no longer.
    store: Store,
    flags: &'a Flags,
    from: &'a Typed,
    until: Option<&'a Typed>,
    /// Whether all streams are wanted.
    all: bool,
    /// Whether the user has had enough.
    interrupted: &'a Interrupted,
}

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("record", arguments, record)
}

fn record(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    let (named, all) = streams(&flags.streams)?;
    // Before anything is made.
    let from = typed::from(&flags.from)?;
    let until = flags.until.as_deref().map(typed::until).transpose()?;
    let mut store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    store.interrupted = Interrupted::default();
    let mut console = Console::new("record", flags.quiet);
    from.tell("--from", &flags.from, &mut console);
    if let (Some(place), Some(text)) = (&until, &flags.until) {
        place.tell("--until", text, &mut console);
    }
    typed::tell_order(&from, until.as_ref(), &mut console);
    let mut folder = Writable::open(&flags.out, &store.url()).map_err(Failure::Here)?;
    if folder.about().store != store.url() {
        let begun = &folder.about().store;
        console.say(&format!(
            "this recording was begun from {begun}, not from {}",
            store.url()
        ));
    }
    raise_open_files();
    let session = Session {
        store,
        flags: &flags,
        from: &from,
        until: until.as_ref(),
        all,
        interrupted,
    };
    let outcome = crew::record(&session, &mut folder, &mut console, named);
    let told = match flags.quiet {
        true => Ok(()),
        false => {
            let names = names_if_missing(&session.store, &outcome.recorded);
            let mut recorded = outcome.recorded.iter();
            recorded.try_for_each(|one| say_result(&one.summary(&names)))
        }
    };
    outcome.done.and(told)?;
    Ok(if outcome.left_out { Exit::Failed } else { Exit::Done })
}

/// The names of all streams, if one of which nothing is recorded may not be there; none if the store does not say them in time.
fn names_if_missing(store: &Store, recorded: &[Recorded]) -> Option<Vec<String>> {
    if !recorded.iter().any(Recorded::is_empty) {
        return None;
    }
    let mut store = store.clone();
    (store.interrupted, store.patience) = (Interrupted::default(), HURRY);
    names(&store).ok()
}

/// The streams that were asked for by their names, each once, and whether all are.
fn streams(names: &[String]) -> Result<(BTreeSet<StreamId>, bool), Failure> {
    let named = names.iter().filter(|name| *name != ALL).map(|name| stream_id(name));
    let named: BTreeSet<StreamId> = named.collect::<Result<_, _>>()?;
    let all = names.iter().any(|name| name == ALL);
    if named.is_empty() && !all {
        return Err(Failure::Usage(
            "name at least one stream; '*' is all of them (in quotes, or the shell names its files)".into(),
        ));
    }
    Ok((named, all))
}

/// Each stream takes a socket and two files. Where no more are granted, the first that fails says so.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
}
