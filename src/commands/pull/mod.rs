//! `ptg-store pull`: a stream to standard output, or into files, for as long as the user likes.

mod folder;
mod received;
mod sink;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};
use ptg_store::words::units::Span;

use crate::client::typed::{self, Typed};
use crate::client::{Console, Exit, Failure, Gap, Interrupted, Missing, Output, Patience, Pull, Store, TICK};
use received::Received;
use sink::Sink;

/// How many entries one reply of the store may bring: catching up costs little then.
const COUNT: u64 = 1_000;

/// What stands for all streams where a command takes several.
const ALL: &str = "*";

/// How long nothing comes before that is worth a word.
const SILENCE: Duration = Duration::from_secs(1);

/// Pulls STREAM: what comes from now on, or from --from on, to standard output, one entry right after the other.
/// Goes on until Ctrl-C, or as far as --count, --until or --timeout say. When the connection breaks, it connects again and goes
/// on behind the last entry: none comes twice, and none that the stream still has is missed.
#[derive(FromArgs, ArgsInfo)]
struct Flags {
    /// the stream; one that does not exist yet is waited for
    #[argh(positional)]
    stream: String,

    /// words that are one too many: they are told what takes them
    #[argh(positional, hidden_help)]
    more: Vec<String>,

    /// where to begin: $ (only what comes from now on, the default), latest (the newest entry, then what follows), first, an entry
    /// id (what follows it), -30s, -2h, -1w, or a time: 2026-11-25T10:00:00Z, or by this machine's clock 10:00,
    /// '2026-11-25 10:00', 2026-11-25
    #[argh(option, default = "String::from(\"$\")")]
    from: String,

    /// where to end: latest (the newest entry when it begins), an entry id or a time, as with --from; a time may lie ahead
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

    /// for how long to try again while the store cannot be reached: 10s, 1h, forever; 0: never (default forever)
    #[argh(option, default = "Patience::Forever")]
    retry: Patience,

    /// say nothing but what went wrong
    #[argh(switch)]
    quiet: bool,

    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    url: Option<String>,

    /// token for the store (default: the environment's PTG_STORE_TOKEN if it is for this store, else that of ptg-store login)
    #[argh(option)]
    token: Option<String>,
}

/// A pull, where its entries go, and what came so far.
struct Puller {
    flags: Flags,
    store: Store,
    pull: Pull,
    sink: Sink,
    output: Output,
    console: Console,
    received: Received,
    /// Whether it ends at a moment that was over when it began.
    ends_in_the_past: bool,
    /// Whether there is a word to say about waiting, should it take long.
    to_tell: bool,
}

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("pull", arguments, run)
}

fn run(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    if let Some(word) = flags.more.first() {
        return Err(Failure::Usage(format!(
            "{word}: pull takes one stream; ptg-store record takes several"
        )));
    }
    let stream = super::stream_id(&flags.stream)?;
    if flags.max_rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err(Failure::Usage("--max-rate must be more than 0".into()));
    }
    let from = typed::from(&flags.from)?;
    let until = flags.until.as_deref().map(typed::until).transpose()?;
    let sink = Sink::of(&flags, stream)?;
    let store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    if flags.count == Some(0) {
        return Ok(Exit::Done);
    }
    let mut console = Console::new("pull", flags.quiet);
    from.tell("--from", &flags.from, &mut console);
    if let (Some(place), Some(text)) = (&until, &flags.until) {
        place.tell("--until", text, &mut console);
    }
    typed::tell_order(&from, until.as_ref(), &mut console);
    let ends_in_the_past = until
        .as_ref()
        .is_some_and(|until| until.is_past() && !until.is_before(&from));
    let parameters = parameters(&flags, until);
    let mut pull = Pull::new(&store, &flags.stream, &from.wire, parameters, flags.retry);
    if let Some(Span(timeout)) = flags.timeout {
        pull.shorten_attempts(timeout);
    }
    let puller = Puller {
        pull,
        sink,
        output: Output::stdout(interrupted)?,
        ends_in_the_past,
        to_tell: console.is_watched(),
        console,
        received: Received::nothing(),
        store,
        flags,
    };
    puller.run()
}

