//! Pushes a plan's entries when they are due. It holds no more than the batches under way and one entry of each stream.

use std::time::{Duration, Instant};

use super::super::counted;
use super::pace::Pace;
use super::plan::Plan;
use super::target::Target;
use crate::client::{Console, Failure, Store, TICK, figures};

/// What may be under way to all streams together, in bytes; more only if one batch alone is larger.
const MOST_UNDER_WAY: usize = 32 << 20;

/// Replays the plan once, or for ever, until everything is stored. The targets are in the order of the plan's parts.
pub fn play(
    plan: &Plan,
    targets: &mut [Target],
    pace: &mut Pace,
    repeat: bool,
    store: &Store,
    console: &mut Console,
) -> Result<(), Failure> {
    let played = loop {
        let played = play_once(plan, targets, pace, store, console);
        if !repeat || played.is_err() {
            break played;
        }
        pace.next_round(plan.reach().1, plan.entries());
    };
    // What was read before the recording turned out to be damaged is replayed.
    if let Err(failure) = &played
        && !matches!(failure, Failure::Here(_))
    {
        return played;
    }
    targets.iter_mut().for_each(Target::flush);
    while targets.iter().any(|target| target.under_way() > 0) {
        rest(targets, TICK, store)?;
        tell(targets, console);
    }
    played
}

fn play_once(
    plan: &Plan,
    targets: &mut [Target],
    pace: &mut Pace,
    store: &Store,
    console: &mut Console,
) -> Result<(), Failure> {
    let mut merge = plan.merge()?;
    let mut looked = Instant::now();
    while let Some(next) = merge.peek() {
        let wait = pace.wait(next);
        if !wait.is_zero() {
            targets.iter_mut().for_each(Target::flush);
            rest(targets, wait, store)?;
            tell(targets, console);
            continue;
        }
        let taken = merge.take(|which| targets[which].bytes()).map_err(Failure::Here)?;
        let Some((which, record)) = taken else { break };
        targets[which].add(record);
        if targets[which].is_full() {
            targets[which].flush();
            targets[which].step(Duration::ZERO)?;
            make_room(which, targets, store, console)?;
        }
        // A stream whose entries are rare must not fall silent while another is busy.
        if looked.elapsed() > TICK {
            rest(targets, Duration::ZERO, store)?;
            tell(targets, console);
            looked = Instant::now();
        }
    }
    Ok(())
}

/// Waits until another batch is welcome.
fn make_room(which: usize, targets: &mut [Target], store: &Store, console: &mut Console) -> Result<(), Failure> {
    while !targets[which].has_room() || targets.iter().map(Target::under_way).sum::<usize>() > MOST_UNDER_WAY {
        rest(targets, TICK, store)?;
        tell(targets, console);
    }
    Ok(())
}

/// Sees to all connections, then waits for what is most under way, or for the time.
fn rest(targets: &mut [Target], wait: Duration, store: &Store) -> Result<(), Failure> {
    for target in targets.iter_mut() {
        target.step(Duration::ZERO)?;
    }
    let wait = wait.min(TICK);
    match targets.iter_mut().max_by_key(|target| target.under_way()) {
        Some(target) if target.under_way() > 0 => target.step(wait),
        _ => store.interrupted.sleep(wait),
    }
}

/// Tells the user what happened, and how far it is.
fn tell(targets: &mut [Target], console: &mut Console) {
    for target in targets.iter_mut() {
        if let Some(notice) = target.take_notice() {
            console.say(&notice);
        }
    }
    console.progress(|| {
        let entries = targets.iter().map(|target| target.stored).sum();
        let bytes: u64 = targets.iter().map(|target| target.stored_bytes).sum();
        format!(
            "{}, {}",
            counted(entries, "entry", "entries"),
            figures::bytes(bytes as f64)
        )
    });
}
