//! `ptg-store bench`: it measures, says what is wrong, and leaves the store as it found it.

use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{PATIENCE, Program, Redis, eventually, signal};

/// Measurements as short as can be: what they say does not matter here.
const QUICK: [(&str, &str); 2] = [("--rounds", "1"), ("--seconds", "0.02")];

/// A store, its Redis, and a stream of somebody else whose name looks like one of the benchmark's.
struct Bed {
    store: Program,
    redis: Redis,
}

impl Bed {
    fn new() -> Bed {
        let redis = Redis::start();
        let store = Program::start(&["--redis", &redis.url()]);
        store.add("bench-of-somebody", &[b"one", b"two"]);
        Bed { store, redis }
    }

    /// A quick run against this store and its Redis, as far as the arguments do not say otherwise.
    fn bench(&self, arguments: &[&str]) -> Command {
        let (url, redis) = (self.store.url(""), self.redis.url());
        let mut command = Program::command(&["bench"]);
        for (flag, value) in [("--url", &*url), ("--redis", &redis)].into_iter().chain(QUICK) {
            if !arguments.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.args(arguments);
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Output {
        self.bench(arguments).output().expect("to run the benchmark")
    }

    /// Nothing of the benchmark is left, and what was there before is as it was.
    #[track_caller]
    fn assert_untouched(&self) {
        let keys: Vec<String> = self.redis.command(&["KEYS", "*"]);
        assert_eq!(keys, ["bench-of-somebody"]);
        let entries: usize = self.redis.command(&["XLEN", "bench-of-somebody"]);
        assert_eq!(entries, 2);
    }
}

#[test]
fn a_run_prints_a_line_for_every_operation_and_leaves_nothing_behind() {
    let bed = Bed::new();
    let list = text(&Program::run(&["bench", "--list"]).stdout);
    assert!(list.lines().count() > 10, "{list}");
    let pid = bed.store.pid().to_string();
    let output = bed.run(&["--pid", &pid]);
    let (table, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{table}{errors}");
    assert_eq!(errors, "");
    for operation in list.lines() {
        let line = table.lines().find(|line| line.starts_with(operation));
        assert!(line.is_some(), "no line for {operation}: {table}");
    }
    assert!(table.contains("store's CPU"), "{table}");
    assert!(!table.contains("NaN") && !table.contains("skipped"), "{table}");
    bed.assert_untouched();
}

#[test]
fn json_has_the_values_of_every_round_and_only_what_was_asked_for() {
    let bed = Bed::new();
    let output = bed.run(&["--rounds", "3", "--json", "--only", "ping", "--only", "batches"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!(json["about"]["rounds"], 3);
    let results = json["results"].as_array().expect("a list of results");
    let names: Vec<&str> = results.iter().filter_map(|one| one["operation"].as_str()).collect();
    assert_eq!(names, ["push, batches of 100, ack", "ping"]);
    for result in results {
        for side in ["store", "direct", "ratios"] {
            let values = result[side].as_array().expect("values");
            let good = values
                .iter()
                .filter(|value| value.as_f64().is_some_and(|value| value > 0.0));
            assert_eq!(good.count(), 3, "{side} of {result}");
        }
    }
    bed.assert_untouched();
}

#[test]
fn ctrl_c_ends_it_and_leaves_nothing_behind() {
    let bed = Bed::new();
    for operation in ["no ack, 1 MB", "8 streams", "thousands"] {
        let mut command = bed.bench(&["--seconds", "60", "--only", operation]);
        let child = command.spawn().expect("to start the benchmark");
        // The stream's key and its description: it is being pushed to.
        eventually(PATIENCE, || {
            let keys: Vec<String> = bed.redis.command(&["KEYS", "bench-????????????????-*"]);
            keys.iter().any(|key| !key.ends_with("-same"))
        });
        signal("INT", child.id());
        let output = child.wait_with_output().expect("its end");
        assert_eq!(output.status.code(), Some(130));
        assert!(sentence(&output).contains("interrupted"), "{}", sentence(&output));
        bed.assert_untouched();
    }
}

#[test]
fn a_token_may_come_from_the_environment() {
    let bed = Bed::new();
    let with = |token: &str| {
        let mut command = bed.bench(&["--only", "ping"]);
        command.env("PTG_STORE_URL", bed.store.url(""));
        command.env("PTG_STORE_TOKEN", token).output().expect("to run it")
    };
    assert!(with(&bed.store.token).status.success());
    assert!(sentence(&with("nonsense")).contains("401"));
}

#[test]
fn what_cannot_be_measured_is_one_sentence_with_the_code_of_every_command() {
    let bed = Bed::new();
    let closed = closed_port();
    let nowhere = format!("127.0.0.1:{closed}");
    let (url, redis) = (format!("http://{nowhere}"), format!("redis://{nowhere}"));
    let cases: &[(&[&str], &str, i32)] = &[
        (&["--url", &url], &nowhere, 4),
        (&["--url", "https://127.0.0.1"], "--url", 2),
        (&["--redis", &redis], &nowhere, 1),
        (&["--redis", "nonsense"], "--redis", 2),
        (&["--token", "nonsense"], "it refuses the token of --token", 3),
        (&["--user", "ada", "--password", "wrong"], "Incorrect username", 3),
        (&["--rounds", "0"], "--rounds", 2),
        (&["--seconds", "0"], "--seconds", 2),
        (&["--seconds", "5parsecs"], "--seconds", 2),
        (&["--only", "no such operation"], "--only", 2),
        (&["--pid", "0", "--only", "idle"], "--pid", 1),
        (&["--no-such-flag"], "--no-such-flag", 2),
    ];
    for (arguments, named, code) in cases {
        let output = bed.run(arguments);
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}");
        let sentence = sentence(&output);
        assert!(sentence.contains(named), "{arguments:?}: {sentence}");
    }
    bed.assert_untouched();
}

#[test]
fn another_redis_than_the_stores_is_refused() {
    let bed = Bed::new();
    let other = Redis::start();
    let output = bed.run(&["--redis", &other.url()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(sentence(&output).contains("not the same"), "{}", sentence(&output));
    bed.assert_untouched();
    let keys: Vec<String> = other.command(&["KEYS", "*"]);
    assert!(keys.is_empty(), "{keys:?}");
}

/// What it said: a sentence and no panic. Behind an unknown flag comes a line that points to the help.
#[track_caller]
fn sentence(output: &Output) -> String {
    let errors = text(&output.stderr);
    assert!(
        errors.starts_with("ptg-store bench: ") && !errors.contains("panicked"),
        "{errors}"
    );
    let line = errors.lines().next().unwrap_or_default();
    assert!(errors.lines().count() == 1 || errors.contains("--help"), "{errors}");
    line.to_string()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