impl Puller {
    fn run(mut self) -> Result<Exit, Failure> {
        let mut ended = self.receive();
        while let Some(gap) = ended.as_ref().err().and_then(Gap::of) {
            ended = self.pass(&gap).and_then(|()| self.receive());
        }
        // What has come is written, however it ended.
        let ended = self.output.flush().and(ended);
        if let Err(failure) = ended
            && !failure.is_end()
        {
            // What standard output did not take is not behind us.
            let is_kept = match failure {
                Failure::Unread => false,
                Failure::Here(_) => self.sink.is_folder(),
                _ => true,
            };
            if let Some(last) = self.received.last.filter(|_| is_kept) {
                self.console
                    .say(&format!("the last entry is {last}; --from {last} goes on behind it"));
            }
            return Err(failure);
        }
        self.tell_of_nothing("");
        if let Some(until) = self
            .flags
            .until
            .as_deref()
            .filter(|_| self.ends_in_the_past && self.received.entries == 0)
        {
            let (stream, from) = (&self.flags.stream, &self.flags.from);
            self.console
                .say(&format!("'{stream}' has no entry from {from} up to {until}"));
        }
        match self.flags.timeout {
            // Else it was --until that ended it.
            Some(timeout) if self.received.entries == 0 && self.received.silent_for() >= timeout.0 => {
                Err(Failure::Nothing(format!("nothing came for {timeout}")))
            }
            _ => Ok(Exit::Done),
        }
    }

    /// Pulls until it is enough. A failure of which `is_end` holds is enough, too.
    fn receive(&mut self) -> Result<(), Failure> {
        let patience = self.flags.timeout.map(|Span(timeout)| timeout);
        loop {
            let mut entry = self.pull.next(Duration::ZERO)?;
            if entry.is_none() {
                self.output.flush()?;
                self.tell();
                entry = self.pull.next(patience.map_or(TICK, |patience| patience.min(TICK)))?;
            }
            let Some(entry) = entry else {
                self.output.check_read()?;
                self.tell_of_waiting();
                // The store keeps the same time, but cannot while it is out of reach.
                if patience.is_some_and(|patience| self.received.silent_for() >= patience) {
                    return Ok(());
                }
                continue;
            };
            self.sink.take(&entry, &mut self.output)?;
            self.received.add(&entry);
            if self.flags.count.is_some_and(|count| self.received.entries >= count) {
                return Ok(());
            }
            if self.received.entries.is_multiple_of(COUNT) {
                self.tell();
            }
        }
    }

    /// Says that entries are missing, and goes on behind them.
    fn pass(&mut self, gap: &Gap) -> Result<(), Failure> {
        self.console.complain(&format!("{gap}; what follows is pulled"));
        self.sink.miss(gap, &mut self.output)?;
        self.pull.pass(gap);
        Ok(())
    }

    /// Says, once, that there is nothing to pull yet: the name may be mistyped.
    fn tell_of_waiting(&mut self) {
        if self.received.silent_for() >= SILENCE {
            self.tell_of_nothing(" yet; waiting");
        }
    }

    /// Says, once, that there is no such stream, or nothing in it.
    fn tell_of_nothing(&mut self, end: &str) {
        if !std::mem::take(&mut self.to_tell) || self.received.entries > 0 {
            return;
        }
        let stream = &self.flags.stream;
        // A store that does not answer is told of elsewhere.
        let said = match Missing::of(&self.store, stream) {
            Ok(Some(_)) if stream == ALL => {
                format!("there is no stream '{ALL}'{end}; pull takes one stream: ptg-store record '{ALL}' records all")
            }
            Ok(Some(missing)) => format!("there is no stream '{stream}'{end}{}", missing.hint(false)),
            Ok(None) if self.pull.stream_is_empty() == Ok(true) => format!("nothing in '{stream}'{end}"),
            _ => return,
        };
        self.console.say(&said);
    }

    /// Tells how it goes.
    fn tell(&mut self) {
        if let Some(notice) = self.pull.take_notice() {
            self.console.say(&notice);
        }
        // On one terminal, entries and progress would be in each other's way.
        if self.sink.is_folder() || !std::io::stdout().is_terminal() {
            self.console.progress(|| self.received.progress());
        }
    }
}

/// What the store is asked for besides the beginning.
fn parameters(flags: &Flags, until: Option<Typed>) -> Vec<(String, String)> {
    // A reply of several would make entries wait for each other when they are to come one by one.
    let one_by_one = flags.newest || flags.max_rate.is_some();
    let count = if one_by_one {
        1
    } else {
        flags.count.unwrap_or(COUNT).min(COUNT)
    };
    let mut parameters = vec![("count", count.to_string())];
    match flags.newest {
        // Each is asked for, so that none waits in the network until it is old.
        true => parameters.extend([("newest", "true".into()), ("ack", "true".into())]),
        false => parameters.push(("on_gap", "close".into())),
    }
    parameters.extend(until.map(|until| ("until", until.wire)));
    let timeout = flags.timeout.map(|Span(timeout)| timeout.as_millis().max(1));
    parameters.extend(timeout.map(|timeout| ("timeout", timeout.to_string())));
    parameters.extend(flags.max_rate.map(|rate| ("max_rate", rate.to_string())));
    let owned = parameters.into_iter().map(|(name, value)| (name.to_owned(), value));
    owned.collect()
}
