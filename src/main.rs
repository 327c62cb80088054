//! Flags, start, wait for a signal, stop. With the name of a command first, it is a client instead of serving.

// A print that fails panics: what is said goes through `logging`, `commands::print` or `client::Console`, which bear it.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod allocator;
mod bench;
mod client;
mod commands;
mod doctor;
mod logging;
mod signals;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use argh::FromArgs;
use client::Exit;
use logging::Lines;
use ptg_store::config::{self, Flags, REDIS_VARIABLE};
use ptg_store::{Config, Server};
use signal_hook::iterator::Signals;

/// A word that argh takes for the flag `--help`.
const HELP: &str = "help";

fn main() -> ExitCode {
    let arguments: Result<Vec<String>, _> = std::env::args_os().skip(1).map(OsString::into_string).collect();
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(argument) => {
            commands::complain(&format!("the argument {argument:?} is not UTF-8"));
            return Exit::Usage.into();
        }
    };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let Some((name, rest)) = arguments.split_first() {
        if let Some(command) = commands::find(name) {
            return (command.main)(rest);
        }
        if !name.starts_with('-') && *name != HELP {
            return commands::unknown(name);
        }
    }
    let flags = match Flags::from_args(&["ptg-store"], &arguments) {
        Ok(flags) => flags,
        Err(exit) if exit.status.is_ok() => {
            return commands::print(&format!("{}\n{}", exit.output, commands::list())).into();
        }
        Err(exit) => return fail(&exit.output, &arguments),
    };
    if flags.version {
        return commands::print(concat!("ptg-store ", env!("CARGO_PKG_VERSION"))).into();
    }
    allocator::settle();
    let lines = match logging::start() {
        Ok(lines) => lines,
        Err(error) => {
            return fail(
                &format!("cannot start the thread that writes the log: {error}"),
                &arguments,
            );
        }
    };
    let done = run(flags, &lines);
    if let Err(sentence) = &done {
        lines.say(&format!("ptg-store: {}", commands::in_lines(sentence, &arguments)));
    }
    lines.finish();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(flags: Flags, lines: &Lines) -> Result<(), String> {
    let config = Config::from_flags(flags, config::variable(REDIS_VARIABLE)?)?;
    // Both before anything is started, so that a signal during the start also stops what there is in order. A further one
    // changes nothing: a closed terminal sends several, and the end takes seconds at most.
    let failed = |error: io::Error| format!("cannot wait for signals: {error}");
    let ending = signals::ending();
    let mut signals = Signals::new(&ending).map_err(failed)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in ending {
        signal_hook::flag::register(signal, interrupted.clone()).map_err(failed)?;
    }
    let server = Server::start_unless(config, &interrupted)?;
    lines.say(&server.summary());
    signals.forever().next();
    server.stop();
    Ok(())
}

fn fail(said: &str, arguments: &[&str]) -> ExitCode {
    commands::complain(&commands::in_lines(said, arguments));
    ExitCode::FAILURE
}
