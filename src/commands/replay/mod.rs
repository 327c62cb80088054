//! `ptg-store replay`: a recording back into a store, with the spacing that it had, or as fast as possible.

mod check;
mod flags;
mod kept;
mod pace;
mod place;
mod plan;
mod play;
mod retention;
mod sent;
mod target;

use std::process::ExitCode;
use std::time::Duration;

use ptg_store::recording::Recording;

use super::{counted, say_result};
use crate::client::shell::quote;
use crate::client::{Console, Exit, Failure, Interrupted, Store, persist};
use flags::Flags;
use pace::Pace;
use plan::{Part, Plan};
use play::Play;
use retention::{OTHER_STORES, State};
use target::Target;

/// Lateness that is worth a sentence.
const LATE: Duration = Duration::from_secs(1);

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("replay", arguments, replay)
}

fn replay(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    flags.check()?;
    let recording = Recording::open(&flags.folder).map_err(Failure::Here)?;
    if flags.check {
        return check::run(&recording);
    }
    let mut console = Console::new("replay", flags.quiet);
    let plan = Plan::new(&flags, recording, &mut console)?;
    let store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    let mut targets = targets(&flags, &plan, &store, &mut console)?;
    let mut pace = Pace::new(plan.reach().0, flags.factor());
    let played = Play {
        plan: &plan,
        targets: &mut targets,
        pace: &mut pace,
        repeat: flags.repeat,
        interrupted,
        console: &mut console,
    }
    .run();
    console.clear();
    if pace.late() >= LATE {
        console.say(&format!("the store took entries up to {:.0?} late", pace.late()));
    }
    let told = match flags.quiet {
        true => Ok(()),
        false => (plan.parts.iter().zip(&targets)).try_for_each(|(part, target)| say_result(&summary(part, target))),
    };
    // What became of the entries counts for more than whether it could be told.
    let done = match played {
        // It has no other end.
        Err(Failure::Interrupted) if flags.repeat => Ok(()),
        Ok(()) => close(targets, &flags, &store),
        failed => failed,
    };
    done.and(told).map(|()| Exit::Done)
}

/// Ends the pushes; fails if the store does not keep what it was made to keep.
fn close(targets: Vec<Target>, flags: &Flags, store: &Store) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for mut target in targets {
        let (stream, given) = (target.stream.clone(), std::mem::take(&mut target.given));
        target.close()?;
        // Whoever wants all of it to be kept wants to know if it is not.
        if flags.raise_max_len {
            missing.extend(given.check(store, &stream).err());
        }
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::Here(missing.join("; "))),
    }
}

/// The streams that are replayed into, once nothing speaks against it.
fn targets(flags: &Flags, plan: &Plan, store: &Store, console: &mut Console) -> Result<Vec<Target>, Failure> {
    let mut default_max_len = None;
    let mut states = Vec::new();
    let mut raised = Vec::new();
    for (number, part) in plan.parts.iter().enumerate() {
        let say = |notice: &str| console.say(notice);
        let ask = |store: &Store| State::of(store, &part.target, &mut default_max_len);
        let mut state = persist(store, flags.retry, say, ask)?;
        if flags.keep_times && state.newest >= part.first.id {
            return Err(Failure::Here(overtaken(part, &state)));
        }
        if part.entries > state.max_len && flags.raise_max_len {
            state.raise(store, &part.target, state.needed(part.entries))?;
            raised.push(number);
        }
        states.push(state);
    }
    if !raised.is_empty() {
        store.interrupted.sleep(OTHER_STORES)?;
    }
    for number in raised {
        let part = &plan.parts[number];
        // Others may have pushed meanwhile.
        let mut state = State::of(store, &part.target, &mut default_max_len)?;
        let max_len = state.needed(part.entries).max(state.max_len);
        if max_len > state.max_len {
            state.raise(store, &part.target, max_len)?;
        }
        console.say(&format!(
            "{}: the store keeps {max_len} entries of it from now on",
            part.target
        ));
        states[number] = state;
    }
    let mut targets = Vec::new();
    for (part, state) in plan.parts.iter().zip(states) {
        let is_trimmed = part.entries > state.max_len;
        if is_trimmed {
            console.say(&state.warning(store, &part.target, part.entries));
        }
        let mut target = Target::new(store, part.target.clone(), state, flags.keep_times, flags.retry);
        target.told_of_trimming = is_trimmed;
        targets.push(target);
    }
    Ok(targets)
}

/// Why the entries of a part cannot keep their times.
fn overtaken(part: &Part, state: &State) -> String {
    let behind = match state.newest < part.last.id {
        // --from is for all streams of a replay, and this id is one stream's.
        true => format!(
            "; --stream {} --from {} replays only what is later",
            quote(&part.choice),
            state.newest
        ),
        false => String::new(),
    };
    format!(
        "{}: its newest entry is {}, and the recording begins with {}: a stream takes no entry that is not newer than its \
         newest, so these cannot keep their times{behind}; another stream can have them (--prefix, --stream {}=…)",
        part.target, state.newest, part.first.id, part.source
    )
}

/// What was replayed of a part, in one line.
fn summary(part: &Part, target: &Target) -> String {
    let into = match part.source == part.target {
        true => String::new(),
        false => format!(" into {}", part.target),
    };
    let stored = counted(target.stored, "entry", "entries");
    let trimmed = match target.stored.saturating_sub(target.state.max_len) {
        0 => String::new(),
        trimmed => format!(
            ", of which the store trims about {trimmed}: it keeps {}",
            target.state.max_len
        ),
    };
    let bytes = counted(target.stored_bytes, "byte", "bytes");
    format!("{}{into}: {stored}, {bytes}{trimmed}", part.source)
}
