//! Flags, start, wait for a signal, stop. With the name of a command first, it is a client instead of serving.

// A print that fails panics: what is said goes through `logging`, `commands::print` or `client::Console`, which bear it.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod client;
mod commands;
mod process;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arguments::Stop;
use client::Exit;
use process::logging::{self, Lines};
use process::{allocator, signals};
use ptg_store::state::config::{Flags, REDIS_VARIABLE, RedisChoice, environment, variable};
use ptg_store::{Config, Server, store};
use signal_hook::iterator::Signals;

/// The command that prints the help, of another if its name follows.
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
    match arguments[..] {
        // The help of a command is asked for in its place, too.
        [HELP | "-h" | "--help", name, ..] if name != HELP && !arguments::looks_like_flag(name) => {
            command(name, &["--help"])
        }
        [HELP, ..] => serve(&["--help"]),
        [name, ref rest @ ..] if !arguments::looks_like_flag(name) => command(name, rest),
        _ => serve(&arguments),
    }
}

fn command(name: &str, arguments: &[&str]) -> ExitCode {
    match commands::find(name) {
        Some(command) => (command.main)(arguments),
        None => commands::unknown(name),
    }
}

fn serve(arguments: &[&str]) -> ExitCode {
    let (flags, environment) = match arguments::of_store(arguments) {
        Ok(given) => given,
        Err(Stop::Help(text)) => {
            let list = commands::list(arguments::help::width());
            return commands::print(&format!("{text}\n{list}")).into();
        }
        Err(Stop::Wrong(sentence)) => {
            let name = arguments.iter().find(|word| commands::find(word).is_some());
            let hint = name.map_or(String::new(), |name| {
                format!(". A command stands first: ptg-store {name}")
            });
            return fail(&format!("{sentence}{hint}"), Exit::Usage);
        }
        Err(stop) => return commands::stopped(stop, commands::complain).into(),
    };
    let config = match configure(flags) {
        Ok(config) => config,
        Err(sentence) => {
            // Of a flag whose variable said it, the variable is told.
            let sentence = environment.named_in(&arguments::in_lines(
                &sentence,
                &[arguments, &environment.words()].concat(),
            ));
            return fail(&sentence, Exit::Usage);
        }
    };
    allocator::settle();
    let lines = match logging::start() {
        Ok(lines) => lines,
        Err(error) => {
            let sentence = format!("cannot start the thread that writes the log: {error}");
            return fail(&sentence, Exit::Failed);
        }
    };
    for (name, meant) in environment::misspelt() {
        log::warn!("the environment's {name} is no variable of the store; {meant} would be");
    }
    let done = run(config, &lines);
    if let Err(sentence) = &done {
        lines.say(&format!("ptg-store: {}", arguments::in_lines(sentence, arguments)));
    }
    lines.finish();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What the store was told, as far as that can be seen before anything is started.
fn configure(flags: Flags) -> Result<Config, String> {
    let named = flags.redis.is_some();
    let config = Config::from_flags(flags, variable(REDIS_VARIABLE)?)?;
    if let RedisChoice::Named(url) = &config.redis {
        let by = if named { "--redis" } else { REDIS_VARIABLE };
        store::check_url(url).map_err(|sentence| format!("{by}: {sentence}"))?;
    }
    Ok(config)
}

fn run(config: Config, lines: &Lines) -> Result<(), String> {
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

fn fail(sentence: &str, exit: Exit) -> ExitCode {
    commands::complain(sentence);
    exit.into()
}
