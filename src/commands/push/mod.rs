//! `ptg-store push`: files, lines, pictures, or a folder as it grows, each an entry, and every one of them confirmed.

mod files;
mod folder;
mod inputs;
mod lines;
mod pictures;
mod summary;

use std::io::IsTerminal;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use argh::{ArgsInfo, FromArgs};
use ptg_store::words::ids::EntryId;
use ptg_store::words::units::{Size, Span};

use super::counted;
use crate::client::push::Stored;
use crate::client::{Batch, Console, Exit, Failure, Interrupted, Output, Patience, Push, Store, TICK, figures};
use files::Files;
use folder::Folder;
use lines::Lines;
use pictures::Pictures;
use summary::Summary;

/// Pushes each file as one entry into STREAM; without a FILE, or with - for one, standard input.
/// Ends when the store has confirmed every entry. When the connection breaks, it connects again and sends what was not
/// confirmed once more: every entry is stored at least once.
#[derive(FromArgs, ArgsInfo)]
struct Flags {
    /// the stream; it need not exist
    #[argh(positional)]
    stream: String,

    /// what to push; - is standard input
    #[argh(positional, arg_name = "file")]
    files: Vec<String>,

    /// every line is an entry, its line end left out, and is pushed as it comes
    #[argh(switch)]
    lines: bool,

    /// every JPEG is an entry: pictures one after the other, as ffmpeg -f mjpeg and cameras on the network send them
    #[argh(switch)]
    jpegs: bool,

    /// push every file of this folder once it is completely written, now and until Ctrl-C; not those whose name begins
    /// with a dot, and not what links point to
    #[argh(option)]
    watch: Option<PathBuf>,

    /// with --watch: leave out what is in the folder already
    #[argh(switch)]
    new_only: bool,

    /// with --watch: only files whose name ends so, such as .jpg
    #[argh(option)]
    suffix: Option<String>,

    /// with --watch: a file that has not changed for so long is completely written (default 1s). One that was renamed into
    /// the folder is as soon as two looks have found it the same
    #[argh(option, default = "Span(Duration::from_secs(1))")]
    settle: Span,

    /// print the id of every entry
    #[argh(switch)]
    print_ids: bool,

    /// largest entry that is read into memory (default 64MiB, as the store's --max-message)
    #[argh(option, default = "Size(64 << 20)")]
    max_entry: Size,

    /// for how long to try again while the store cannot be reached: 10s, 1h, forever; 0: never (default 60s)
    #[argh(option, default = "Patience::For(Duration::from_secs(60))")]
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

/// Where entries come from.
enum Source {
    Files(Files),
    Lines(Lines),
    Pictures(Pictures),
    Folder(Folder),
}

/// What a source has.
enum Next {
    /// Entries that are there at the same time.
    Batch(Batch),
    /// None for now.
    NotYet,
    /// None any more.
    End,
}

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("push", arguments, run)
}

fn run(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    super::stream_id(&flags.stream)?;
    let source = Source::of(&flags)?;
    let store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    let mut console = Console::new("push", flags.quiet);
    if flags.reads_the_terminal() {
        console.say("what you type is pushed; Ctrl-D ends it");
    }
    let pusher = Pusher {
        push: Push::new(&store, &flags.stream, &[], flags.retry),
        console,
        output: Output::stdout(interrupted)?,
        print_ids: flags.print_ids,
        watching: flags.watch.is_some(),
        stored: Summary::default(),
        begun: Instant::now(),
        store,
        stream: flags.stream,
    };
    pusher.run(source).map(|()| Exit::Done)
}

impl Source {
    fn of(flags: &Flags) -> Result<Source, Failure> {
        let usage = |sentence: &str| Err(Failure::Usage(sentence.into()));
        let of_folders = flags.new_only || flags.suffix.is_some();
        let path = |file: &String| PathBuf::from(if file == "-" { inputs::STDIN } else { file });
        let files = flags.files.iter().map(path).collect();
        match &flags.watch {
            _ if flags.lines && flags.jpegs => usage("--lines and --jpegs do not go together"),
            Some(_) if flags.lines || flags.jpegs || !flags.files.is_empty() => {
                usage("--watch goes neither with files nor with --lines or --jpegs")
            }
            Some(folder) => {
                let suffix = flags.suffix.clone().unwrap_or_default();
                Folder::new(folder, flags.new_only, suffix, flags.settle.0, flags.max_entry).map(Source::Folder)
            }
            None if of_folders => usage("--new-only and --suffix go with --watch"),
            None if flags.lines => Ok(Source::Lines(Lines::new(files, flags.max_entry))),
            None if flags.jpegs => Ok(Source::Pictures(Pictures::new(files, flags.max_entry))),
            None => Ok(Source::Files(Files::new(files, flags.max_entry))),
        }
    }

    fn next(&mut self, console: &mut Console) -> Result<Next, Failure> {
        match self {
            Source::Files(files) => files.next(),
            Source::Lines(lines) => lines.next(),
            Source::Pictures(pictures) => pictures.next(),
            Source::Folder(folder) => folder.next(console),
        }
    }

