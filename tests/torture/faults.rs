//! Everything that can befall Redis befalls it, in random order and under load, and then the books are balanced:
//! no acknowledged entry is lost or changed, and pulls have everything that was there (docs/protocol.md, section 7).

use std::time::{Duration, Instant};

use crate::books::{Account, Totals};
use crate::dice::Dice;
use crate::good_clients::{GoodClient, Watched};
use crate::harness::{PATIENCE, Proxy, Redis, Store, eventually, holds_within};
use crate::injection::{FAULTS, Fault, Scene};
use crate::report::{figure, for_about};

/// The longest that clients may need to go on after Redis is back. The promise is 2 s for the store; a client that was
/// sent away, and a machine that is busy, get some more.
const RECOVERY: Duration = Duration::from_secs(8);

/// No pong may take this long. The promise is 2 s.
const PONG: Duration = Duration::from_millis(2500);

/// What clients may be told, besides nothing: 1013 and 503, and of a key that is no stream 1011 and 400. Pulls just wait.
/// `struck` is every fault so far, the latest last: a pull that lags behind is told late.
fn assert_allowed(struck: &[Fault], refusals: &[(u16, String)]) {
    for (code, reason) in refusals {
        let allowed = match code {
            503 => true,
            1013 => reason.starts_with("push"),
            1011 | 400 => struck.contains(&Fault::AnotherType),
            _ => false,
        };
        assert!(allowed, "{:?}: {code} {reason}", struck.last());
    }
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn no_fault_of_redis_loses_an_acknowledged_entry() {
    let dice = Dice::thrown();
    let length = for_about(Duration::from_secs(300), Duration::from_secs(30));
    let longest = for_about(Duration::from_secs(4), Duration::from_millis(800));
    let redis = Redis::start_durable();
    let proxy = Proxy::to(&redis);
    let mut store = Store::through(&proxy, &redis, &["--max-len", "100000000"]);
    let accounts = [("acked", 1), ("plain", 1), ("batches", 5), ("posted", 2)];
    let accounts = accounts.map(|(stream, batch)| Account::new(stream, batch));
    let idle = Account::new("idle", 1);
    let watched = Watched::default();
    let (mut pushes_back, mut pulls_back) = (Vec::new(), Vec::new());
    let mut told: Vec<u16> = Vec::new();
    std::thread::scope(|scope| {
        let _over = watched.until_dropped();
        let client = |account| GoodClient {
            client: &store,
            account,
            watched: &watched,
        };
        let [acked, plain, batches, posted] = accounts.each_ref().map(client);
        let pushes = [
            scope.spawn(move || acked.push_acked()),
            scope.spawn(move || plain.push_plain()),
            scope.spawn(move || batches.push_acked()),
            scope.spawn(move || posted.post()),
        ];
        for client in [acked, plain, batches, posted] {
            scope.spawn(move || client.pull(0, 10, Duration::ZERO));
            // This one is mostly behind.
            scope.spawn(move || client.pull(1, 100, Duration::from_millis(20)));
        }
        scope.spawn(move || posted.get());
        let idle = client(&idle);
        scope.spawn(move || idle.idle("push"));
        scope.spawn(move || idle.idle("pull"));

        let mut scene = Scene {
            redis: &redis,
            proxy: &proxy,
            accounts: &accounts,
            dice,
            longest,
        };
        eventually(PATIENCE, || {
            accounts
                .iter()
                .all(|a| a.next() > 0 && a.pulled(0).0 > 0 && a.pulled(1).0 > 0)
        });
        let begun = Instant::now();
        let (mut faults, mut struck) = (Vec::new(), Vec::new());
        while begun.elapsed() < length {
            if faults.is_empty() {
                faults = FAULTS.to_vec();
                scene.dice.shuffle(&mut faults);
            }
            let fault = faults.pop().expect("a fault");
            struck.push(fault);
            scene.strike(fault);
            let (pushed, pulled) = recover(&accounts, fault);
            let at = begun.elapsed();
            println!("{at:.1?} {fault:?}: pushes went on after {pushed:.0?}, pulls after {pulled:.0?}");
            pushes_back.push(pushed);
            pulls_back.push(pulled);
            let refusals = watched.refusals();
            assert_allowed(&struck, &refusals);
            told.extend(refusals.iter().map(|(code, _)| code));
        }
        watched.stop_pushes();
        // What they have under way is stored before their sockets end; the idle one stays.
        pushes.into_iter().for_each(|push| push.join().expect("a push"));
        eventually(PATIENCE, || store.metric("ptg_sockets_open{kind=\"push\"}") <= 1.0);
        accounts
            .iter()
            .for_each(|account| account.wait_for_pulls(&mut redis.connection()));
    });
    store.assert_serves();
    store.stop();
    let totals: Totals = accounts
        .iter()
        .map(|account| account.audit(&mut redis.connection()))
        .sum();
    figure("faults injected", pushes_back.len());
    print_totals(&totals);
    for (what, mut times) in [("push", pushes_back), ("pull", pulls_back)] {
        times.sort();
        let (middle, most) = (times[times.len() / 2], times[times.len() - 1]);
        figure(
            &format!("{what} goes on after Redis is back, p50 and max"),
            format!("{middle:.0?}, {most:.0?}"),
        );
    }
    for code in [1013, 1011, 503, 400] {
        let times = told.iter().filter(|known| **known == code).count();
        figure(&format!("clients told {code}"), times);
    }
    figure(
        "slowest pong of an idle socket",
        format!("{:?}", watched.slowest_pong()),
    );
    assert!(watched.slowest_pong() < PONG, "{:?}", watched.slowest_pong());
}

pub fn print_totals(totals: &Totals) {
    figure("entries sent", totals.sent);
    figure("entries acknowledged, or confirmed by a close", totals.acked);
    figure(
        "entries in Redis, and repeats among them",
        format!("{}, {}", totals.stored, totals.stored_again),
    );
    figure(
        "entries pulled, and repeats among them",
        format!("{}, {}", totals.pulled, totals.pulled_again),
    );
}

/// Waits until every push and every pull has moved; how long the slowest of each took.
fn recover(accounts: &[Account], fault: Fault) -> (Duration, Duration) {
    let back = Instant::now();
    let state = || -> Vec<_> {
        accounts
            .iter()
            .map(|a| (a.next(), a.pulled(0).0, a.pulled(1).0))
            .collect()
    };
    let before = state();
    let mut times = [None, None];
    let moved = |what: usize, now: &[(u64, usize, usize)]| {
        now.iter().zip(&before).all(|(now, before)| match what {
            0 => now.0 > before.0,
            _ => now.1 > before.1 && now.2 > before.2,
        })
    };
    let all = holds_within(RECOVERY, || {
        let now = state();
        for (what, time) in times.iter_mut().enumerate() {
            if time.is_none() && moved(what, &now) {
                *time = Some(back.elapsed());
            }
        }
        times.iter().all(Option::is_some)
    });
    assert!(
        all,
        "after {fault:?} not everybody went on within {RECOVERY:?}: {before:?}, now {:?}",
        state()
    );
    (times[0].unwrap_or_default(), times[1].unwrap_or_default())
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn while_redis_is_stopped_for_15_s_pings_are_answered_and_then_all_goes_on() {
    let redis = Redis::start_durable();
    let store = Store::on(&redis, &["--max-len", "100000000"]);
    let account = Account::new("stopped", 1);
    let idle = Account::new("idle", 1);
    let watched = Watched::default();
    std::thread::scope(|scope| {
        let _over = watched.until_dropped();
        let client = |account| GoodClient {
            client: &store,
            account,
            watched: &watched,
        };
        let (busy, idle) = (client(&account), client(&idle));
        let push = scope.spawn(move || busy.push_acked());
        scope.spawn(move || busy.pull(0, 10, Duration::ZERO));
        scope.spawn(move || busy.pull(1, 100, Duration::from_millis(20)));
        scope.spawn(move || idle.idle("push"));
        scope.spawn(move || idle.idle("pull"));
        eventually(PATIENCE, || account.next() > 1000);
        redis.pause();
        std::thread::sleep(Duration::from_secs(15));
        redis.resume();
        let (pushed, pulled) = recover(std::slice::from_ref(&account), Fault::Stopped);
        figure(
            "after 15 s without an answer push and pull go on within",
            format!("{pushed:.0?}, {pulled:.0?}"),
        );
        let refusals = watched.refusals();
        assert_allowed(&[Fault::Stopped], &refusals);
        // It was held back for --redis-patience, and then sent away.
        assert!(refusals.iter().any(|(code, _)| *code == 1013), "{refusals:?}");
        watched.stop_pushes();
        push.join().expect("the push");
        account.wait_for_pulls(&mut redis.connection());
    });
    drop(store);
    print_totals(&account.audit(&mut redis.connection()));
    figure(
        "slowest pong of an idle socket meanwhile",
        format!("{:?}", watched.slowest_pong()),
    );
    assert!(watched.slowest_pong() < PONG, "{:?}", watched.slowest_pong());
}
