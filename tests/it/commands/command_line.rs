//! Flags and environment: what the binary says about them and does with them (docs/protocol.md, section 1).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Output};

use crate::harness::{PATIENCE, Program, Redis, eventually, text};

/// Every flag that takes a value, with its default.
const FLAGS: &[(&str, &str)] = &[
    ("--listen", "127.0.0.1:7890"),
    ("--redis", "redis://127.0.0.1:6789"),
    ("--data-dir", "ptg-data"),
    ("--own-redis-port", "6789"),
    ("--max-len", "1000"),
    ("--max-connections", "4096"),
    ("--max-connections-per-address", "512"),
    ("--max-sockets", "1024"),
    ("--max-message", "64MiB"),
    ("--max-body", "64MiB"),
    ("--max-bodies", "256MiB"),
    ("--max-batch", "65536"),
    ("--max-head", "16KiB"),
    ("--head-timeout", "10s"),
    ("--keep-alive", "60s"),
    ("--ping-interval", "20s"),
    ("--idle-timeout", "60s"),
    ("--stall-timeout", "30s"),
    ("--redis-patience", "10s"),
    ("--token-life", "30d"),
    ("--rest-workers", "8"),
];

#[test]
fn help_names_every_flag_with_its_default() {
    let output = Program::run(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).expect("help as text on standard output");
    for (flag, default) in FLAGS {
        let about = about(&help, flag);
        let about: String = about.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(about.contains(default), "no default {default} of {flag}: {about}");
    }
    for flag in ["--insecure-dev-auth", "-V, --version", "-h, --help"] {
        about(&help, flag);
    }
    assert!(about(&help, "--redis").contains("REDIS_URL"));
}

