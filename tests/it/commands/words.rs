//! How flags and words may be typed, in the store and in every command, and what is said when they make no sense.

use std::process::Output;

use crate::harness::{Program, Redis, Shell, Store, text};

/// The commands, each with words that it takes.
const COMMANDS: &[&[&str]] = &[
    &["login", "ada"],
    &["streams"],
    &["push", "s"],
    &["pull", "s"],
    &["record", "s", "--out=x"],
    &["replay", "folder"],
    &["bench"],
    &["doctor"],
];

/// That it ended with code 2 and one sentence of its own with these words.
#[track_caller]
fn refused(arguments: &[&str], words: &str) -> Output {
    let output = Program::run(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(said.starts_with("ptg-store"), "{arguments:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    assert!(said.contains(words), "{arguments:?}: no {words:?} in {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    output
}

#[test]
fn a_flag_may_have_its_value_behind_an_equals_sign() {
    let redis = Redis::start();
    let store = Program::start(&[
        &*format!("--redis={}", redis.url()),
        "--max-len=3",
        "--insecure-dev-auth=false",
    ]);
    let shell = Shell::of(&store);
    shell.feed(&["push", "s", "--lines", "--quiet=true"], b"one\ntwo\n");
    assert_eq!(
        shell.print(&["pull", "--from=first", "--count=2", "--lines", "s"]),
        "one\ntwo\n"
    );
    let url = format!("--url={}", store.url(""));
    shell.print(&["streams", "--json=yes", &url]);
    assert_eq!(
        shell.print(&["pull", "s", "--from=-5m", "--until=latest", "--lines"]),
        "one\ntwo\n"
    );
}

#[test]
fn behind_two_dashes_a_name_may_look_like_a_flag() {
    let store = Store::start();
    let shell = Shell::of(&store);
    for name in ["--help", "-h", "help", "-", "--from=x", "=", "-V"] {
        shell.feed(&["push", "--quiet", "--", name], name.as_bytes());
        assert_eq!(shell.print(&["pull", "--from", "first", "--count=1", "--", name]), name);
    }
    // A word alone is a stream, too, and not a request that loses what is pushed.
    shell.feed(&["push", "help"], b"again");
    assert_eq!(shell.print(&["pull", "help", "--from=latest", "--count=1"]), "again");
}

#[test]
fn an_unknown_flag_is_code_2_with_the_nearest_in_every_command() {
    refused(
        &["--lisen", "127.0.0.1:0"],
        "there is no flag --lisen; did you mean --listen?",
    );
    refused(&["--max_len=5"], "there is no flag --max_len; did you mean --max-len?");
    refused(&["--port", "8000"], "did you mean --listen?");
    for (arguments, words) in [
        (&["login", "--store=x"][..], "did you mean --url?"),
        (&["-p", "8000"], "there is no flag -p; did you mean --listen?"),
        (&["--prot", "8000"], "did you mean --listen?"),
        (&["pull", "s", "-n", "3"], "there is no flag -n; did you mean --count?"),
        (&["pull", "s", "--format", "json"], "did you mean --json?"),
        (&["delete", "s", "--force"], "did you mean --yes?"),
        (
            &["push", "s", "--max-len", "9"],
            "there is no flag --max-len; ptg-store describe STREAM --max-len N",
        ),
        (
            &["rm", "s"],
            "there is no command 'rm'; ptg-store delete deletes streams; ",
        ),
        (&["del", "s"], "ptg-store delete deletes streams"),
        (&["get", "s"], "ptg-store pull pulls a stream"),
        (&["cat", "s"], "ptg-store pull pulls a stream"),
        (&["tail", "s"], "ptg-store pull pulls a stream"),
        (&["put", "s"], "ptg-store push pushes into a stream"),
    ] {
        refused(arguments, words);
    }
    refused(
        &["--nonsense"],
        "there is no flag --nonsense; ptg-store --help says more",
    );
    for command in COMMANDS {
        refused(
            &[*command, &["--uri=http://127.0.0.1:1"]].concat(),
            "there is no flag --uri; did you mean --url?",
        );
        let more = format!("there is no flag -x; ptg-store {} --help says more", command[0]);
        refused(&[*command, &["-x"]].concat(), &more);
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_code_2_in_every_command() {
    for command in COMMANDS {
        refused(&[*command, &["--url"]].concat(), "--url needs a value");
        refused(&[*command, &["--url", "--url=x"]].concat(), "--url needs a value");
        refused(
            &[*command, &["--url=http://127.0.0.1:1", "--url=http://127.0.0.1:1"]].concat(),
            "--url",
        );
    }
    refused(&["push"], "STREAM is missing");
    refused(&["replay"], "FOLDER is missing");
    refused(&["record", "s"], "--out is missing");
    refused(&["streams", "s"], "'s' stands where only flags may");
    refused(&["login", "ada", "bob"], "'bob' is a word too many");
    refused(
        &["pull", "s", "--json=perhaps"],
        "--json takes no value but true or false, and not 'perhaps'",
    );
    refused(&["bench", "--rounds", "many"], "--rounds");
    refused(&["bench", "--rounds=0"], "--rounds must be at least 1");
    refused(&["bench", "--only=nothing"], "--only nothing");
    refused(
        &["bench", "--redis=nonsense"],
        "--redis: it does not begin with redis://",
    );
    refused(&["bench", "--url=https://lab"], "--url https://lab");
    refused(
        &["doctor", "--redis=nonsense"],
        "--redis: it does not begin with redis://",
    );
    refused(&["--max-len=0"], "--max-len must be at least 1");
    refused(
        &["--url", "http://127.0.0.1:1", "streams"],
        "A command stands first: ptg-store streams",
    );
}

#[test]
fn what_was_typed_reaches_no_terminal_as_it_was() {
    for arguments in [
        ["streams", "--url=a\u{1b}[2J\nb"].as_slice(),
        &["pull", "s", "--count=\u{1b}[2J\nb"],
        &["--max-len=\u{1b}]0;x\u{7}\nb"],
        &["--\u{1b}[2J\nb"],
        &["streams", "\u{1b}[2J\nb"],
    ] {
        let output = refused(arguments, "\\n");
        assert!(!output.stderr.contains(&0x1b), "{output:?}");
    }
}
