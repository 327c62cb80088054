//! A driver of random but repeatable clients: hostile ones that send damaged requests and frames to a real store, and
//! honest ones among them. `PTG_FUZZ_SEED` repeats a run, `PTG_FUZZ_CASE` a single case again and again,
//! `PTG_FUZZ_SECONDS` sets how long.

mod damage;
mod delivery;
mod dice;
mod frames;
mod honest;
mod requests;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::harness::{Program, Redis, holds_within, resident};
use delivery::{Ending, deliver, pieces};
use dice::{Dice, seed_of};
use requests::Request;

/// Deadlines so short that silent clients are given up soon, and limits so low that they are met.
pub const FLAGS: [&str; 18] = [
    "--head-timeout",
    "4s",
    "--keep-alive",
    "4s",
    "--stall-timeout",
    "4s",
    "--ping-interval",
    "3s",
    "--idle-timeout",
    "10s",
    "--max-message",
    "256KiB",
    "--max-body",
    "256KiB",
    "--max-batch",
    "1000",
    "--max-sockets",
    "500",
];

/// Streams that hostile clients make up are swept away beyond so many, or Redis would be what is tested.
const MOST_STREAMS: usize = 2000;

pub struct Plan {
    pub seed: u64,
    pub hostile: usize,
    pub honest: usize,
    pub length: Duration,
    /// The most cases of one hostile client.
    pub cases: u64,
}

/// What happened, summed over all clients.
#[derive(Default)]
pub struct Tally {
    pub cases: BTreeMap<&'static str, u64>,
    pub statuses: BTreeMap<u16, u64>,
    pub closes: BTreeMap<u16, u64>,
    /// Entries that honest clients pushed and pulled again.
    pub balanced: u64,
    /// The most memory of the store in each fifth of the run, in bytes.
    pub memory: [usize; 5],
    pub took: Duration,
}

/// One conversation of a hostile client.
struct Case {
    kind: &'static str,
    pieces: Vec<Vec<u8>>,
    ending: Ending,
    /// How many requests, if nothing is wrong with any of them.
    sound: Option<usize>,
}

/// Runs everybody against the store; panics with the seed of the first case that failed.
pub fn run(store: &Program, redis: &Redis, plan: &Plan) -> Tally {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed = number("PTG_FUZZ_SEED").unwrap_or(plan.seed);
    let only: Option<u64> = number("PTG_FUZZ_CASE");
    let length = number("PTG_FUZZ_SECONDS").map_or(plan.length, Duration::from_secs);
    println!("PTG_FUZZ_SEED={seed} repeats this run");
    let tally = Mutex::new(Tally::default());
    let failures = Mutex::new(Vec::new());
    let (stop, running) = (AtomicBool::new(false), AtomicUsize::new(plan.hostile));
    let begun = Instant::now();
    let fail = |failure: String| {
        stop.store(true, Relaxed);
        failures.lock().expect("the failures").push(failure);
    };
    std::thread::scope(|scope| {
        for client in 0..plan.honest {
            let (tally, stop, fail) = (&tally, &stop, &fail);
            scope.spawn(move || {
                let seed = seed_of(seed, client, 0);
                let books = catch_unwind(AssertUnwindSafe(|| honest::keep_books(store, seed, stop)));
                match books {
                    Ok(balanced) => tally.lock().expect("the tally").balanced += balanced,
                    Err(_) => fail(format!("the books of honest client {client} do not balance, see above")),
                }
            });
        }
        for client in 0..plan.hostile {
            let (tally, stop, fail, running) = (&tally, &stop, &fail, &running);
            scope.spawn(move || {
                for number in 0..plan.cases {
                    if stop.load(Relaxed) || begun.elapsed() > length {
                        break;
                    }
                    let seed = only.unwrap_or_else(|| seed_of(seed, 1000 + client, number));
                    let attempted = catch_unwind(AssertUnwindSafe(|| attempt(store, seed, tally)));
                    if let Err(error) = attempted.unwrap_or_else(|_| Err("a panic, see above".into())) {
                        fail(format!("PTG_FUZZ_CASE={seed}: {error}"));
                        break;
                    }
                }
                running.fetch_sub(1, Relaxed);
            });
        }
        // The scope waits for the threads; this only looks at the store meanwhile.
        let mut looked = Instant::now();
        holds_within(length * 2, || {
            if looked.elapsed() > Duration::from_millis(500) {
                looked = Instant::now();
                let fifth = begun.elapsed().as_millis() * 5 / length.as_millis().max(1);
                let peak = &mut tally.lock().expect("the tally").memory[fifth.min(4) as usize];
                *peak = resident(store.pid()).max(*peak);
                sweep(redis);
            }
            running.load(Relaxed) == 0
        });
        stop.store(true, Relaxed);
    });
    let failures = failures.into_inner().expect("the failures");
    assert!(
        failures.is_empty(),
        "PTG_FUZZ_SEED={seed}: {}\n{}",
        failures.join("\n"),
        tail(&store.log())
    );
    let mut tally = tally.into_inner().expect("the tally");
    tally.took = begun.elapsed();
    tally
}