#[test]
fn version_is_the_crates() {
    let output = Program::run(&["--version"]);
    assert!(output.status.success());
    let expected = format!("ptg-store {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn a_bad_flag_ends_it_with_a_message_that_names_it() {
    let cases: &[&[&str]] = &[
        &["--listen", "nonsense"],
        &["--listen", "127.0.0.1"],
        &["--listen", "127.0.0.1:99999"],
        &["--redis", "http://127.0.0.1"],
        &["--redis", "nonsense"],
        &["--max-len", "0"],
        &["--max-len", "many"],
        &["--max-len", "-3"],
        &["--max-body", "12XB"],
        &["--max-message", "MiB"],
        &["--max-head", "99999999999999999999"],
        &["--max-bodies", "18446744073709551615GiB"],
        &["--head-timeout", "5parsecs"],
        &["--token-life", "99999999999999999999d"],
        &["--keep-alive", "-1s"],
        &["--rest-workers", "0"],
        &["--max-connections", "x"],
        &["--no-such-flag", "1"],
    ];
    for case in cases {
        // Named, so that a mistake here starts no Redis; when --redis itself is the case, it is refused anyway.
        let named: &[&str] = if case[0] == "--redis" {
            &[]
        } else {
            &["--redis", "redis://127.0.0.1:1"]
        };
        let output = Program::run(&[*case, named].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{case:?}: {message}");
        assert!(message.contains(case[0]), "{case:?}: {message}");
        assert!(!message.contains("panicked"), "{case:?}: {message}");
    }
}

#[test]
fn what_would_be_right_is_told_of_a_redis_that_is_none_and_of_a_number_that_is_out_of_range() {
    let form = "redis://HOST:PORT";
    for (case, words) in [
        (["--redis", ""], ["--redis", "it is empty", form]),
        (
            ["--redis", "127.0.0.1:1"],
            ["--redis", "it does not begin with redis://", form],
        ),
        (
            ["--redis", "http://a:secret@h"],
            ["--redis", "it does not begin with redis://", form],
        ),
        (
            ["--redis", "redis://h/secret"],
            ["--redis", "Invalid database number;", form],
        ),
        (
            ["--own-redis-port", "99999"],
            ["--own-redis-port", "'99999'", "0 to 65535"],
        ),
        (["--own-redis-port", "-1"], ["--own-redis-port", "'-1'", "0 to 65535"]),
    ] {
        let output = Program::run(&case);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{case:?}: {message}");
        for word in words {
            assert!(message.contains(word), "{word} in {message}");
        }
        for word in ["secret", "InvalidClientConfig", "target type"] {
            assert!(!message.contains(word), "{word} in {message}");
        }
    }
}

#[test]
fn a_flag_without_its_value_and_a_stray_word_end_it_with_a_message() {
    for case in [&["--max-len"][..], &["stray"], &["--max-len", "5", "--max-len"]] {
        let output = Program::run(&[&["--redis", "redis://127.0.0.1:1"], case].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{case:?}: {message}");
        let word = case[case.len() - 1];
        assert!(message.contains(word), "{case:?}: {message}");
    }
}

#[test]
fn a_word_that_is_no_command_is_code_2_and_says_where_they_are() {
    for (word, hint) in [
        ("pul", "did you mean ptg-store pull? "),
        ("streasm", "did you mean ptg-store streams? "),
        ("serve", "ptg-store without a command is the store; "),
        ("ptg-store", ""),
        ("", ""),
    ] {
        let output = Program::run(&[word, "a"]);
        let expected = format!("ptg-store: there is no command '{word}'; {hint}ptg-store --help lists them\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert_eq!(output.status.code(), Some(2));
    }
    assert!(Program::run(&["help"]).status.success());
}

fn run_with(words: &[&str], with: impl Fn(&mut Command) -> &mut Command) -> Output {
    let mut command = Program::command(words);
    with(&mut command);
    Program::run_to_end(command)
}

#[test]
fn what_is_not_utf_8_is_told_and_never_taken_for_nothing() {
    let odd = OsStr::from_bytes(b"\xff");
    for words in [&[][..], &["push", "s"], &["streams", "--token"]] {
        let output = run_with(words, |command| command.arg(odd));
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(
            text(&output.stderr).contains(r#"the argument "\xFF" is not UTF-8"#),
            "{output:?}"
        );
    }
    for (variable, words, code) in [
        ("REDIS_URL", &["--listen", "127.0.0.1:0"][..], 2),
        ("PTG_STORE_URL", &["streams"], 2),
        ("PTG_STORE_TOKEN", &["streams"], 2),
    ] {
        let output = run_with(words, |command| command.env(variable, odd));
        assert_eq!(output.status.code(), Some(code), "{variable}");
        let sentence = format!("the environment's {variable} is not UTF-8");
        assert!(text(&output.stderr).contains(&sentence), "{output:?}");
    }
}

#[test]
fn the_help_of_every_command_says_the_same_of_the_same_flag() {
    let commands = ["login", "streams", "push", "pull", "record", "replay", "doctor"];
    let helps = commands.map(|command| Program::run(&[command, "--help"]).stdout);
    let helps = helps.map(|help| String::from_utf8(help).expect("text"));
    for flag in ["--url", "--token", "--retry", "--quiet"] {
        let named = helps.iter().filter(|help| help.contains(&format!("\n  {flag}")));
        let mut said: Vec<String> = named
            .map(|help| {
                let words: Vec<&str> = about(help, flag).split_whitespace().collect();
                let text = words.join(" ");
                // Only the default of how long to try again differs.
                ["(default forever)", "(default 60s)"]
                    .iter()
                    .fold(text, |text, default| text.replace(default, ""))
            })
            .collect();
        assert!(said.len() > 3, "{flag}");
        said.dedup();
        assert_eq!(said.len(), 1, "{said:?}");
    }
}

#[test]
fn the_start_up_block_says_where_everything_is() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &redis.url()]);
    let log = store.log();
    let address = format!("http://{}", store.addr());
    for word in [&*address, &redis.port().to_string(), "development", "/docs"] {
        eventually(PATIENCE, || store.log().contains(word));
    }
    assert!(
        log.contains(&format!("ptg-store {}", env!("CARGO_PKG_VERSION"))),
        "{log}"
    );
}

#[test]
fn the_environment_may_name_redis_and_the_flag_comes_first() {
    let redis = Redis::start();
    let here = std::env::temp_dir();
    let store = Program::start_in(&here, &[], &[("REDIS_URL", &redis.url())]);
    store.add("by-environment", &[b"x"]);
    let entries: usize = redis.command(&["XLEN", "by-environment"]);
    assert_eq!(entries, 1);
    let elsewhere = [("REDIS_URL", "redis://127.0.0.1:1")];
    let store = Program::start_in(&here, &["--redis", &redis.url()], &elsewhere);
    store.add("by-flag", &[b"x"]);
    let entries: usize = redis.command(&["XLEN", "by-flag"]);
    assert_eq!(entries, 1);
}

#[test]
fn redis_may_be_named_by_a_unix_socket() {
    let redis = Redis::start_with_unix_socket();
    let url = format!("redis+unix://{}", redis.socket_path());
    let store = Program::start(&["--redis", &url]);
    store.assert_serves();
    let mut push = store.push("x", "ack=true");
    crate::harness::send_binary(&mut push, b"entry");
    crate::harness::receive_text(&mut push);
    let mut pull = store.pull("x", "last_entry_id=0");
    assert_eq!(crate::harness::receive_reply(&mut pull)[0].1, b"entry");
}

#[test]
fn a_redis_may_have_a_database_number() {
    let redis = Redis::start();
    let store = Program::start(&["--redis", &format!("{}/3", redis.url())]);
    store.assert_serves();
    let entries: String = redis.command(&["INFO", "keyspace"]);
    assert!(entries.contains("db3:keys=1"), "{entries}");
}

#[test]
fn a_named_redis_that_cannot_be_reached_is_503_and_logged_once_per_change() {
    let redis = Redis::start();
    redis.kill();
    let store = Program::start(&["--redis", &redis.url()]);
    for _ in 0..10 {
        store.get("/ping").expect(503);
        store.get("/streams/").expect(503);
    }
    store.get("/health").expect(200);
    let complaints = || {
        let log = store.log();
        let loud = |line: &&str| line.contains("WARN") || line.contains("ERROR");
        let about_redis = |line: &&str| line.contains("Redis") && line.contains(&redis.port().to_string());
        log.lines()
            .filter(loud)
            .filter(about_redis)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    eventually(PATIENCE, || !complaints().is_empty());
    assert_eq!(complaints().len(), 1, "{:?}", complaints());
    redis.restart();
    eventually(PATIENCE, || store.get("/ping").status == 200);
    store.assert_serves();
    redis.kill();
    for _ in 0..10 {
        store.get("/streams/").expect(503);
    }
    eventually(PATIENCE, || complaints().len() > 1);
    assert_eq!(complaints().len(), 2, "{:?}", complaints());
}

/// What the help says about a flag: from its name to the next flag.
#[track_caller]
fn about<'a>(help: &'a str, flag: &str) -> &'a str {
    let start = [" ", "\n"]
        .iter()
        .find_map(|end| help.find(&format!("\n  {flag}{end}")))
        .unwrap_or_else(|| panic!("{flag} is not in the help: {help}"));
    let rest = &help[start + 1..];
    let end = rest.find("\n  -").unwrap_or(rest.len());
    &rest[..end]
}
