//! What others wrote, at a terminal: shown with escapes, so that it neither moves the cursor nor writes elsewhere nor hides
//! anything; in a pipe, entries to the byte (docs/command-line.md).

use std::fs::write;

use serde_json::{Value, json};

use crate::harness::liar::{Liar, TEXT, closing, reply, socket};
use crate::harness::wire::length;
use crate::harness::{CTRL_C, PATIENCE, Redis, Running, Shell, Store, Terminal, eventually, text};

/// Writes into the clipboard, clears the screen (once with a C1 character), turns what follows around, is not seen, begins a
/// new line. `\u{fe0f}` and the accent belong to the letters before them, and are plain.
const HOSTILE: &str =
    "é\u{1b}]52;c;cm0gLXJm\u{7}\u{1b}[2J\u{9b}2J\u{7f}\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}\u{8}\rwas\nFORGED\ttab";

/// What nothing that is shown may have, besides what the binary itself writes.
const FORBIDDEN: &[&str] = &[
    "\u{1b}]",
    "\u{1b}[2J",
    "\u{7}",
    "\u{8}",
    "\u{9b}",
    "\u{7f}",
    "\u{202e}",
    "\u{2066}",
    "\u{200b}",
    "\u{2028}",
    "\u{feff}",
    "\nFORGED",
];

#[track_caller]
fn assert_harmless(screen: &str) {
    for forbidden in FORBIDDEN {
        assert!(!screen.contains(forbidden), "{forbidden:?} in {screen:?}");
    }
}

/// The same, and it was shown.
#[track_caller]
fn assert_visible(screen: &str) {
    assert_harmless(screen);
    assert!(
        screen.contains(r"é\u{1b}]52;c;cm0gLXJm\u{7}\u{1b}[2J\u{9b}2J\u{7f}\u{202e}"),
        "{screen:?}"
    );
}

/// A store that lies: hostile details, reasons, headers and names, wherever something is to be said.
fn liar() -> Liar {
    Liar::start(|head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let stream = json!({ "id": HOSTILE, "description": format!("{HOSTILE} too"), "entries": 1, "max_len": 1, "newest_id": null });
        match path {
            _ if head.contains("Upgrade: websocket") && path.contains("/reason/") => {
                socket(head, &[closing(1011, HOSTILE)])
            }
            _ if head.contains("Upgrade: websocket") && path.contains("/ids/") => {
                let offsets = json!([[HOSTILE, 0]]).to_string();
                socket(head, &[(TEXT, offsets.into_bytes())])
            }
            "/activity" => {
                let activity = json!({ "now": "2026-11-25T10:00:00Z", "streams": [stream], "default_max_len": 1 });
                reply(200, "", &activity.to_string())
            }
            "/length" | "/length/activity" => {
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes_of_a_header()).into_bytes()
            }
            "/health" => reply(
                200,
                &format!("Server: {}\r\n", bytes_of_a_header()),
                &json!({"version": HOSTILE, "status": "ok"}).to_string(),
            ),
            "/issues/activity" => {
                let issue = json!({ "loc": ["query", HOSTILE], "msg": HOSTILE, "type": HOSTILE });
                reply(422, "", &json!({ "detail": [issue] }).to_string())
            }
            _ => reply(400, "", &json!({ "detail": HOSTILE }).to_string()),
        }
    })
}

/// What a header may hold of it: no control characters but beyond ASCII.
fn bytes_of_a_header() -> String {
    let plain = HOSTILE.replace(|c: char| c.is_ascii_control(), "");
    format!("{plain}x")
}

#[test]
fn what_a_lying_store_says_is_visible_on_a_terminal() {
    let liar = liar();
    let shell = Shell::at(&liar.url());
    for (words, code) in [
        ("push s /dev/null --token x --retry 0", 1),
        ("pull s --token x --retry 0", 1),
        ("streams --token x --url $PTG_STORE_URL/issues", 2),
        ("record s --token x --out recording --retry 0", 1),
        ("login ada --password-stdin < /dev/null", 1),
        ("doctor --token x --quick", 1),
        ("bench --token x --only ping", 1),
    ] {
        let screen = Terminal::run(&shell, words).ends_with(code);
        assert_harmless(&screen);
        // The benchmark may miss its Redis before.
        assert!(
            words.starts_with("bench") || screen.contains(r"\u{202e}"),
            "{words}: {screen:?}"
        );
    }
}

