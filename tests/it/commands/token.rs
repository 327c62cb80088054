//! The token of the environment goes to the store that it was made for, and to no other (docs/command-line.md).

use crate::commands::push_ends::fails;
use crate::harness::liar::{Liar, reply};
use crate::harness::{Running, Shell, Store};

/// A token that must not get there.
const SECRET: &str = "my-secret-token";

/// Every command that asks a store, with what makes it do so.
const COMMANDS: &[&[&str]] = &[
    &["push", "s", "/dev/null"],
    &["pull", "s", "--retry", "0"],
    &["streams"],
    &["streams", "--json"],
    &["record", "s", "--out", "recording", "--retry", "0"],
    &["doctor", "--quick"],
    &["bench", "--only", "ping", "--rounds", "1"],
];

/// Something that only writes down what it is asked.
fn listener() -> Liar {
    Liar::start(|_| reply(401, "", r#"{"detail":"Not authenticated"}"#))
}

/// Runs a command in an environment with the token, and this store if there is one.
#[track_caller]
fn with_variable(shell: &Shell, own: Option<&str>, arguments: &[&str]) -> std::process::Output {
    let mut command = shell.command(arguments);
    command.env("PTG_STORE_TOKEN", SECRET);
    match own {
        Some(own) => command.env("PTG_STORE_URL", own),
        None => command.env_remove("PTG_STORE_URL"),
    };
    Running::start(command).wait()
}

fn sent(liar: &Liar) -> bool {
    liar.heads().iter().any(|head| head.contains(SECRET))
}

#[test]
fn the_token_of_the_environment_is_not_sent_to_another_store() {
    let liar = listener();
    let url = liar.url();
    let shell = Shell::at("http://127.0.0.1:1");
    for command in COMMANDS {
        let arguments = [command, &["--url", &url][..]].concat();
        for own in [
            None,
            Some("http://127.0.0.1:1"),
            Some("http://lab/store"),
            Some("nonsense"),
        ] {
            let output = with_variable(&shell, own, &arguments);
            assert!(!sent(&liar), "{arguments:?} with {own:?}: {output:?}");
            if !matches!(command[0], "doctor" | "bench") {
                fails(&output, 3, "PTG_STORE_TOKEN is for the store at");
                fails(&output, 3, &format!("and is not sent to {url}; give --token"));
            }
        }
    }
}

#[test]
fn it_is_sent_to_its_own_store_however_that_is_written_and_nowhere_else_on_that_machine() {
    let liar = listener();
    let shell = Shell::at(&liar.url());
    let port = liar.address().port();
    let (own, upper) = (
        format!("http://LOCALHOST:{port}/lab"),
        format!("http://LocalHost:{port}/lab/"),
    );
    for other in ["", "/", "/la", "/lab2", "/lab/x", "/Lab", "/lab//x"] {
        let url = format!("http://localhost:{port}{other}");
        fails(
            &with_variable(&shell, Some(&own), &["streams", "--url", &url]),
            3,
            "is not sent",
        );
    }
    let by_number = format!("http://127.0.0.1:{port}/lab");
    fails(
        &with_variable(&shell, Some(&own), &["streams", "--url", &by_number]),
        3,
        "is not sent",
    );
    assert!(!sent(&liar) && liar.heads().is_empty(), "{:?}", liar.heads());
    for (nth, arguments) in [
        &["streams"][..],
        &["streams", "--url", &own],
        &["streams", "--url", &upper],
    ]
    .iter()
    .enumerate()
    {
        fails(&with_variable(&shell, Some(&own), arguments), 3, "401");
        assert_eq!(liar.heads().len(), nth + 1);
        assert!(
            liar.heads()[nth].contains(&format!("Authorization: Bearer {SECRET}")),
            "{:?}",
            liar.heads()
        );
    }
}

#[test]
fn a_token_that_is_said_goes_where_the_user_says() {
    let liar = listener();
    let (shell, url) = (Shell::at("http://127.0.0.1:1"), liar.url());
    for command in COMMANDS {
        let before = liar.heads().len();
        let arguments = [command, &["--url", &url, "--token", "this-one"][..]].concat();
        with_variable(&shell, None, &arguments);
        let heads = liar.heads().split_off(before);
        // The doctor sees that this is no store, and the benchmark that there is no Redis, before they would say who asks.
        let says_so = !matches!(command[0], "doctor" | "bench");
        assert!(
            !says_so || heads.iter().any(|head| head.contains("Bearer this-one")),
            "{heads:?}"
        );
        assert!(!sent(&liar), "{heads:?}");
    }
}

#[test]
fn a_login_to_the_other_store_is_used_instead() {
    let (here, there) = (Store::start(), Store::start());
    let shell = Shell::of(&here);
    let url = there.url("");
    let output = shell.feed(&["login", "bob", "--password-stdin", "--url", &url], b"bob");
    assert!(output.status.success(), "{output:?}");
    there.add("of-there", &[b"entry"]);
    assert_eq!(
        shell.print(&["pull", "of-there", "--url", &url, "--from", "first", "--count", "1"]),
        "entry"
    );
    shell.print(&["streams"]);
}

#[test]
fn a_token_whose_time_is_over_is_printed_as_the_other_commands_use_it_and_that_is_said() {
    use base64::Engine;
    let store = Store::start();
    let mut shell = Shell::of(&store);
    let claims = r#"{"sub":"ada","exp":1650000000}"#;
    let token = format!(
        "e30.{}.c2ln",
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims)
    );
    shell.token = Some(token.clone());
    let (printed, said) = shell.do_well(&["token"]);
    assert_eq!(printed, format!("{token}\n"));
    for words in [
        "was good until 2022-04-15T05:20:00Z",
        "a store may refuse it",
        "unset PTG_STORE_TOKEN; ",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains(&token), "{said}");
    shell.token = Some(store.token.clone());
    assert_eq!(shell.do_well(&["token"]), (format!("{}\n", store.token), String::new()));
    shell.token = None;
    fails(&shell.run(&["token"]), 3, "there is no token for the store at");
}

#[test]
fn a_redirect_is_not_followed() {
    let target = listener();
    let location = format!("Location: {}/streams/\r\n", target.url());
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let liar = Liar::start(move |_| reply(status, &location, "{}"));
        let shell = Shell::at(&liar.url());
        for command in COMMANDS {
            with_variable(&shell, Some(&liar.url()), command);
        }
        assert!(sent(&liar));
    }
    assert!(target.heads().is_empty(), "{:?}", target.heads());
}
