//! Nobody gets a chance to tidy up: the store or Redis is killed (SIGKILL) in the middle of pushes, again and again.
//! What was acknowledged is there, in order, and batches are whole.

use std::thread::Scope;
use std::time::Duration;

use redis::Connection;

use crate::books::{Account, Totals};
use crate::dice::Dice;
use crate::faults::print_totals;
use crate::good_clients::{GoodClient, Watched};
use crate::harness::{
    Client, OWN_REDIS_PORT, PATIENCE, Program, Redis, Store, eventually, own_redis_listens, signal, take_turn,
};
use crate::report::{figure, for_about};

const KEEP_ALL: [&str; 2] = ["--max-len", "100000000"];

fn kills() -> u64 {
    // As many as there are seconds.
    for_about(Duration::from_secs(20), Duration::from_secs(5)).as_secs()
}

fn accounts() -> [Account; 4] {
    [("acked", 1), ("plain", 1), ("batches", 5), ("posted", 2)].map(|(stream, batch)| Account::new(stream, batch))
}

/// Runs pushes of all kinds and pulls from a store until `during` has returned.
fn under_load(client: &Client, accounts: &[Account; 4], during: impl FnOnce()) {
    let watched = Watched::default();
    std::thread::scope(|scope| {
        let _over = watched.until_dropped();
        let watched = &watched;
        let [acked, plain, batches, posted] = accounts.each_ref().map(|account| GoodClient {
            client,
            account,
            watched,
        });
        scope.spawn(move || acked.push_acked());
        scope.spawn(move || plain.push_plain());
        scope.spawn(move || batches.push_acked());
        scope.spawn(move || posted.post());
        pull_all(scope, client, accounts, watched);
        during();
    });
}

/// Waits until every client has something new; then for a while that is another each time.
fn work_goes_on(accounts: &[Account; 4], dice: &mut Dice) {
    let state = || accounts.each_ref().map(|account| (account.next(), account.pulled(0).0));
    let before = state();
    eventually(3 * PATIENCE, || {
        state()
            .iter()
            .zip(&before)
            .all(|(now, before)| now.0 > before.0 && now.1 > before.1)
    });
    std::thread::sleep(Duration::from_millis(dice.below(300)));
}

/// The pulls come to the end of what is there.
fn catch_up(client: &Client, accounts: &[Account; 4], redis: &mut Connection) {
    let watched = Watched::default();
    std::thread::scope(|scope| {
        let _over = watched.until_dropped();
        watched.stop_pushes();
        pull_all(scope, client, accounts, &watched);
        accounts.iter().for_each(|account| account.wait_for_pulls(redis));
    });
}

fn pull_all<'s>(scope: &'s Scope<'s, '_>, client: &'s Client, accounts: &'s [Account; 4], watched: &'s Watched) {
    for account in accounts {
        let puller = GoodClient {
            client,
            account,
            watched,
        };
        scope.spawn(move || puller.pull(0, 10, Duration::ZERO));
        scope.spawn(move || puller.pull(1, 100, Duration::from_millis(20)));
    }
}

fn audit(accounts: &[Account; 4], redis: &mut Connection) {
    let totals: Totals = accounts.iter().map(|account| account.audit(redis)).sum();
    figure("kills", kills());
    print_totals(&totals);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn no_kill_of_the_store_loses_an_acknowledged_entry() {
    let mut dice = Dice::thrown();
    let redis = Redis::start_durable();
    let accounts = accounts();
    for _ in 0..kills() {
        let store = Program::start(&[&KEEP_ALL[..], &["--redis", &redis.url()]].concat());
        under_load(&store, &accounts, || {
            work_goes_on(&accounts, &mut dice);
            store.signal("KILL");
        });
    }
    // What the last one had sent to Redis may still be on its way.
    eventually(PATIENCE, || redis.clients() == 0);
    let store = Store::on(&redis, &KEEP_ALL);
    catch_up(&store, &accounts, &mut redis.connection());
    audit(&accounts, &mut redis.connection());
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn no_kill_of_a_redis_that_syncs_always_loses_an_acknowledged_entry() {
    let mut dice = Dice::thrown();
    let redis = Redis::start_durable();
    let accounts = accounts();
    let mut store = Store::on(&redis, &KEEP_ALL);
    under_load(&store, &accounts, || {
        for _ in 0..kills() {
            work_goes_on(&accounts, &mut dice);
            redis.kill();
            std::thread::sleep(Duration::from_millis(dice.below(300)));
            redis.restart();
        }
        work_goes_on(&accounts, &mut dice);
    });
    catch_up(&store, &accounts, &mut redis.connection());
    store.stop();
    audit(&accounts, &mut redis.connection());
}

/// The Redis that the store starts writes its file once a second, so only its own end is a harmless one: SIGTERM.
#[test]
#[ignore = "long: scripts/torture.sh"]
fn no_kill_of_a_store_with_a_redis_of_its_own_loses_an_acknowledged_entry() {
    let _turn = take_turn();
    let _end = EndsOwnRedis;
    let mut dice = Dice::thrown();
    let directory = tempfile::tempdir().expect("a directory");
    let accounts = accounts();
    for _ in 0..kills() {
        let store = Program::start_in(directory.path(), &KEEP_ALL, &[]);
        under_load(&store, &accounts, || {
            work_goes_on(&accounts, &mut dice);
            // The store starts it again.
            let first = own_redis_pid().expect("its Redis");
            signal("TERM", first);
            eventually(PATIENCE, || own_redis_pid().is_some_and(|pid| pid != first));
            work_goes_on(&accounts, &mut dice);
            store.signal("KILL");
        });
        // It outlives its store. The next one shall start one again.
        signal("TERM", own_redis_pid().expect("its Redis"));
        eventually(PATIENCE, || !own_redis_listens());
    }
    let store = Program::start_in(directory.path(), &KEEP_ALL, &[]);
    let mut redis = own_redis().expect("its Redis");
    catch_up(&store, &accounts, &mut redis);
    audit(&accounts, &mut redis);
    drop(store);
    assert!(!own_redis_listens(), "its Redis is still there");
}

/// A Redis that outlived its store must not outlive a test that fails.
struct EndsOwnRedis;

impl Drop for EndsOwnRedis {
    fn drop(&mut self) {
        if let Some(pid) = own_redis_pid() {
            signal("TERM", pid);
        }
    }
}

fn own_redis() -> Option<Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{OWN_REDIS_PORT}")).expect("a Redis URL");
    client.get_connection().ok()
}

fn own_redis_pid() -> Option<u32> {
    let info: String = redis::cmd("INFO").arg("server").query(&mut own_redis()?).ok()?;
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:"))?;
    pid.parse().ok()
}
