//! The commands that make the binary a client of a store, and how each begins and ends.

mod delete;
mod describe;
mod login;
mod pull;
mod push;
mod record;
mod replay;
mod streams;
mod terminal;

use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use argh::FromArgs;
use ptg_store::ids::StreamId;
use ptg_store::visible;

use crate::bench;
use crate::client::{Console, Exit, Failure, Interrupted, unwritable};
use crate::doctor;

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

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// Says that there is no command of this name.
pub fn unknown(name: &str) -> ExitCode {
    let name = visible::line(name);
    complain(&format!("there is no command '{name}'; ptg-store --help lists them"));
    Exit::Usage.into()
}

/// All of them, as the help shows them.
pub fn list() -> String {
    let line = |command: &Command| format!("  {:<10}{}\n", command.name, command.about);
    let lines: String = COMMANDS.iter().map(line).collect();
    format!("Commands, to use a store that runs; ptg-store COMMAND --help says more:\n{lines}")
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
pub fn run<F: FromArgs>(
    name: &'static str,
    arguments: &[&str],
    work: impl FnOnce(F, &Interrupted) -> Result<Exit, Failure>,
) -> ExitCode {
    let mut console = Console::new(name, false);
    let flags = match F::from_args(&["ptg-store", name], arguments) {
        Ok(flags) => flags,
        Err(exit) if exit.status.is_ok() => {
            return print(&exit.output).into();
        }
        Err(exit) => {
            console.complain_in_lines(&in_lines(&exit.output, arguments));
            return Exit::Usage.into();
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

/// What argh, or whoever starts the store, says in lines of their own. An argument that is said again there begins none.
pub fn in_lines(said: &str, arguments: &[&str]) -> String {
    let mut said = said.trim_end().to_owned();
    for argument in arguments {
        let shown = visible::line(argument);
        if shown != *argument {
            said = said.replace(argument, &shown);
        }
    }
    visible::lines(&said).into_owned()
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
