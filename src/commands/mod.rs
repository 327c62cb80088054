//! The commands that make the binary a client of a store, and how each begins and ends.

pub mod bench;
mod delete;
mod describe;
pub mod doctor;
mod login;
mod pull;
mod push;
mod record;
mod replay;
mod streams;
mod terminal;
mod token;

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use ptg_store::words::ids::StreamId;
use ptg_store::words::nearest::nearest;
use ptg_store::words::visible;

use crate::arguments::help::{self, Row};
use crate::arguments::{self, Stop};
use crate::client::{Console, Exit, Failure, Interrupted, unwritable};

/// A command of the binary.
pub struct Command {
    /// Its name, the first word behind `ptg-store`.
    name: &'static str,
    /// What it does, for the help.
    about: &'static str,
    /// Runs it with the arguments behind its name.
    pub main: fn(&[&str]) -> ExitCode,
}

/// Every command there is.
#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    Command { name: "login",   about: "signs in to a store and keeps the token",                   main: login::main },
    Command { name: "token",   about: "prints the token, for curl and other programs",              main: token::main },
    Command { name: "streams", about: "lists the streams of a store",                              main: streams::main },
    Command { name: "describe", about: "shows a stream, or changes its description and max_len",   main: describe::main },
    Command { name: "delete",  about: "deletes streams: entries and descriptions",                 main: delete::main },
    Command { name: "push",    about: "pushes files, lines or a folder as it grows into a stream", main: push::main },
    Command { name: "pull",    about: "pulls a stream to standard output or into files",           main: pull::main },
    Command { name: "record",  about: "records streams into a folder",                             main: record::main },
    Command { name: "replay",  about: "pushes a recording back, as it came or faster",             main: replay::main },
    Command { name: "bench",   about: "measures a running store beside its Redis",                 main: bench::main },
    Command { name: "doctor",  about: "looks for what is wrong, and says what mends it",           main: doctor::main },
];

/// Words that other programs have for some of this, and what it is here.
const OTHER_WORDS: &[(&[&str], &str)] = &[
    (
        &["serve", "server", "start", "run"],
        "ptg-store without a command is the store",
    ),
    (&["ls", "list"], "ptg-store streams lists the streams"),
    (&["rm", "del", "remove"], "ptg-store delete deletes streams"),
    (&["get", "cat", "tail", "read"], "ptg-store pull pulls a stream"),
    (&["put", "add", "send", "write"], "ptg-store push pushes into a stream"),
    (&["logout"], "ptg-store login --logout does that"),
    (&["version"], "ptg-store --version prints the version"),
];

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Says that there is no command of this name, and which was meant.
pub fn unknown(name: &str) -> ExitCode {
    let meant = nearest(name, COMMANDS.iter().map(|command| command.name));
    let other = || OTHER_WORDS.iter().find(|(words, _)| words.contains(&name));
    let hint = match meant {
        Some(meant) => format!("did you mean ptg-store {meant}? "),
        None => other().map_or(String::new(), |(_, meant)| format!("{meant}; ")),
    };
    let name = visible::line(name);
    complain(&format!(
        "there is no command '{name}'; {hint}ptg-store --help lists them"
    ));
    Exit::Usage.into()
}

/// All of them, as the help shows them.
pub fn list(width: usize) -> String {
    let row = |command: &Command| (command.name.to_owned(), command.about.to_owned());
    let rows: Vec<Row> = COMMANDS.iter().map(row).collect();
    format!("Commands, to use a store that runs:\n{}", help::table(&rows, width))
}

/// Prints a text that was asked for; the code to end with. Whoever has read enough of it misses nothing.
pub fn print(text: &str) -> Exit {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("cannot print: {error}"));
            Exit::Failed
        }
        _ => Exit::Done,
    }
}

/// Says a sentence on standard error. Where nobody listens, nothing can be said.
pub fn complain(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "ptg-store: {sentence}");
}

/// A stream's name, checked here so that a bad one costs no connection.
fn stream_id(name: &str) -> Result<StreamId, Failure> {
    StreamId::new(name).map_err(|fault| Failure::Usage(format!("{name:?}: {fault}")))
}

/// Runs a command: parses its flags, lets Ctrl-C interrupt it, says why it failed.
pub fn run<F: FromArgs + ArgsInfo>(
    name: &'static str,
    arguments: &[&str],
    work: impl FnOnce(F, &Interrupted) -> Result<Exit, Failure>,
) -> ExitCode {
    let mut console = Console::new(name, false);
    let flags = match arguments::of_command::<F>(name, arguments) {
        Ok(flags) => flags,
        Err(stop) => {
            return stopped(stop, |sentence| console.complain_in_lines(sentence)).into();
        }
    };
    let done = Interrupted::on_signals().and_then(|interrupted| work(flags, &interrupted));
    let failure = match done {
        Ok(exit) => return exit.into(),
        Err(failure) => failure,
    };
    if failure.exit() != Exit::Done {
        console.complain(&failure.to_string());
    }
    failure.exit().into()
}

/// Prints what was asked for instead, or complains; the code to end with.
pub fn stopped(stop: Stop, complain: impl FnOnce(&str)) -> Exit {
    match stop {
        Stop::Help(text) => print(&text),
        Stop::Version => print(concat!("ptg-store ", env!("CARGO_PKG_VERSION"))),
        Stop::Wrong(sentence) => {
            complain(&sentence);
            Exit::Usage
        }
    }
}

/// Prints a line of the result. Whoever has read enough of it misses nothing.
fn say_result(line: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    let printed = match stdout.is_terminal() {
        true => writeln!(stdout, "{}", visible::line(line)),
        false => writeln!(stdout, "{line}"),
    };
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritable(&error)),
        _ => Ok(()),
    }
}

/// A number and its noun: `1 entry`, `2 entries`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