fn attempt(store: &Program, seed: u64, tally: &Mutex<Tally>) -> Result<(), String> {
    let case = Case::of(&mut Dice::new(seed), &store.token);
    let result = deliver(store.addr(), &case.pieces, case.ending).and_then(|replies| {
        let mut tally = tally.lock().expect("the tally");
        *tally.cases.entry(case.kind).or_default() += 1;
        let Some(replies) = replies else { return Ok(()) };
        let statuses = replies.statuses();
        for status in &statuses {
            *tally.statuses.entry(*status).or_default() += 1;
        }
        if let Some(frames) = &replies.frames
            && let Some((code, reason)) = frames::close(frames)?
        {
            *tally.closes.entry(code).or_default() += 1;
            if reason.contains("failed") || reason.contains("Redis") {
                return Err(format!("closed with {code}: {reason}"));
            }
        }
        let answered = statuses.iter().filter(|status| **status >= 200).count();
        match case.sound {
            _ if statuses.contains(&500) => Err(format!("a handler failed: {statuses:?}")),
            Some(requests) if requests != answered => Err(format!("{requests} good requests: {statuses:?}")),
            Some(_) if statuses.contains(&400) && case.kind != "requests, sound" => {
                Err(format!("refused: {statuses:?}"))
            }
            _ => Ok(()),
        }
    });
    result.map_err(|error| {
        let sent = case.pieces.concat();
        let shown = &sent[..sent.len().min(3000)];
        format!(
            "{} ({:?}): {error}\nsent: {}",
            case.kind,
            case.ending,
            shown.escape_ascii()
        )
    })
}

impl Case {
    fn of(dice: &mut Dice, token: &str) -> Self {
        let ending = Ending::of(dice);
        match dice.below(2) {
            0 => Self::requests(dice, token, ending),
            _ => Self::socket(dice, token, ending),
        }
    }

    /// A few requests behind each other on one connection.
    fn requests(dice: &mut Dice, token: &str, ending: Ending) -> Self {
        let mut requests: Vec<Request> = (0..=dice.below(3)).map(|_| Request::sound(dice, token)).collect();
        let follows = dice.one_in(3);
        if follows {
            requests.push(Request::follow(dice, token));
        }
        let sound = Some(requests.len());
        let place = dice.below(requests.len());
        let (kind, sound) = match dice.below(4) {
            0 => ("requests, sound", sound),
            1 => ("requests, bytes damaged", None),
            2 => ("requests, structure damaged", None),
            _ => ("requests, both damaged", None),
        };
        if kind.contains("structure") || kind.contains("both") {
            requests[place].damage(dice);
        }
        let mut bytes: Vec<u8> = requests.iter().flat_map(Request::to_bytes).collect();
        if kind.contains("bytes") || kind.contains("both") {
            damage::bytes(dice, &mut bytes);
        }
        let pieces = pieces(dice, &bytes);
        Self {
            kind,
            pieces,
            // A client that ends its side has left, and would see nothing of what follows.
            ending: match ending {
                Ending::Finish if follows && kind == "requests, sound" && dice.one_in(4) => Ending::Silent,
                ending => ending,
            },
            sound,
        }
    }

    /// A handshake and frames behind it, without waiting for the answer.
    fn socket(dice: &mut Dice, token: &str, ending: Ending) -> Self {
        let (mut handshake, batch) = frames::handshake(dice, token);
        let mut frames = frames::sound(dice, batch);
        let kind = match dice.below(8) {
            0 => "socket, sound",
            1 => "socket, handshake damaged",
            2..=4 => "socket, frames damaged",
            _ => "socket, frames and bytes damaged",
        };
        if kind.contains("handshake") {
            handshake.damage(dice);
        }
        if kind.contains("frames") {
            frames::damage(dice, &mut frames);
        }
        let mut frames = frames.concat();
        if kind.contains("bytes") {
            damage::bytes(dice, &mut frames);
        }
        let mut all = handshake.to_bytes();
        all.extend(frames);
        Self {
            kind,
            pieces: pieces(dice, &all),
            ending,
            sound: (kind == "socket, sound").then_some(0),
        }
    }
}

fn sweep(redis: &Redis) {
    if redis.command::<usize>(&["DBSIZE"]) < MOST_STREAMS {
        return;
    }
    let names: Vec<Vec<u8>> = redis.command(&["KEYS", "*"]);
    let mut unlink = redis::cmd("UNLINK");
    for name in names.iter().filter(|name| !name.starts_with(b"honest")) {
        unlink.arg(name);
    }
    let _: usize = unlink.query(&mut redis.connection()).expect("to sweep");
}

/// The last of a long log.
fn tail(log: &str) -> &str {
    let start = log.len().saturating_sub(5000);
    log.get(start..).unwrap_or(log)
}
