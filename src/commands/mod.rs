//! The commands that make the binary a client of a store, and how each begins and ends.

mod record;
mod replay;

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use argh::FromArgs;
use ptg_store::cursor::Moment;

use crate::bench;
use crate::client::{Console, Exit, Failure, Interrupted};

/// Runs with the arguments behind the command's name.
type Command = fn(&[&str]) -> ExitCode;

/// Every command by its name. `ptg-store --help` lists them in `config::Flags`.
const COMMANDS: &[(&str, Command)] = &[
    ("bench", bench::main),
    ("record", record::main),
    ("replay", replay::main),
];

/// The command of this name.
pub fn find(name: &str) -> Option<Command> {
    let found = COMMANDS.iter().find(|(known, _)| *known == name);
    found.map(|(_, command)| *command)
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
        Err(exit) if exit.status.is_ok() => return print(&exit.output).into(),
        Err(exit) => {
            console.complain(exit.output.trim_end());
            return Exit::Usage.into();
        }
    };
    let done = Interrupted::on_signals().and_then(|interrupted| work(flags, &interrupted));
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console.complain(&failure.to_string());
            failure.exit().into()
        }
    }
}

/// Prints a text that is the whole answer.
fn print(text: &str) -> Exit {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

/// Prints a line of the result. Where nobody listens any more, there is nothing to say.
fn say_result(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A number and its noun: `1 entry`, `2 entries`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A typed moment in milliseconds since 1970, by the clock of this machine.
fn milliseconds(moment: Moment) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    moment.milliseconds(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