    /// What to wait for when there is nothing yet.
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Source::Files(files) => files.fd(),
            Source::Lines(lines) => lines.fd(),
            Source::Pictures(pictures) => pictures.fd(),
            Source::Folder(_) => None,
        }
    }

    /// How long to wait at most.
    fn patience(&self) -> Duration {
        match self {
            Source::Folder(folder) => folder.due_in().min(TICK),
            _ => TICK,
        }
    }
}

/// The push and what became of it.
struct Pusher {
    push: Push,
    console: Console,
    output: Output,
    print_ids: bool,
    /// Whether one entry that is too large is no reason to end.
    watching: bool,
    stored: Summary,
    begun: Instant,
    store: Store,
    stream: String,
}

impl Flags {
    /// Whether somebody sits there who may wonder why nothing happens.
    fn reads_the_terminal(&self) -> bool {
        self.files.is_empty()
            && self.watch.is_none()
            && std::io::stdin().is_terminal()
            && std::io::stderr().is_terminal()
    }
}

impl Pusher {
    /// Pushes everything. What the source had before it failed is stored all the same.
    fn run(mut self, mut source: Source) -> Result<(), Failure> {
        let mut ended = None;
        loop {
            if ended.is_none() {
                ended = self.take_from(&mut source);
            }
            if self.push.unacknowledged() == 0
                && let Some(ended) = ended
            {
                let stored = self.counted_stored();
                let closed = self.push.finish(|_, _| Ok(()));
                self.stored.say(&self.store, &self.stream, &mut self.console);
                // On a terminal the summary says it.
                if ended.is_err() && self.stored.entries > 0 && !self.console.is_watched() {
                    self.console.complain(&format!("{stored} stored"));
                }
                return ended.and(closed);
            }
            let reading = ended.is_none() && self.push.has_room();
            let beside = source.fd().filter(|_| reading);
            let wait = if reading { source.patience() } else { TICK };
            match self.push.step(wait, beside) {
                Ok(stored) => self.tell(stored)?,
                Err(failure) => self.refused(failure)?,
            }
        }
    }

    /// Takes what the source has, as far as there is room; how it ended, if it did.
    fn take_from(&mut self, source: &mut Source) -> Option<Result<(), Failure>> {
        while self.push.has_room() {
            match source.next(&mut self.console) {
                Ok(Next::Batch(batch)) => self.push.add(batch),
                Ok(Next::NotYet) => return None,
                Ok(Next::End) => return Some(Ok(())),
                Err(failure) => return Some(Err(failure)),
            }
        }
        None
    }

    /// How many entries are, as the beginning of a sentence.
    fn counted_stored(&self) -> String {
        counted(self.stored.entries, "entry is", "entries are")
    }

    /// Prints ids. That nobody reads them is no reason not to push.
    fn print(&mut self, ids: &[EntryId]) -> Result<(), Failure> {
        if !self.print_ids {
            return Ok(());
        }
        let lines = ids.iter().try_for_each(|id| self.output.line(&id.to_string()));
        match lines.and_then(|()| self.output.flush()) {
            Err(Failure::Unread) => self.print_ids = false,
            printed => printed?,
        }
        Ok(())
    }

    /// Tells how it goes.
    fn tell(&mut self, stored: Vec<Stored>) -> Result<(), Failure> {
        if let Some(notice) = self.push.take_notice() {
            self.console.say(&notice);
        }
        for Stored { batch, ids } in stored {
            self.stored.entries += ids.len() as u64;
            self.stored.bytes += batch.bytes.len() as u64;
            self.stored.last = ids.last().copied();
            self.print(&ids)?;
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        self.console.progress(|| {
            format!(
                "{} entries, {}, {}/s stored; {} under way",
                self.stored.entries,
                figures::bytes(self.stored.bytes),
                figures::bytes((self.stored.bytes as f64 / seconds) as u64),
                self.push.unacknowledged(),
            )
        });
        Ok(())
    }

    /// Entries that are too many or too large for this store together may still fit one by one. A file of a folder that is
    /// too large is left out, as it would be by `--max-entry`.
    fn refused(&mut self, failure: Failure) -> Result<(), Failure> {
        let too_large = failure.exit() == Exit::TooLarge;
        if too_large && let Some(entries) = self.push.oldest().and_then(Batch::split) {
            self.push.take_oldest();
            entries.into_iter().rev().for_each(|entry| self.push.put_first(entry));
            return Ok(());
        }
        if too_large
            && self.watching
            && let Some(batch) = self.push.take_oldest()
        {
            self.console
                .complain(&format!("{} is too large: {failure}; it is left out", batch.name));
            return Ok(());
        }
        if failure == Failure::Interrupted && self.stored.entries > 0 {
            self.stored.say(&self.store, &self.stream, &mut self.console);
        }
        if let Some(batch) = self.push.oldest() {
            let stored = self.counted_stored();
            let left = counted(self.push.unacknowledged() as u64, "is", "are");
            let first = match batch.name.as_str() {
                "" => format!("entry {}", self.stored.entries + 1),
                name => format!("entry {} ({name})", self.stored.entries + 1),
            };
            self.console
                .complain(&format!("{stored} stored; {left} not confirmed, from {first} on"));
        }
        Err(failure)
    }
}
