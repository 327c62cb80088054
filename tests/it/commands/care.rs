//! `ptg-store describe` and `ptg-store delete`: care for streams without curl (docs/command-line.md).

use serde_json::{Value, json};

use crate::commands::push_ends::fails;
use crate::harness::wire::length;
use crate::harness::{CTRL_C, CTRL_D, Running, Shell, Store, Terminal, text};

/// What `describe --json` prints.
#[track_caller]
fn described(shell: &Shell, arguments: &[&str]) -> Value {
    let printed = shell.print(&[&["describe", "--json"], arguments].concat());
    assert_eq!(printed.lines().count(), 1, "{printed}");
    serde_json::from_str(&printed).expect("JSON")
}

#[test]
fn describe_shows_what_there_is_and_changes_nothing() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let ids = store.add("a name", &[b"one", b"three"]);
    let known = described(&shell, &["a name"]);
    assert!(
        known["newest_age"]
            .as_f64()
            .is_some_and(|age| (0.0..60.0).contains(&age)),
        "{known}"
    );
    for (name, value) in [
        ("id", json!("a name")),
        ("description", json!("a name")),
        ("max_len", json!(1000)),
        ("entries", json!(2)),
        ("oldest_id", json!(ids[0])),
        ("newest_id", json!(ids[1])),
        ("metadata", json!({})),
    ] {
        assert_eq!(known[name], value, "{name}: {known}");
    }
    // It was not described, and is not by that.
    assert_eq!(store.get("/streams/a%20name").expect(200).json()["meta"], json!({}));
    let printed = shell.print(&["describe", "a name"]);
    let names: Vec<&str> = printed.lines().filter_map(|line| line.split('\t').next()).collect();
    let all = [
        "id",
        "description",
        "max_len",
        "entries",
        "oldest_id",
        "newest_id",
        "newest_age",
        "metadata",
    ];
    assert_eq!(names, all, "{printed}");
    assert!(printed.contains("\nmax_len\t1000\nentries\t2\n"), "{printed}");
    let screen = Terminal::run(&shell, "describe \"a name\"").ends_with(0);
    assert!(screen.contains("\nmax_len      1000\nentries      2\n"), "{screen}");
}

#[test]
fn describe_changes_only_what_is_named() {
    let store = Store::start();
    let shell = Shell::of(&store);
    // Numbers keep all their digits.
    let unit = r#"{"unit":"C","serial":12345678901234567890123}"#;
    let all = [
        "cam",
        "--desc",
        "the camera & more",
        "--max-len",
        "50",
        "--meta",
        unit,
        "--quiet",
    ];
    described(&shell, &all);
    let printed = shell.print(&["describe", "cam"]);
    assert!(printed.contains(&format!("metadata\t{unit}\n")), "{printed}");
    for (changes, name, value) in [
        (&["--max-len", "70"][..], "max_len", json!(70)),
        (&["--desc", "another"], "description", json!("another")),
        (&["--meta", "{\"a\":[]}"], "metadata", json!({"a": []})),
        (&["--meta", "{}"], "metadata", json!({})),
        (&["--desc", ""], "description", json!("cam")),
    ] {
        let mut expected = described(&shell, &["cam"]);
        expected[name] = value;
        assert_eq!(
            described(&shell, &[&["cam"], changes].concat()),
            expected,
            "{changes:?}"
        );
    }
    // It is heeded.
    assert_eq!(store.get("/streams/cam").expect(200).json()["meta"]["max_len"], 70);
}

#[test]
fn a_stream_that_describe_makes_is_said_to_be_new_and_one_that_is_not_there_is_code_1() {
    let store = Store::start();
    let shell = Shell::of(&store);
    fails(&shell.run(&["describe", "nosuch"]), 1, "there is no stream 'nosuch'");
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
    let (printed, said) = shell.do_well(&["describe", "--max-len", "7", "--", "-made"]);
    assert!(
        said.contains("'-made' is new") && printed.contains("max_len\t7\nentries\t0\n"),
        "{said}{printed}"
    );
    let (_, said) = shell.do_well(&["describe", "--max-len", "8", "--", "-made"]);
    assert_eq!(said, "");
}

#[test]
fn a_description_that_cannot_be_read_is_told_and_what_takes_its_place() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("s1", &[b"entry"]);
    for (stream, stored) in [("s1", "no JSON"), ("only", "[1]")] {
        let _: () = store.redis.command(&["SET", &format!("XMETA:{stream}"), stored]);
        // What the store tells of its streams may be a second old.
        let mut output = shell.run(&["describe", stream]);
        crate::harness::eventually(crate::harness::PATIENCE, || {
            output = shell.run(&["describe", stream]);
            text(&output.stderr).contains("describe --desc")
        });
        assert_eq!(
            (output.status.code(), output.stdout.is_empty()),
            (Some(1), true),
            "{output:?}"
        );
        let (printed, said) = shell.do_well(&["describe", "--max-len", "7", stream]);
        assert!(said.contains("is replaced, and gone"), "{said}");
        assert!(printed.contains("max_len\t7\n"), "{printed}");
        let (_, said) = shell.do_well(&["describe", stream]);
        assert_eq!(said, "");
    }
}

