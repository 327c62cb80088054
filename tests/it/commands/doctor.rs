//! `ptg-store doctor`: it finds what is wrong, says what mends it, shows no secrets, and leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Manner, PATIENCE, Program, Proxy, Redis, Store, eventually, signal};

/// A store and a Redis with which nothing is wrong.
pub struct Bed {
    pub store: Store,
    pub redis: Redis,
}

/// What the doctor said.
pub struct Report {
    code: Option<i32>,
    pub text: String,
}

impl Bed {
    pub fn healthy() -> Bed {
        let redis = Redis::start_durable();
        redis.command::<()>(&["CONFIG", "SET", "maxmemory", "1gb"]);
        Bed::on(redis)
    }

    pub fn on(redis: Redis) -> Bed {
        Bed {
            store: Store::on(&redis, &[]),
            redis,
        }
    }

    /// The doctor for this store and this Redis, as far as the arguments do not say otherwise.
    pub fn doctor(&self, arguments: &[&str]) -> Command {
        doctor(&self.with_addresses(arguments))
    }

    /// A quick look.
    #[track_caller]
    pub fn examine(&self, arguments: &[&str]) -> Report {
        report(self.doctor(arguments).arg("--quick"))
    }

    pub fn with_addresses(&self, arguments: &[&str]) -> Vec<String> {
        let given = [
            ("--url", self.store.url("")),
            ("--redis", self.redis.url()),
            ("--token", self.store.token.clone()),
        ];
        let mut all: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        for (flag, value) in given {
            if !arguments.contains(&flag) {
                all.extend([flag.to_owned(), value]);
            }
        }
        all
    }

    /// Neither streams of the examination nor their descriptions are left.
    #[track_caller]
    pub fn assert_clean(&self) {
        let keys: Vec<String> = self.redis.command(&["KEYS", "*doctor-*"]);
        assert!(keys.is_empty(), "{keys:?}");
    }
}

/// The command of a line that has one. What there is to know of it stands in brackets before it.
pub fn mend(line: &str) -> Option<&str> {
    Some(line.trim().strip_prefix("mend")?.split_once(": ")?.1)
}

impl Report {
    /// The line of a check.
    #[track_caller]
    pub fn line(&self, check: &str) -> &str {
        let is_of = |line: &&str| {
            line.get(10..)
                .is_some_and(|rest| rest.starts_with(&format!("{check} ")))
        };
        let found = self.text.lines().find(is_of);
        found.unwrap_or_else(|| panic!("no line for {check}: {}", self.text))
    }

    /// The commands below it.
    #[track_caller]
    pub fn mend(&self, check: &str) -> Vec<&str> {
        let line = self.line(check);
        let below = self.text.lines().skip_while(|candidate| *candidate != line).skip(1);
        below.map_while(mend).collect()
    }

    /// The check ended so, with these words.
    #[track_caller]
    pub fn assert(&self, check: &str, verdict: &str, words: &str) -> &Report {
        let line = self.line(check);
        assert!(line.starts_with(verdict), "not {verdict}: {line}");
        assert!(line.contains(words), "no {words:?}: {line}");
        self
    }

    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Report {
        assert_eq!(self.code, Some(code), "{}", self.text);
        self
    }
}

