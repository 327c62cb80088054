//! Whose token is used where: a store has several names on its own machine, and what is refused is called by its name.

use std::net::TcpListener;
use std::process::Output;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::commands::push_ends::fails;
use crate::harness::liar::{Liar, reply};
use crate::harness::{DEVELOPMENT_KEY, Program, Redis, Running, Shell, Store, text};

/// Somebody who has signed in as ada at this URL.
fn signed_in(url: &str) -> Shell {
    let shell = Shell::at("http://127.0.0.1:1");
    sign_in(&shell, "ada", url);
    shell
}

#[track_caller]
fn sign_in(shell: &Shell, user: &str, url: &str) {
    let output = shell.feed(&["login", user, "--password-stdin", "--url", url], user.as_bytes());
    assert!(output.status.success(), "{output:?}");
}

/// The names of a port of this machine.
fn names(port: u16) -> [String; 3] {
    ["127.0.0.1", "localhost", "LOCALHOST"].map(|name| format!("http://{name}:{port}"))
}

fn with_token(shell: &Shell, token: &str, arguments: &[&str]) -> Output {
    let mut command = shell.command(arguments);
    command.env("PTG_STORE_TOKEN", token);
    Running::start(command).wait()
}

fn signed(claims: &Value) -> String {
    let key = EncodingKey::from_secret(DEVELOPMENT_KEY.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("a token")
}

#[test]
fn a_login_counts_by_every_name_of_its_store() {
    let store = Store::start();
    let names = names(store.addr().port());
    for name in &names {
        let shell = signed_in(name);
        for other in &names {
            shell.print(&["streams", "--url", other]);
        }
        // One login, and so one to forget.
        assert!(
            shell
                .print(&["login", "--logout", "--url", &names[1]])
                .starts_with("forgot")
        );
        for other in &names {
            fails(&shell.run(&["streams", "--url", other]), 3, "401");
        }
    }
}

#[test]
fn a_store_that_listens_on_all_addresses_is_one_by_ipv6_too() {
    if TcpListener::bind("[::1]:0").is_err() {
        // This machine has no IPv6, and so no such name.
        return;
    }
    let redis = Redis::start();
    // One socket for both, as Linux has it.
    let store = Store::on(&redis, &["--listen", "[::]:0", "--insecure-dev-auth"]);
    let port = store.addr().port();
    let shell = signed_in(&format!("http://127.0.0.1:{port}"));
    for name in ["[::1]", "localhost", "127.0.0.1", "[0:0:0:0:0:0:0:1]"] {
        shell.print(&["streams", "--url", &format!("http://{name}:{port}")]);
    }
}

#[test]
fn whoever_signs_in_by_another_name_is_signed_in_instead() {
    let store = Store::start();
    let [number, name, _] = names(store.addr().port());
    let shell = signed_in(&number);
    sign_in(&shell, "bob", &name);
    let token = shell.print(&["token", "--url", &number]);
    assert_eq!(token, shell.print(&["token", "--url", &name]));
    let file = std::fs::read_to_string(shell.home().join("config/ptg-store/login.json")).expect("the login file");
    assert!(file.contains("bob") && !file.contains("ada"), "{file}");
}

#[test]
fn a_stranger_at_another_address_of_this_machine_gets_no_token() {
    let liar = Liar::start(|_| reply(401, "", r#"{"detail":"Not authenticated"}"#));
    let port = liar.address().port();
    let (own, stranger) = (format!("http://127.0.0.2:{port}"), liar.url());
    let redis = Redis::start();
    // Two programs with the same port.
    let store = Program::start(&["--redis", &redis.url(), "--listen", &format!("127.0.0.2:{port}")]);
    let shell = signed_in(&own);
    shell.print(&["streams", "--url", &own]);
    for other in [&stranger, &format!("http://localhost:{port}")] {
        fails(&shell.run(&["streams", "--url", other]), 3, "401");
        fails(&shell.run(&["token", "--url", other]), 3, "there is no token");
    }
    // Nor is its login the store's to forget.
    let said = shell.print(&["login", "--logout", "--url", &stranger]);
    assert!(said.starts_with("there was no login"), "{said}");
    shell.print(&["streams", "--url", &own]);
    drop(store);
    assert!(shell.print(&["login", "--logout", "--url", &own]).starts_with("forgot"));
    let heads = liar.heads();
    assert!(
        !heads.is_empty() && heads.iter().all(|head| !head.contains("Bearer")),
        "{heads:?}"
    );
}

#[test]
fn hints_name_the_store_that_they_are_for() {
    let store = Store::start();
    let (url, elsewhere) = (store.url(""), Shell::at("http://127.0.0.1:1"));
    let hint = format!("ptg-store login --url {url}");
    for arguments in [
        ["streams"].as_slice(),
        &["push", "s", "/dev/null"],
        &["pull", "s"],
        &["record", "s", "--out", "x"],
        &["token"],
    ] {
        fails(&Shell::at(&url).run(arguments), 3, &hint);
        fails(&elsewhere.run(&[arguments, &["--url", &url]].concat()), 3, &hint);
    }
    // As it was called, so that it can be pasted: here by its path.
    let said = text(&Shell::at(&url).run(&["streams"]).stderr);
    assert!(
        said.contains(&format!("with: {} login", env!("CARGO_BIN_EXE_ptg-store"))),
        "{said}"
    );
    fails(
        &elsewhere.run(&["streams", "--url=http://ada:s@lab:1/x"]),
        2,
        "login --url http://lab:1/x",
    );
}

#[test]
fn a_token_that_is_refused_is_called_by_its_name() {
    let store = Store::start();
    let url = store.url("");
    let shell = Shell::at(&url);
    let said = with_token(&shell, "nonsense", &["streams"]);
    fails(
        &said,
        3,
        "it refuses the token in PTG_STORE_TOKEN; sign in anew with: unset PTG_STORE_TOKEN; ",
    );
    fails(&said, 3, &format!("ptg-store login --url {url}"));
    fails(
        &with_token(&shell, "nonsense", &["push", "s", "/dev/null"]),
        3,
        "the token in PTG_STORE_TOKEN",
    );
    fails(
        &with_token(&shell, "a.b.c", &["pull", "s"]),
        3,
        "the token in PTG_STORE_TOKEN",
    );
    fails(
        &shell.run(&["streams", "--token=nonsense"]),
        3,
        "it refuses the token of --token",
    );
    sign_in(&shell, "ada", &url);
    // The variable comes before the login, which would do.
    let said = with_token(&shell, "nonsense", &["streams"]);
    fails(
        &said,
        3,
        "in PTG_STORE_TOKEN; for the login instead: unset PTG_STORE_TOKEN",
    );
    let file = shell.home().join("config/ptg-store/login.json");
    let broken = std::fs::read_to_string(&file)
        .expect("it")
        .replace(r#""token": "e"#, r#""token": "x"#);
    std::fs::write(&file, broken).expect("to write it");
    fails(
        &shell.run(&["streams"]),
        3,
        "it refuses the token in the login file; sign in anew with: ",
    );
}

#[test]
fn a_refused_token_that_is_over_says_since_when() {
    let liar = Liar::start(|_| reply(401, "", r#"{"detail":"Could not validate credentials"}"#));
    let shell = Shell::at(&liar.url());
    let old = signed(&json!({ "sub": "ada", "exp": 1_652_545_719 }));
    fails(
        &with_token(&shell, &old, &["streams"]),
        3,
        "in PTG_STORE_TOKEN, which expired at 2022-05-14T16:28:39Z; ",
    );
}

#[test]
fn token_prints_the_token_in_use_and_nothing_else() {
    let store = Store::start();
    let shell = signed_in(&store.url(""));
    let url = store.url("");
    let token = shell.print(&["token", "--url", &url]);
    assert_eq!(token.lines().count(), 1, "{token}");
    let script = format!(r#"curl -sf -H "Authorization: Bearer $("$P" token --url {url})" {url}/streams/"#);
    let output = Running::start(shell.script(&script)).wait();
    assert!(output.status.success() && output.stdout == b"[]\n", "{output:?}");
    let mut own = Shell::at(&url);
    own.token = Some("some.own.token".into());
    assert_eq!(own.print(&["token"]), "some.own.token\n");
}

#[test]
fn without_a_good_token_nothing_is_printed_and_the_code_is_3() {
    let shell = Shell::at("http://127.0.0.1:1");
    let nothing = |output: Output, words: &str| {
        assert!(output.stdout.is_empty(), "{output:?}");
        fails(&output, 3, words);
    };
    nothing(
        shell.run(&["token"]),
        "there is no token for the store at http://127.0.0.1:1; sign in with: ",
    );
    nothing(
        with_token(&shell, "x", &["token", "--url=http://lab"]),
        "is not sent to http://lab:80",
    );
    let bad = with_token(&shell, "two words", &["token"]);
    assert!(bad.status.code() == Some(2) && bad.stdout.is_empty(), "{bad:?}");
}
