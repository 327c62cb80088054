//! Flags, start, wait for a signal, stop. With the name of a command first, it is a client instead of serving.

mod allocator;
mod bench;
mod client;
mod commands;
mod doctor;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use argh::FromArgs;
use ptg_store::config::{Flags, REDIS_VARIABLE};
use ptg_store::{Config, Server, log_line};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A word that argh takes for the flag `--help`.
const HELP: &str = "help";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
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
            commands::print(&format!("{}\n{}", exit.output, commands::list()));
            return ExitCode::SUCCESS;
        }
        Err(exit) => return fail(&exit.output, &arguments),
    };
    if flags.version {
        commands::print(concat!("ptg-store ", env!("CARGO_PKG_VERSION")));
        return ExitCode::SUCCESS;
    }
    allocator::settle();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .format(log_line::write)
        .init();
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => fail(&sentence, &arguments),
    }
}

fn run(flags: Flags) -> Result<(), String> {
    let config = Config::from_flags(flags, std::env::var(REDIS_VARIABLE).ok())?;
    // Both before anything is started, so that a signal during the start also stops what there is in order.
    let failed = |error: io::Error| format!("cannot wait for signals: {error}");
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).map_err(failed)?;
    }
    let server = Server::start_unless(config, &interrupted)?;
    eprintln!("{}", server.summary());
    signals.forever().next();
    server.stop();
    Ok(())
}

fn fail(said: &str, arguments: &[&str]) -> ExitCode {
    eprintln!("ptg-store: {}", commands::in_lines(said, arguments));
    ExitCode::FAILURE
}