#[test]
fn a_healthy_store_is_found_to_be_so_and_nothing_is_left_behind() {
    let bed = Bed::healthy();
    bed.store.add("cam0", &[b"a picture"]);
    let pid = std::process::id().to_string();
    let report = report(&mut bed.doctor(&["--pid", &pid]));
    report.assert_code(0);
    assert!(!report.text.contains("WRONG"), "{}", report.text);
    report
        .assert("address", "ok", "open")
        .assert("store", "ok", env!("CARGO_PKG_VERSION"))
        .assert("sign-in", "ok", "for this machine only")
        .assert("token", "ok", "of tester")
        .assert("store's Redis", "ok", "answers")
        .assert("redis", "ok", "at 127.0.0.1")
        .assert("redis identity", "ok", "in this Redis")
        .assert("redis memory", "ok", "of 1.0 GiB used")
        .assert("redis policy", "ok", "noeviction")
        .assert("redis persistence", "ok", "appendfsync always")
        .assert("redis clients", "ok", "of at most")
        .assert("clocks", "ok", "agrees")
        .assert("store's open files", "", "in use")
        .assert("disk of Redis", "", "free at")
        .assert("streams' memory", "ok", "1 stream takes")
        .assert("entries", "ok", "none")
        .assert("round trip", "", "ms from push to pull")
        .assert("throughput 1 kB", "", "MB/s")
        .assert("throughput 100 kB", "", "entries/s");
    bed.assert_clean();
    let streams = bed.store.get("/streams/").expect(200).json();
    assert_eq!(streams, json!(["cam0"]));
}

#[test]
fn without_a_token_development_mode_gives_one() {
    let bed = Bed::healthy();
    let mut command = doctor(&["--url", &bed.store.url(""), "--redis", &bed.redis.url(), "--quick"]);
    report(&mut command)
        .assert_code(0)
        .assert("token", "warning", "there is none")
        .assert("round trip", "", "from push to pull");
    // Of another store it is no token for this one.
    report(command.env("PTG_STORE_TOKEN", &bed.store.token)).assert(
        "token",
        "warning",
        "PTG_STORE_TOKEN is for the store at http://127.0.0.1:7890",
    );
    report(command.env("PTG_STORE_URL", bed.store.url("/"))).assert("token", "ok", "in PTG_STORE_TOKEN");
}

#[test]
fn json_is_an_object_a_line_and_the_code_is_the_same() {
    let bed = Bed::healthy();
    bed.redis
        .command::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let report = bed.examine(&["--json"]);
    report.assert_code(1);
    let checks: Vec<Value> = report
        .text
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    assert!(checks.len() > 15, "{}", report.text);
    for check in &checks {
        let verdict = check["verdict"].as_str().expect("a verdict");
        assert!(["ok", "warning", "wrong", "not checked"].contains(&verdict), "{check}");
        assert!(
            check["check"].is_string() && check["found"].is_string() && check["mend"].is_array(),
            "{check}"
        );
    }
    let policy = checks
        .iter()
        .find(|check| check["check"] == "redis policy")
        .expect("the policy");
    assert_eq!(policy["verdict"], "wrong");
}

#[test]
fn no_output_shows_a_token_or_a_password() {
    let bed = Bed::healthy();
    let port = bed.redis.port();
    let token = &bed.store.token;
    let hides = |report: &Report, secret: &str| assert!(!report.text.contains(secret), "{}", report.text);
    for more in [&[][..], &["--json"]] {
        let report = bed.examine(more);
        hides(&report, token);
        // Nor a part of it that is good for anything.
        hides(&report, token.rsplit('.').next().expect("a signature"));
    }
    bed.redis.command::<()>(&["CONFIG", "SET", "requirepass", "s3cret"]);
    for (url, verdict) in [
        (format!("redis://:s3cret@127.0.0.1:{port}"), "ok"),
        (format!("redis://:s3crets@127.0.0.1:{port}"), "WRONG"),
        (format!("redis://127.0.0.1:{port}"), "WRONG"),
    ] {
        let report = bed.examine(&["--redis", &url]);
        report.assert("redis", verdict, "");
        hides(&report, "s3cret");
        if verdict == "WRONG" {
            assert!(report.mend("redis")[0].contains("PASSWORD"), "{}", report.text);
        }
    }
    for url in ["redis://:s3cret@127.0.0.1:x", "redis://:s3cret@127.0.0.1/x", "s3cret"] {
        let report = bed.examine(&["--redis", url]);
        report.assert_code(2);
        hides(&report, "s3cret");
    }
}

