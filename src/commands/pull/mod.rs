//! `ptg-store pull`: a stream to standard output, or into files, for as long as the user likes.

mod folder;
mod json;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use argh::FromArgs;
use ptg_store::ids::EntryId;
use ptg_store::units::Span;

use crate::client::{Console, Entry, Exit, Failure, Interrupted, Output, Patience, Pull, Store, TICK, figures};
use folder::Folder;

/// How many entries one reply of the store may bring: catching up costs little then.
const COUNT: u64 = 1_000;

/// Pulls STREAM: what comes from now on, or from --from on, to standard output, one entry right after the other.
/// Goes on until Ctrl-C, or as far as --count, --until or --timeout say. When the connection breaks, it connects again and goes
/// on behind the last entry: none comes twice, and none that the stream still has is missed.
#[derive(FromArgs)]
struct Flags {
    /// the stream; one that does not exist yet is waited for
    #[argh(positional)]
    stream: String,

    /// where to begin: $ (only what comes from now on, the default), latest (the newest entry, then what follows), first, an entry
    /// id (what follows it), -30s, -5m, -2h, or a time such as 2026-11-25T10:00:00Z
    #[argh(option, default = "String::from(\"$\")")]
    from: String,

    /// where to end: an entry id or a time, as with --from
    #[argh(option)]
    until: Option<String>,

    /// end after so many entries
    #[argh(option)]
    count: Option<u64>,

    /// end when nothing has come for so long; with exit code 5 if nothing came at all
    #[argh(option)]
    timeout: Option<Span>,

    /// skip to the newest entry whenever there are several
    #[argh(switch)]
    newest: bool,

    /// at most so many entries a second
    #[argh(option)]
    max_rate: Option<f64>,

    /// put a line end after every entry
    #[argh(switch)]
    lines: bool,

    /// print one JSON object a line: stream, id, time, size and data
    #[argh(switch)]
    json: bool,

    /// write every entry into a file of its own in this folder, named by its id
    #[argh(option)]
    out: Option<PathBuf>,

    /// with --out: what the names end with (default: by the content .jpg, .png, .gif, .webp, .wav, .json, .txt or .bin)
    #[argh(option)]
    suffix: Option<String>,

    /// for how long to try again while the store cannot be reached (default forever; 0: never)
    #[argh(option, default = "Patience::Forever")]
    retry: Patience,

    /// no progress, and no words about lost connections
    #[argh(switch)]
    quiet: bool,

    /// the store. Default: the environment's PTG_STORE_URL; else http://127.0.0.1:7890
    #[argh(option)]
    url: Option<String>,

    /// token for the store. Default: the environment's PTG_STORE_TOKEN; else that of ptg-store login
    #[argh(option)]
    token: Option<String>,
}

/// Where entries go.
enum Sink {
    /// As they are, each followed by this.
    Plain(&'static [u8]),
    Json(String),
    Folder(Folder),
}

/// What came so far.
struct Received {
    entries: u64,
    bytes: u64,
    last: Option<EntryId>,
    begun: Instant,
    /// When something came last.
    moved: Instant,
}

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("pull", arguments, run)
}

fn run(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    let mut sink = Sink::of(&flags)?;
    let store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    if flags.count == Some(0) {
        return Ok(Exit::Done);
    }
    let mut pull = Pull::new(&store, &flags.stream, &flags.from, parameters(&flags), flags.retry);
    let mut output = Output::stdout(interrupted)?;
    // On one terminal, entries and progress would be in each other's way.
    let shown = matches!(sink, Sink::Folder(_)) || !std::io::stdout().is_terminal();
    let mut console = Console::new("pull", flags.quiet);
    let mut received = Received::nothing();
    let ended = receive(
        &flags,
        &mut pull,
        &mut sink,
        &mut output,
        &mut received,
        &mut |pull, received| {
            if let Some(notice) = pull.take_notice() {
                console.say(&notice);
            }
            if shown {
                console.progress(|| received.progress());
            }
        },
    );
    // What has come is written, however it ended.
    let ended = output.flush().and(ended);
    match ended {
        Ok(()) => {}
        Err(failure) if failure.is_end() => {}
        Err(failure) => {
            if let Some(last) = received.last.filter(|_| failure != Failure::Unread) {
                console.clear();
                console.say(&format!("the last entry is {last}; --from {last} goes on behind it"));
            }
            return Err(failure);
        }
    }
    match flags.timeout {
        Some(timeout) if received.entries == 0 => Err(Failure::Nothing(format!("nothing came for {timeout}"))),
        _ => Ok(Exit::Done),
    }
}