#[test]
fn what_the_store_does_not_take_comes_with_its_reason() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let _: () = store.redis.command(&["SET", "text", "text"]);
    for (arguments, code, reason) in [
        (&["describe", "s", "--meta", "[1]"][..], 2, "meta"),
        (&["describe", "s", "--meta", ""], 2, "meta"),
        (&["describe", "s", "--meta", "{\"a\":1,\"a\":2}"], 2, "meta"),
        (&["describe", "s", "--max-len", "0"], 2, "max_len"),
        (&["describe", "s", "--max-len", "many"], 2, "--max-len"),
        (&["describe", "a/b"], 2, "no /"),
        (&["describe"], 2, "stream"),
        (&["describe", "text"], 1, "not a stream"),
        (&["delete"], 2, "at least one"),
        (&["delete", "s", "a/b", "--yes"], 2, "no /"),
        (&["delete", "text", "--yes"], 1, "not a stream"),
        (&["describe", "s", "--token", "secret"], 3, "401"),
        (&["delete", "s", "--yes", "--token", "secret"], 3, "401"),
        (
            &["delete", "s", "--yes", "--url", "http://127.0.0.1:1"],
            3,
            "PTG_STORE_TOKEN",
        ),
        (
            &["delete", "s", "--yes", "--url", "http://127.0.0.1:1", "--token", "t"],
            4,
            "cannot be reached",
        ),
    ] {
        fails(&shell.run(arguments), code, reason);
    }
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
}

#[test]
fn delete_deletes_what_is_there_and_tells_what_is_not() {
    let store = Store::start();
    let shell = Shell::of(&store);
    for name in ["one", "two", "-x", "--yes"] {
        store.add(name, &[b"entry", b"entry"]);
    }
    store.put("/streams/empty?desc=nothing").expect(200);
    store.add("left", &[b"entry"]);
    // Where nobody can be asked, nothing is deleted by chance.
    fails(&shell.run(&["delete", "one"]), 2, "--yes");
    assert_eq!(length(&store.redis, "one"), 2);
    let output = shell.run(&["delete", "--yes", "one", "nosuch", "two", "one"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(
        text(&output.stdout),
        "one: deleted, with 2 entries\ntwo: deleted, with 2 entries\n"
    );
    assert!(
        text(&output.stderr).contains("there is no stream 'nosuch'"),
        "{output:?}"
    );
    let (printed, said) = shell.do_well(&["delete", "--yes", "--quiet", "--", "-x", "--yes", "empty"]);
    assert_eq!((printed.as_str(), said.as_str()), ("", ""));
    assert_eq!(store.get("/streams/").expect(200).json(), json!(["left"]));
}

#[test]
fn on_a_terminal_delete_says_how_much_it_is_and_asks() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.add("cam", &[b"entry", b"entry"]);
    let _: String = store.redis.command(&["XADD", "counted", "20-0", "d", "x"]);
    for (answer, code) in [
        (&b"n\n"[..], 1),
        (b"\n", 1),
        (b"yess\n", 1),
        (&[CTRL_D], 1),
        (&[CTRL_C], 130),
    ] {
        let mut delete = Terminal::run(&shell, "delete cam");
        delete.shows("Delete 'cam' for good? [y/N] ");
        delete.type_in(answer);
        let screen = delete.ends_with(code);
        assert!(
            screen.contains("'cam' has 2 entries; the newest: ") && screen.contains(" old\n"),
            "{screen}"
        );
        assert_eq!(length(&store.redis, "cam"), 2, "{answer:?}");
    }
    let mut delete = Terminal::run(&shell, "delete cam counted nosuch");
    delete.shows("Delete these 2 streams for good? [y/N] ");
    delete.type_in(b"Y\n");
    let screen = delete.ends_with(1);
    assert!(
        screen.contains("'counted' has 1 entry; the newest: its id is no time"),
        "{screen}"
    );
    assert!(screen.contains("there is no stream 'nosuch'"), "{screen}");
    assert_eq!(store.get("/streams/").expect(200).json(), json!([]));
    // Nothing is left to ask about.
    let screen = Terminal::run(&shell, "delete cam").ends_with(1);
    assert!(!screen.contains("[y/N]"), "{screen}");
}

#[test]
fn two_who_change_a_stream_at_once_both_find_what_they_said() {
    let store = Store::start();
    let shell = Shell::of(&store);
    store.put("/streams/s?desc=before&max_len=5").expect(200);
    let script = r#"for n in 1 2 3 4 5; do
        "$P" describe s --desc "text $n" > /dev/null & one=$!
        "$P" describe s --max-len $((n * 10)) > /dev/null & two=$!
        wait $one && wait $two && "$P" describe s | sed -n '2,3p' | tr '\n' ' '
    done"#;
    let printed = text(&Running::start(shell.script(script)).wait().stdout);
    let expected: String = (1..=5)
        .map(|n| format!("description\ttext {n} max_len\t{} ", n * 10))
        .collect();
    assert_eq!(printed, expected);
}