#[test]
fn what_makes_no_sense_is_code_2_and_one_sentence() {
    for (arguments, named) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["--pid", "x"], "--pid"),
        (&["--url", "https://127.0.0.1"], "https"),
        (&["--redis", "nonsense"], "--redis"),
    ] {
        let report = report(&mut doctor(arguments));
        report.assert_code(2);
        assert!(
            report.text.contains(named) && !report.text.contains("panicked"),
            "{}",
            report.text
        );
    }
    let help = report(&mut doctor(&["--help"]));
    help.assert_code(0);
    assert!(help.text.contains("--quick"), "{}", help.text);
}

#[test]
fn its_flags_and_checks_are_in_its_page() {
    let page = include_str!("../../../docs/doctor.md");
    let help = report(&mut doctor(&["--help"])).text;
    let cells = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let topics: Vec<&str> = cells.flat_map(|cell| cell.split(", ")).collect();
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    for flag in words.filter(|word| word.starts_with("--") && !["--help", "--"].contains(word)) {
        assert!(topics.contains(&format!("`{flag}`").as_str()), "{flag} has no line");
    }
    let report = report(&mut doctor(&["--pid", "1", "--json", "--url", "http://127.0.0.1:1"]));
    for line in report.text.lines() {
        let check: Value = serde_json::from_str(line).expect(line);
        let name = check["check"].as_str().expect("a name");
        // Of each size of entries.
        let name = if name.starts_with("throughput") {
            "throughput"
        } else {
            name
        };
        assert!(topics.contains(&name), "{name} has no line");
    }
}

#[test]
fn ctrl_c_removes_the_stream() {
    let redis = Redis::start_durable();
    let proxy = Proxy::to(&redis);
    // So that every check takes its time.
    proxy.set(Manner::Delay(Duration::from_millis(100)));
    let store = Store::through(&proxy, &redis, &[]);
    let bed = Bed { store, redis };
    for reached in ["redis identity", "round trip"] {
        let mut child = bed.doctor(&[]).spawn().expect("to start the doctor");
        let lines = BufReader::new(child.stdout.as_mut().expect("its output")).lines();
        let mut names = lines.map_while(Result::ok).filter(|line| line.contains(reached));
        assert!(names.next().is_some(), "it never came to {reached}");
        eventually(PATIENCE, || {
            !bed.redis.command::<Vec<String>>(&["KEYS", "doctor-*"]).is_empty()
        });
        signal("INT", child.id());
        let output = child.wait_with_output().expect("its end");
        assert_eq!(
            output.status.code(),
            Some(130),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        bed.assert_clean();
    }
}

/// The doctor with these arguments, in an environment that names no store, Redis or token.
pub fn doctor(arguments: &[impl AsRef<str>]) -> Command {
    let mut all = vec!["doctor"];
    all.extend(arguments.iter().map(AsRef::as_ref));
    let mut command = Program::command(&all);
    undisturbed(&mut command);
    command
}

pub fn undisturbed(command: &mut Command) -> &mut Command {
    // An absolute folder without a login file.
    let nowhere = std::env::temp_dir().join("ptg-store-no-login");
    command
        .current_dir(std::env::temp_dir())
        .env("XDG_CONFIG_HOME", nowhere);
    command
        .env_remove("PTG_STORE_TOKEN")
        .env_remove("PTG_STORE_URL")
        .stdin(Stdio::null())
}

/// Runs it to its end. What it says goes into a pipe, and so has no colour.
#[track_caller]
pub fn report(command: &mut Command) -> Report {
    let Output { status, stdout, stderr } = command.output().expect("to run the doctor");
    let text = [stdout, stderr]
        .map(|bytes| String::from_utf8(bytes).expect("text"))
        .concat();
    assert!(!text.contains('\x1b') && !text.contains("panicked"), "{text}");
    Report {
        code: status.code(),
        text,
    }
}
