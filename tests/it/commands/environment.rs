//! The flags of the store in the environment, and an address that cannot be had.

use std::net::TcpListener;
use std::process::Output;

use crate::harness::{PATIENCE, Program, Redis, eventually, text};

/// A start that must not come to serve, in this environment.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Program::command(arguments);
    command.envs(variables.iter().copied());
    Program::run_to_end(command)
}

/// The flags with a value that the help and docs/configuration.md name, each with its variable.
fn flags(help: &str) -> Vec<(String, String)> {
    let rows = help.split("\n  --").skip(1);
    let named = rows.map(|row| {
        let flag = row.split_whitespace().next().expect("a name");
        let variable = format!("PTG_STORE_{}", flag.to_uppercase().replace('-', "_"));
        assert!(
            row.contains(&format!("[{variable}]")),
            "--{flag} has no variable: {row}"
        );
        (format!("--{flag}"), variable)
    });
    named.collect()
}

#[test]
fn every_flag_has_a_variable_in_the_help_and_in_the_readme() {
    let help = text(&Program::run(&["--help"]).stdout);
    let help = help.split("\n  -h, --help").next().expect("the flags");
    let flags = flags(help);
    assert!(flags.len() > 20, "{flags:?}");
    let readme = include_str!("../../../docs/configuration.md");
    for (flag, variable) in &flags {
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{flag}` |")));
        assert!(
            row.is_some_and(|row| row.contains(&format!("`{variable}`"))),
            "{flag}: {row:?}"
        );
    }
}

#[test]
fn a_variable_does_what_its_flag_does_and_the_flag_comes_first() {
    let (redis, other) = (Redis::start(), Redis::start());
    let (url, other_url) = (redis.url(), other.url());
    let variables = [
        ("PTG_STORE_REDIS", &*url),
        ("REDIS_URL", &other_url),
        ("PTG_STORE_LISTEN", "127.0.0.1:0"),
        ("PTG_STORE_MAX_LEN", "7"),
        ("PTG_STORE_ALLOW_ORIGIN", "https://a.example,https://b.example"),
        ("PTG_STORE_INSECURE_DEV_AUTH", "false"),
    ];
    let here = std::env::temp_dir();
    let store = Program::start_in(&here, &[], &variables);
    store.add("s", &[b"x"]);
    let entries: usize = redis.command(&["XLEN", "s"]);
    assert_eq!(entries, 1);
    let max_len = |store: &Program| {
        let mut found = None;
        eventually(PATIENCE, || {
            let activity = store.get("/activity").json();
            found = activity["streams"][0]["max_len"].as_u64();
            found.is_some()
        });
        found
    };
    assert_eq!(max_len(&store), Some(7));
    let store = Program::start_in(&here, &["--max-len=8", "--redis", &other_url], &variables);
    store.add("s", &[b"x"]);
    assert_eq!(max_len(&store), Some(8));
    let entries: usize = other.command(&["XLEN", "s"]);
    assert_eq!(entries, 1);
}

#[test]
fn a_bad_value_of_a_variable_names_the_variable_and_is_code_2() {
    for (variable, value) in [
        ("PTG_STORE_LISTEN", "nonsense"),
        ("PTG_STORE_LISTEN", "0.0.0.0:7890"),
        ("PTG_STORE_REDIS", "nonsense"),
        ("REDIS_URL", "nonsense"),
        ("PTG_STORE_MAX_LEN", "0"),
        ("PTG_STORE_MAX_LEN", "many"),
        ("PTG_STORE_MAX_LEN", "-3"),
        ("PTG_STORE_INSECURE_DEV_AUTH", "perhaps"),
        ("PTG_STORE_ALLOW_ORIGIN", "https://a.example,lab"),
        ("PTG_STORE_IDLE_TIMEOUT", "1s"),
        ("PTG_STORE_MAX_MESSAGES", "1MiB"),
        ("PTG_STORE_MAX_MESSAGE", "0"),
        ("PTG_STORE_TOKEN_LIFE", "1\u{1b}[2J\nb"),
    ] {
        let output = run(&["--rest-workers=1"], &[(variable, value)]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{variable}={value}: {said}");
        assert!(said.contains(variable), "{variable}={value}: {said}");
        let flag = variable.replace("PTG_STORE_", "--").replace('_', "-").to_lowercase();
        assert!(!said.contains(&format!("{flag} ")), "{variable}={value}: {said}");
        assert!(said.lines().count() == 1 && !said.contains('\u{1b}'), "{said}");
    }
}

#[test]
fn help_and_a_flag_are_none_the_worse_for_a_bad_variable() {
    let bad = [("PTG_STORE_MAX_LEN", "many"), ("PTG_STORE_LISTEN", "")];
    assert_eq!(run(&["--help"], &bad).status.code(), Some(0));
    let redis = Redis::start();
    let flags = ["--max-len=5", "--redis", &redis.url()];
    Program::start_in(&std::env::temp_dir(), &flags, &bad).assert_serves();
}

#[test]
fn a_variable_that_is_nearly_one_of_the_stores_is_told() {
    let redis = Redis::start();
    let variables = [("PTG_STORE_MAXLEN", "5"), ("PTG_STORE_PORT", "tcp://10.0.0.1:80")];
    let store = Program::start_in(&std::env::temp_dir(), &["--redis", &redis.url()], &variables);
    eventually(PATIENCE, || store.log().contains("PTG_STORE_MAX_LEN would be"));
    assert!(!store.log().contains("PTG_STORE_PORT"), "{}", store.log());
}

#[test]
fn an_address_in_use_is_told_with_who_has_it_and_what_names_another() {
    let redis = Redis::start();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let holder = format!("(process {}) does already", std::process::id());
    let by_flag = run(&["--redis", &redis.url(), "--listen", &address], &[]);
    let by_variable = run(&["--redis", &redis.url()], &[("PTG_STORE_LISTEN", &address)]);
    for output in [by_flag, by_variable] {
        let said = text(&output.stderr);
        // The command line was good.
        assert_eq!(output.status.code(), Some(1), "{said}");
        for words in [&*address, &holder, "--listen", "PTG_STORE_LISTEN"] {
            assert!(said.contains(words), "no {words}: {said}");
        }
    }
    let elsewhere = run(
        &[
            "--redis",
            &redis.url(),
            "--listen=192.0.2.1:7890",
            "--insecure-dev-auth",
        ],
        &[],
    );
    let said = text(&elsewhere.stderr);
    assert!(
        said.contains("no network of this machine has that address. --listen"),
        "{said}"
    );
}