#[test]
fn what_a_lying_store_says_is_visible_in_a_pipe_too_because_it_is_for_people() {
    let liar = liar();
    let shell = Shell::at(&liar.url());
    for words in [
        &["push", "s", "/dev/null", "--token", "x", "--retry", "0"][..],
        &["pull", "s", "--token", "x"],
        &["record", "s", "--token", "x", "--out", "recording"],
    ] {
        let output = shell.run(words);
        assert_visible(&text(&output.stderr));
        assert_eq!(
            text(&output.stderr).lines().count(),
            if words[0] == "pull" { 1 } else { 2 }
        );
    }
}

#[test]
fn close_reasons_and_ids_of_a_lying_store_are_visible() {
    // The prefix says what it lies about.
    let liar = liar();
    for lie in ["reason", "ids"] {
        let shell = Shell::at(&format!("{}/{lie}", liar.url()));
        let screen = Terminal::run(&shell, "pull s --token x --retry 0 --from 1-0").ends_with(1);
        assert_visible(&screen);
    }
    let shell = Shell::at(&format!("{}/reason", liar.url()));
    assert_visible(&Terminal::run(&shell, "push s /dev/null --token x --retry 0").ends_with(1));
    let shell = Shell::at(&format!("{}/length", liar.url()));
    let screen = Terminal::run(&shell, "streams --token x").ends_with(1);
    assert_harmless(&screen);
    assert!(screen.contains(r"its Content-Length is 'é]52;"), "{screen:?}");
}

#[test]
fn names_of_streams_are_one_cell_of_one_line_on_a_terminal_and_in_a_pipe() {
    let liar = liar();
    let shell = Shell::at(&liar.url());
    let screen = Terminal::run(&shell, "streams --token x").ends_with(0);
    assert_visible(&screen);
    assert_eq!(screen.lines().count(), 2, "{screen:?}");
    let piped = shell.print(&["streams", "--token", "x"]);
    assert_eq!(piped.lines().count(), 1, "{piped:?}");
    assert_eq!(piped.trim_end_matches('\n').split('\t').count(), 6, "{piped:?}");
    assert!(
        piped.chars().all(|c| !c.is_control() || "\t\n".contains(c)),
        "{piped:?}"
    );
    // JSON means the same wherever it is shown.
    let screen = Terminal::run(&shell, "streams --token x --json").ends_with(0);
    assert_harmless(&screen);
    for shown in [screen, shell.print(&["streams", "--token", "x", "--json"])] {
        let json: Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(
            (&json["id"], &json["description"]),
            (&HOSTILE.into(), &format!("{HOSTILE} too").into())
        );
    }
}

#[test]
fn entries_are_visible_on_a_terminal_and_exact_elsewhere() {
    let store = Store::start();
    let shell = Shell::of(&store);
    // As JSON, what has control characters is no text.
    let text = "a\u{202e}b\u{200b}c\u{2028}d";
    store.add(
        "s",
        &[text.as_bytes(), HOSTILE.as_bytes(), b"two\r\nlines\tand a tab\n"],
    );
    let words = "pull s --from first --until latest";
    for more in ["", " --lines", " --json"] {
        let screen = Terminal::run(&shell, &format!("{words}{more}")).ends_with(0);
        let without_line_ends = screen.replace("\nFORGED", " FORGED");
        assert_harmless(&without_line_ends);
        match more {
            " --json" => {
                let first: Value = serde_json::from_str(screen.lines().next().expect("a line")).expect("JSON");
                assert_eq!(first["data"], text);
            }
            _ => {
                // Its line end is one, its carriage return alone is not.
                assert!(screen.contains("\\rwas\nFORGED\ttab"), "{screen:?}");
                assert!(screen.contains("two\nlines\tand a tab\n"), "{screen:?}");
                assert!(
                    screen.contains(r"é\u{1b}]52;c;cm0gLXJm\u{7}\u{1b}[2J\u{9b}2J"),
                    "{screen:?}"
                );
            }
        }
    }
    let words: Vec<&str> = words.split(' ').collect();
    let piped = shell.run(&words).stdout;
    assert_eq!(
        piped,
        [text.as_bytes(), HOSTILE.as_bytes(), b"two\r\nlines\tand a tab\n"].concat()
    );
}

