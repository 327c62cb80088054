//! `ptg-store delete`: streams with all that is in them, once somebody has said that they may go.

use std::io::IsTerminal;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use ptg_store::words::ids::StreamId;

use super::describe::no_stream;
use super::terminal::{Echo, Terminal};
use super::{counted, say_result, stream_id};
use crate::client::{Age, Console, Exit, Failure, Interrupted, Present, Store, Stream, description};

/// Deletes streams: entries and descriptions. On a terminal it says how much that is, and asks first.
/// A name that begins with a dash stands behind --. One that there is no stream of is told, and the code is 1; the others
/// are deleted all the same.
#[derive(FromArgs, ArgsInfo)]
struct Flags {
    /// the streams
    #[argh(positional, arg_name = "stream")]
    streams: Vec<String>,

    /// delete without asking; needed where there is no terminal to ask at
    #[argh(switch)]
    yes: bool,

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

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("delete", arguments, run)
}

fn run(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    let mut names: Vec<StreamId> = Vec::new();
    for name in &flags.streams {
        let name = stream_id(name)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(Failure::Usage("name at least one stream".into()));
    }
    let at_terminal = std::io::stdin().is_terminal();
    if !flags.yes && !at_terminal {
        return Err(Failure::Usage(
            "standard input is no terminal to ask at; --yes deletes without asking".into(),
        ));
    }
    let store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    let mut console = Console::new("delete", flags.quiet);
    let mut failed = false;
    let mut there = Vec::new();
    for name in names {
        match look(&store, &name) {
            Ok(stream) => there.push((name, stream)),
            Err(failure) => failed |= told(failure, &name, &mut console)?,
        }
    }
    if !flags.yes && !there.is_empty() && !is_agreed(&there, &store, &mut console, interrupted)? {
        return Err(Failure::Here("nothing is deleted".into()));
    }
    for (name, stream) in there {
        match store.delete(&description::path(name.as_str())) {
            Ok(_) if flags.quiet => {}
            Ok(_) => say_result(&format!(
                "{name}: deleted, with {}",
                counted(stream.entries, "entry", "entries")
            ))?,
            Err(failure) => failed |= told(failure, &name, &mut console)?,
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// What is to be deleted.
fn look(store: &Store, name: &StreamId) -> Result<Stream, Failure> {
    let stream = Stream::of(store, name.as_str())?;
    match stream.is_there {
        true => Ok(stream),
        false => Err(no_stream(name.as_str())),
    }
}

/// Tells why one stream is not deleted; an error if that is no reason to go on with the others.
fn told(failure: Failure, name: &StreamId, console: &mut Console) -> Result<bool, Failure> {
    match &failure {
        Failure::Here(sentence) => console.complain(sentence),
        Failure::Refused { status: 400, .. } => console.complain(&format!("'{name}': {failure}")),
        _ => return Err(failure),
    }
    Ok(true)
}

/// Says what would be gone, and asks.
fn is_agreed(
    streams: &[(StreamId, Stream)],
    store: &Store,
    console: &mut Console,
    interrupted: &Interrupted,
) -> Result<bool, Failure> {
    let present = Present::of(store)?;
    for (name, stream) in streams {
        let newest = match stream.reach {
            Some((_, newest)) => format!("; the newest: {}", Age::of(newest, present.now).words()),
            None => String::new(),
        };
        let entries = counted(stream.entries, "entry", "entries");
        console.complain(&format!("'{name}' has {entries}{newest}"));
    }
    let which = match streams {
        [(name, _)] => format!("'{name}'"),
        several => format!("these {} streams", several.len()),
    };
    let question = format!("Delete {which} for good? [y/N] ");
    let answer = Terminal::open()?.ask(&question, Echo::On, interrupted)?;
    let answer = answer.unwrap_or_default().trim().to_lowercase();
    Ok(matches!(answer.as_str(), "y" | "yes"))
}
