//! `ptg-store pull` at a terminal: what it shows there, and what it does not (docs/command-line.md).

use crate::harness::{CTRL_C, Shell, Store, Terminal};

/// Not text, and what would be left of it on a screen.
const BINARY: &[u8] = b"\xff\xd8\xff\xe0 binary";

#[test]
fn text_is_shown_and_what_is_binary_is_not() {
    let store = Store::start();
    let shell = Shell::of(&store);
    for (stream, binary) in [("picture", BINARY), ("zero", b"\0 binary")] {
        store.add(stream, &["käse".as_bytes(), binary]);
        let words = format!("pull {stream} --from first --lines");
        let screen = Terminal::run(&shell, &words).ends_with(1);
        assert!(screen.starts_with("käse\n"), "{screen}");
        for way in ["> file", "--out DIR", "--json"] {
            assert!(screen.contains(way), "{screen}");
        }
        // It said the word itself, once.
        assert_eq!(screen.matches(" binary").count(), 1, "{screen}");
    }
}

#[test]
fn elsewhere_and_as_json_binary_is_welcome() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("picture", &[BINARY]);
    let output = shell.run(&["pull", "picture", "--from", "first", "--count", "1"]);
    assert_eq!(output.stdout, BINARY);
    let words = "pull picture --from first --count 1";
    Terminal::run(&shell, &format!("{words} --json")).ends_with(0);
    Terminal::run(&shell, &format!("{words} --out pictures")).ends_with(0);
}

#[test]
fn a_stream_that_is_not_there_is_told_once() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let mut pull = Terminal::run(&shell, "pull nosuch");
    pull.shows("ptg-store pull: there is no stream 'nosuch' yet; waiting\n");
    store.add("nosuch", &[b"an entry"]);
    pull.shows("an entry");
    pull.type_in(&[CTRL_C]);
    let screen = pull.ends_with(130);
    assert_eq!(screen.matches("waiting").count(), 1, "{screen}");
    // Neither who wants quiet nor who has no terminal is told, and a stream with entries is no reason to.
    for (words, code) in [
        ("pull none --timeout 2500ms --quiet", 5),
        ("pull none --timeout 2500ms 2>&1 | cat", 0),
        ("pull nosuch --timeout 2500ms", 5),
    ] {
        let screen = Terminal::run(&shell, words).ends_with(code);
        assert!(!screen.contains("waiting"), "{screen}");
    }
}

#[test]
fn of_a_stream_that_is_not_there_the_one_that_was_meant_is_told() {
    let store = Store::start();
    let shell = Shell::of(&store);
    for name in ["load", "a", "b"] {
        store.add(name, &[b"entry"]);
    }
    store.put("/streams/empty?desc=nothing").expect(200);
    for (words, said) in [
        ("laod", "there is no stream 'laod' yet; waiting; did you mean 'load'?\n"),
        (
            "a+b",
            "there is no stream 'a+b' yet; waiting; there are a b, and this takes one stream",
        ),
        (
            "\"*\"",
            "there is no stream '*' yet; waiting; pull takes one stream: ptg-store record '*'",
        ),
        ("empty", "nothing in 'empty' yet; waiting\n"),
    ] {
        let screen = Terminal::run(&shell, &format!("pull {words} --timeout 2s")).ends_with(5);
        assert!(screen.contains(said), "{screen}");
        assert_eq!(screen.matches("waiting").count(), 1, "{screen}");
    }
    // One that ends at once says it, too, and in a pipe nothing does.
    let screen = Terminal::run(&shell, "pull laod --from first --until latest").ends_with(0);
    assert!(
        screen.contains("there is no stream 'laod'; did you mean 'load'?\n"),
        "{screen}"
    );
    let (_, said) = shell.do_well(&["pull", "laod", "--from", "first", "--until", "latest"]);
    assert_eq!(said, "");
}

#[test]
fn entries_that_do_not_end_a_line_get_a_line_end_at_a_terminal_alone() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("s", &[b"one", b"two\n", b"", b"three\n\n", b"four"]);
    let words = "pull s --from first --until latest";
    assert_eq!(Terminal::run(&shell, words).ends_with(0), "one\ntwo\n\nthree\n\nfour\n");
    let screen = Terminal::run(&shell, &format!("{words} > file 2> /dev/null; cat file")).ends_with(0);
    assert_eq!(screen, "onetwo\nthree\n\nfour");
}

#[test]
fn places_that_are_likely_not_what_was_meant_are_told() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("s", &[b"entry"]);
    for (words, said) in [
        (
            &["--from", "-5m", "--until", "-10m"][..],
            "the end (--until) lies before the beginning (--from)",
        ),
        (
            &["--from", "first", "--until", "-1w"],
            "'s' has no entry from first up to -1w",
        ),
        (
            &["--from", "1795873301", "--until", "latest"],
            "--from 1795873301 is read as milliseconds since 1970; if seconds were meant, that is 2026-11-28T13:41:41Z",
        ),
    ] {
        let (_, told) = shell.do_well(&[&["pull", "s"], words].concat());
        assert!(told.contains(said) && told.lines().count() == 1, "{told}");
        let (_, told) = shell.do_well(&[&["pull", "s", "--quiet"], words].concat());
        assert_eq!(told, "");
    }
    let (_, told) = shell.do_well(&["pull", "s", "--from", "-5m", "--until", "latest"]);
    assert_eq!(told, "");
    let words = "streams > /dev/null; TZ=Mars/X \"$P\" pull s --from 2001-07-01T08:00 --count 1";
    let screen = Terminal::run(&shell, words).ends_with(0);
    assert!(
        screen.contains("there is no time zone 'Mars/X' (TZ) here, so this is UTC"),
        "{screen}"
    );
}

#[test]
fn a_moment_is_told_as_it_was_taken_at_a_terminal_alone() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("s", &[b"entry"]);
    let words = "pull s --from 2001-07-01T08:00 --until 2099-01-01 --count 1";
    let screen = Terminal::run(&shell, &format!("{words} 2>&1")).ends_with(0);
    // By the clock of a machine in Berlin.
    assert!(
        screen.contains("--from 2001-07-01T08:00 is 2001-07-01T08:00:00+02:00, "),
        "{screen}"
    );
    assert!(
        screen.contains("--until 2099-01-01 is 2099-01-01T00:00:00+01:00, "),
        "{screen}"
    );
    for words in [format!("{words} --quiet"), "pull s --from first --count 1".into()] {
        assert_eq!(Terminal::run(&shell, &words).ends_with(0), "entry\n");
    }
    let output = shell.run(&words.split(' ').collect::<Vec<_>>());
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (&b"entry"[..], &b""[..])
    );
}