#[test]
fn file_names_of_a_watched_folder_are_visible() {
    let store = Store::on(&Redis::start(), &[]);
    let shell = Shell::of(&store);
    let folder = shell.home().join("folder");
    std::fs::create_dir(&folder).expect("a folder");
    write(folder.join(HOSTILE), "too large").expect("a file");
    std::os::unix::fs::symlink("/etc/passwd", folder.join(format!("{HOSTILE} link"))).expect("a link");
    write(folder.join("small"), "1").expect("a file");
    let mut push = Terminal::run(&shell, "push s --watch folder --settle 0 --max-entry 5");
    eventually(PATIENCE, || length(&store.redis, "s") == 1);
    push.shows("it is left out");
    push.shows("links are left out");
    push.type_in(&[CTRL_C]);
    assert_visible(&push.ends_with(130));
}

#[test]
fn arguments_are_visible_where_they_are_said_again() {
    let shell = Shell::at("http://127.0.0.1:1");
    write(shell.home().join("hostile"), HOSTILE).expect("a file");
    for (words, code) in [
        ("\"$(cat hostile)\"", 2),
        ("push \"$(cat hostile)\"", 2),
        ("pull s \"$(cat hostile)\"", 2),
        ("streams --url \"$(cat hostile)\"", 2),
        ("push s \"$(cat hostile)\" --token x --retry 0", 1),
        ("replay \"$(cat hostile)\"", 1),
        ("record s --out x --from \"$(cat hostile)\"", 2),
        ("bench --only \"$(cat hostile)\"", 2),
        // These are refused by argh, in lines of its own.
        ("streams \"$(cat hostile)\"", 2),
        ("pull s --count \"$(cat hostile)\"", 2),
        ("bench --rounds \"$(cat hostile)\"", 2),
        ("--listen \"$(cat hostile)\"", 2),
    ] {
        // A shell in between, so that the words are those of a file.
        let script = format!("script -qec '\"$P\" {words}' /dev/null");
        let output = Running::start(shell.script(&script)).wait();
        let screen = text(&output.stdout).replace('\r', "");
        assert_eq!(output.status.code(), Some(code), "{words}: {screen:?}");
        assert_visible(&screen);
    }
}

#[test]
fn a_recording_of_others_is_visible() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("cam", &[b"one"]);
    shell.do_well(&["record", "cam", "--out", "take", "--from", "first", "--until", "latest"]);
    let about = shell.home().join("take/recording.json");
    let mut json: Value = serde_json::from_slice(&std::fs::read(&about).expect("it")).expect("JSON");
    json["store"] = HOSTILE.into();
    // What a name may have that is hostile all the same.
    let name = "a\u{202e}b\u{2028}c\u{200b}";
    json["streams"] = json!({ "cam": "cam", name: "a%E2%80%AEb%E2%80%A8c%E2%80%8B" });
    write(&about, json.to_string()).expect("to write it");
    for file in ["data", "index"] {
        let from = shell.home().join(format!("take/cam.{file}"));
        std::fs::copy(
            from,
            shell.home().join(format!("take/a%E2%80%AEb%E2%80%A8c%E2%80%8B.{file}")),
        )
        .expect("a copy");
    }
    for words in [
        "replay take --check",
        "replay take --fast",
        "record cam --out take --until latest",
        "replay take --stream none",
        "replay take --fast --keep-times --prefix x",
        "replay take --fast --keep-times --prefix x",
    ] {
        let shown = Terminal::run(&shell, &format!("{words}; true")).ends_with(0);
        assert_harmless(&shown);
        assert!(shown.contains(r"\u{202e}"), "{words}: {shown:?}");
    }
}