/// Pulls until it is enough; a failure of which `is_end` holds is enough, too.
fn receive(
    flags: &Flags,
    pull: &mut Pull,
    sink: &mut Sink,
    output: &mut Output,
    received: &mut Received,
    tell: &mut dyn FnMut(&mut Pull, &Received),
) -> Result<(), Failure> {
    loop {
        let entry = match pull.next(Duration::ZERO)? {
            Some(entry) => Some(entry),
            None => {
                output.flush()?;
                tell(pull, received);
                pull.next(flags.timeout.map_or(TICK, |Span(timeout)| timeout.min(TICK)))?
            }
        };
        match entry {
            Some(entry) => {
                sink.take(&entry, output)?;
                received.add(&entry);
                if flags.count.is_some_and(|count| received.entries >= count) {
                    return Ok(());
                }
                if received.entries.is_multiple_of(COUNT) {
                    tell(pull, received);
                }
            }
            None => {
                output.check_read()?;
                // The store keeps the same time, but cannot while it is out of reach.
                if flags
                    .timeout
                    .is_some_and(|Span(timeout)| received.moved.elapsed() >= timeout)
                {
                    return Ok(());
                }
            }
        }
    }
}

/// What the store is asked for besides the beginning.
fn parameters(flags: &Flags) -> Vec<(String, String)> {
    let slow = flags.newest || flags.max_rate.is_some();
    // A reply with more entries than are wanted, or wanted at once, would make them wait for each other.
    let count = if slow {
        1
    } else {
        flags.count.unwrap_or(COUNT).min(COUNT)
    };
    let mut parameters = vec![("count", count.to_string())];
    parameters.extend(flags.until.clone().map(|until| ("until", until)));
    parameters.extend(
        flags
            .timeout
            .map(|Span(timeout)| ("timeout", timeout.as_millis().max(1).to_string())),
    );
    parameters.extend(flags.newest.then(|| ("newest", "true".to_string())));
    parameters.extend(flags.max_rate.map(|rate| ("max_rate", rate.to_string())));
    parameters
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

impl Sink {
    fn of(flags: &Flags) -> Result<Sink, Failure> {
        let usage = |sentence: &str| Err(Failure::Usage(sentence.into()));
        if flags.max_rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return usage("--max-rate must be more than 0");
        }
        match (&flags.out, flags.lines, flags.json) {
            (None, ..) if flags.suffix.is_some() => usage("--suffix goes with --out"),
            (Some(folder), false, false) => Folder::new(folder, flags.suffix.clone()).map(Sink::Folder),
            (None, false, false) => Ok(Sink::Plain(b"")),
            (None, true, false) => Ok(Sink::Plain(b"\n")),
            (None, false, true) => Ok(Sink::Json(flags.stream.clone())),
            _ => usage("only one of --lines, --json and --out can be had"),
        }
    }

    fn take(&mut self, entry: &Entry, output: &mut Output) -> Result<(), Failure> {
        match self {
            Sink::Plain(end) => {
                output.write(&entry.bytes)?;
                output.write(end)
            }
            Sink::Json(stream) => output.line(&json::line(stream, entry)),
            Sink::Folder(folder) => folder.write(entry),
        }
    }
}

impl Received {
    fn nothing() -> Received {
        Received {
            entries: 0,
            bytes: 0,
            last: None,
            begun: Instant::now(),
            moved: Instant::now(),
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.entries += 1;
        self.bytes += entry.bytes.len() as u64;
        self.moved = Instant::now();
        self.last = Some(entry.id);
    }

    fn progress(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        let behind = self.last.map_or(String::new(), |last| {
            // Against the clock of this machine, which may not be the store's.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let age = now.saturating_sub(Duration::from_millis(last.ms));
            format!("; the last one {} old", figures::time(age))
        });
        format!(
            "{} entries, {}; {}/s, {}/s{behind}",
            self.entries,
            figures::bytes(self.bytes as f64),
            figures::short(self.entries as f64 / seconds),
            figures::bytes(self.bytes as f64 / seconds),
        )
    }
}
