//! docs/pulling.md, streams that begin anew while nobody reads: whoever comes back with an old id, and the programs that do.

use serde_json::{Value, json};

use crate::follow::events;
use crate::harness::wire::{OPEN_PULLS, closes_with, ping};
use crate::harness::{PATIENCE, Redis, Shell, Store, count_recorded, eventually, receive_json, recorded, text};
use crate::pull::generation_readers::{before, entry, gap_in, names, number};

fn stream(store: &Store, from: usize, kind: &str, count: usize) {
    number(&store.redis, "s", from, &names(kind, 1..=count));
}

#[test]
fn whoever_has_read_an_entry_beyond_the_newest_is_told_and_begins_at_the_start() {
    let store = Store::start();
    stream(&store, 1, "new", 3);
    let mut events = events::open(&store, "/data/s", &["Last-Event-ID: 20-0"]);
    let event = events::next(&mut events);
    assert_eq!(
        (event.kind.as_str(), event.id.as_str()),
        ("gap", before("1-0").as_str())
    );
    let gap = json!({"stream": "s", "gap": {"after": "20-0", "before": "1-0", "missed": null}});
    assert_eq!(serde_json::from_str::<Value>(&event.data).expect("a line"), gap);
    assert_eq!(events::next(&mut events).id, "1-0");
    let mut pull = store.pull("s", "format=json&resume=true&last_entry_id=20-0");
    assert_eq!(receive_json(&mut pull), gap);
    for id in ["1-0", "2-0", "3-0"] {
        assert_eq!(receive_json(&mut pull)["id"], id);
    }
    let mut pull = store.pull("s", "resume=true&on_gap=close&last_entry_id=20-0");
    let reason = closes_with(&mut pull, 4001);
    assert_eq!(gap_in(&reason), json!({"after": "20-0", "before": "1-0"}));
    // A gap that was told is not told again to whoever goes on behind it.
    let id = event.id;
    let mut pull = store.pull("s", &format!("format=json&resume=true&last_entry_id={id}"));
    assert_eq!(receive_json(&mut pull)["id"], "1-0");
    // Without having read it, one waits.
    let mut pull = store.pull("s", "format=json&last_entry_id=20-0");
    assert_eq!(ping(&mut pull), []);
    assert_eq!(store.metric("ptg_pull_gaps_total"), 3.0);
}

#[test]
fn whoever_has_read_an_entry_of_a_stream_that_is_gone_is_told() {
    let store = Store::start();
    let mut pull = store.pull("s", "format=json&resume=true&last_entry_id=20-0");
    assert_eq!(receive_json(&mut pull)["gap"]["before"], "0-1");
    stream(&store, 1, "new", 1);
    assert_eq!(receive_json(&mut pull)["id"], "1-0");
}

#[test]
fn whoever_has_read_an_entry_that_would_still_be_there_is_told() {
    let store = Store::start();
    stream(&store, 30, "new", 2);
    for (query, is_told) in [("resume=true", true), ("", false)] {
        let mut pull = store.pull("s", &format!("format=json&last_entry_id=20-0&{query}"));
        if is_told {
            assert_eq!(receive_json(&mut pull)["gap"]["before"], "30-0");
        }
        assert_eq!(receive_json(&mut pull)["id"], "30-0");
    }
}

#[test]
fn an_empty_reply_says_how_far_a_stream_has_come_that_has_not_come_as_far_as_asked() {
    let store = Store::start();
    stream(&store, 1, "old", 11);
    number(&store.redis, "t", 1, &names("old", 1..=50));
    for (path, told) in [
        ("/data/s?last_entry_id=20-0", Some("11-0")),
        ("/data/s?last_entry_id=20-0&format=json", Some("11-0")),
        ("/data/s?last_entry_id=20-0&format=raw", Some("11-0")),
        ("/v2/data/s?last_entry_id=20-0", Some("11-0")),
        ("/data/none?last_entry_id=20-0", Some("0-0")),
        ("/data/s+t?last_entry_id=20-0+50-0", Some("11-0+50-0")),
        ("/data/s+t?last_entry_id=20-0", None),
        ("/data/s?last_entry_id=11-0", None),
        ("/data/s?last_entry_id=5-0", None),
        ("/data/s?last_entry_id=$", None),
        ("/data/none?last_entry_id=0", None),
    ] {
        let before = store.redis.command::<String>(&["INFO", "commandstats"]);
        let answer = store.get(path).expect(200);
        assert_eq!(answer.header("last-generated-id"), told, "{path}");
        // Replies with entries cost no look.
        if !answer.body.is_empty() {
            let looks = |stats: &str| {
                stats
                    .lines()
                    .find(|line| line.starts_with("cmdstat_xinfo|stream:"))
                    .map(str::to_owned)
            };
            let after = store.redis.command::<String>(&["INFO", "commandstats"]);
            assert_eq!(looks(&before), looks(&after), "{path}");
        }
    }
    let store = Store::on(&store.redis, &["--allow-origin", "http://lab.example"]);
    let lines = ["Origin: http://lab.example"];
    let answer = store.exchange(store.head("GET", "/data/s?last_entry_id=20-0", &lines));
    let exposed = answer
        .header("access-control-expose-headers")
        .unwrap_or_default()
        .to_owned();
    assert!(exposed.contains("last-generated-id"), "{exposed}");
}

#[test]
fn an_empty_reply_has_redis_send_no_entry_however_large_the_oldest_is() {
    const LARGE: usize = 4 << 20;
    let redis = Redis::start();
    let large = "x".repeat(LARGE);
    for (id, data) in [("1-0", large.as_str()), ("2-0", "small")] {
        redis.command::<String>(&["XADD", "s", id, "d", data]);
    }
    let without = redis.url_of_lab(&["~*", "+@all", "-eval"]);
    for (store, told) in [
        (Store::on(&redis, &[]), Some("2-0")),
        (Store::at(&without, &redis, &[]), None),
    ] {
        for (newest, told) in [("2-0", None), ("3-0", told)] {
            let before = redis.sent();
            for _ in 0..5 {
                let answer = store.get(&format!("/data/s?last_entry_id={newest}")).expect(200);
                assert_eq!(
                    (answer.body.as_slice(), answer.header("last-generated-id")),
                    (&b""[..], told)
                );
            }
            let sent = redis.sent() - before;
            assert!(sent < LARGE, "{newest}: {sent} bytes");
        }
    }
}

#[test]
fn a_pull_of_the_command_line_says_so_and_goes_on() {
    for more in [&["--json"][..], &["--json", "--newest"]] {
        let store = Store::start();
        let shell = Shell::of(&store);
        stream(&store, 1, "old", 20);
        let arguments = [&["pull", "s", "--from", "19-0", "--timeout", "8s"][..], more].concat();
        let running = shell.start(&arguments);
        eventually(PATIENCE, || store.metric("ptg_entries_out_total{via=\"pull\"}") >= 1.0);
        store.delete("/streams/s").expect(200);
        stream(&store, 1, "new", 3);
        let output = running.wait();
        let (printed, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("begun anew"), "{said}");
        let lines: Vec<Value> = printed
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(
            lines.iter().filter(|line| line["gap"]["after"] == "20-0").count(),
            1,
            "{printed}"
        );
        let ids: Vec<&str> = lines.iter().filter_map(|line| line["id"].as_str()).collect();
        match more.len() {
            1 => assert_eq!(ids, ["20-0", "1-0", "2-0", "3-0"]),
            _ => assert_eq!((ids[0], ids[ids.len() - 1]), ("20-0", "3-0")),
        }
    }
}

/// What the command line prints that pulls behind `from` from a stream of so many entries, while the store restarts and the
/// stream begins anew with so many.
#[track_caller]
fn pulled_over_a_restart(from: &str, count: &str, old: usize, new: usize) -> String {
    let redis = Redis::start();
    let mut store = Store::on(&redis, &[]);
    let shell = Shell::of(&store);
    stream(&store, 1, "old", old);
    let running = shell.start(&["pull", "s", "--from", from, "--json", "--count", count]);
    eventually(PATIENCE, || store.metric("ptg_entries_out_total{via=\"pull\"}") >= 1.0);
    let address = store.addr().to_string();
    store.stop();
    let _: usize = redis.command(&["DEL", "s"]);
    number(&redis, "s", 1, &names("new", 1..=new));
    let _store = Store::on(&redis, &["--listen", &address]);
    let output = running.wait();
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("begun anew"), "{said}");
    text(&output.stdout).to_owned()
}

#[test]
fn a_pull_of_the_command_line_that_finds_another_stream_after_a_restart_says_so() {
    let printed = pulled_over_a_restart("19-0", "3", 20, 2);
    assert_eq!(printed.lines().count(), 4, "{printed}");
}

#[test]
fn a_pull_of_the_command_line_that_finds_another_entry_under_the_id_of_its_last_after_a_restart_says_so() {
    let printed = pulled_over_a_restart("2-0", "6", 3, 5);
    let lines: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines[1],
        json!({"stream": "s", "gap": {"after": "3-0", "before": "1-0", "missed": null}})
    );
    let ids: Vec<&str> = lines.iter().filter_map(|line| line["id"].as_str()).collect();
    assert_eq!(ids, ["3-0", "1-0", "2-0", "3-0", "4-0", "5-0"]);
}

/// What a recording of ours has, and what `replay` makes of it.
#[track_caller]
fn is_recorded(folder: &std::path::Path, shell: &Shell, store: &Store, expected: &[(&str, &str)], gaps: usize) {
    let found = recorded(folder, "s");
    let expected: Vec<_> = expected
        .iter()
        .map(|(id, name)| ((*id).to_owned(), entry(name)))
        .collect();
    assert_eq!(found, expected);
    let lines = std::fs::read_to_string(folder.join("gaps.jsonl")).expect("the gaps");
    assert_eq!(lines.lines().count(), gaps, "{lines}");
    let path = folder.to_str().expect("a path of text");
    let (checked, _) = shell.do_well(&["replay", path, "--check"]);
    assert!(checked.contains(&format!("{gaps} gap")), "{checked}");
    shell.do_well(&["replay", path, "--fast", "--stream", "s=again"]);
    let again = crate::harness::wire::stored_data(&store.redis, "again");
    assert_eq!(again, expected.into_iter().map(|(_, data)| data).collect::<Vec<_>>());
    // Within one stream ids cannot go back, and in the recording they name no place.
    for (flags, told) in [
        (&["--keep-times", "--fast", "--stream", "s=kept"][..], "--keep-times"),
        (&["--fast", "--from", "2-0", "--stream", "s=part"], "began anew"),
    ] {
        let output = shell.run(&[&["replay", path], flags].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
    }
}

#[test]
fn a_recording_has_both_generations_and_the_gap_between_them() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path of text");
    stream(&store, 1, "old", 3);
    let recorder = shell.start(&["record", "s", "--out", out, "--from", "first"]);
    eventually(PATIENCE, || count_recorded(folder.path(), "s") == 3);
    store.delete("/streams/s").expect(200);
    stream(&store, 1, "new", 2);
    eventually(PATIENCE, || count_recorded(folder.path(), "s") == 5);
    let output = recorder.interrupt();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("begun anew"), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).starts_with("s: 5 entries, 45 bytes, 1 gap"),
        "{}",
        text(&output.stdout)
    );
    let all = [
        ("1-0", "old01"),
        ("2-0", "old02"),
        ("3-0", "old03"),
        ("1-0", "new01"),
        ("2-0", "new02"),
    ];
    is_recorded(folder.path(), &shell, &store, &all, 1);
    // Gone on with, it stays behind the new generation.
    number(&store.redis, "s", 3, &names("new", 3..=3));
    let (said, _) = shell.do_well(&["record", "s", "--out", out, "--until", "latest"]);
    assert!(said.starts_with("s: 1 entry, 9 bytes, 0 gaps, behind 5"), "{said}");
    assert_eq!(recorded(folder.path(), "s").len(), 6);
}

#[test]
fn a_recording_that_is_gone_on_with_notices_what_began_anew_meanwhile() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path of text");
    let arguments = ["record", "s", "--out", out, "--from", "first", "--until", "latest"];
    stream(&store, 1, "old", 3);
    shell.do_well(&arguments);
    store.delete("/streams/s").expect(200);
    stream(&store, 1, "new", 2);
    let (said, told) = shell.do_well(&arguments);
    assert!(said.contains("2 entries, 18 bytes, 1 gap, behind 3 entries"), "{said}");
    assert!(told.contains("begun anew"), "{told}");
    let all = [
        ("1-0", "old01"),
        ("2-0", "old02"),
        ("3-0", "old03"),
        ("1-0", "new01"),
        ("2-0", "new02"),
    ];
    is_recorded(folder.path(), &shell, &store, &all, 1);
}

#[test]
fn a_recording_that_is_gone_on_with_notices_another_entry_under_the_id_of_its_last() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path of text");
    let arguments = ["record", "s", "--out", out, "--from", "first", "--until", "latest"];
    stream(&store, 1, "old", 3);
    shell.do_well(&arguments);
    // Trimmed entries are no proof that it has begun anew, and the same ones prove that it has not.
    let (said, _) = shell.do_well(&arguments);
    assert!(said.starts_with("s: 0 entries, 0 bytes, 0 gaps, behind 3"), "{said}");
    let _: usize = store.redis.command(&["XTRIM", "s", "MAXLEN", "=", "0"]);
    let (said, _) = shell.do_well(&arguments);
    assert!(said.starts_with("s: 0 entries, 0 bytes, 0 gaps, behind 3"), "{said}");
    store.delete("/streams/s").expect(200);
    stream(&store, 1, "new", 5);
    let (said, told) = shell.do_well(&arguments);
    assert!(said.starts_with("s: 5 entries, 45 bytes, 1 gap, behind 3"), "{said}");
    assert!(told.contains("begun anew"), "{told}");
    let names: Vec<_> = recorded(folder.path(), "s").into_iter().map(|(_, data)| data).collect();
    assert_eq!(names, [names_of("old", 3), names_of("new", 5)].concat());
    let (said, _) = shell.do_well(&arguments);
    assert!(said.starts_with("s: 0 entries, 0 bytes, 0 gaps, behind 8"), "{said}");
}

#[test]
fn a_generation_that_ends_like_the_one_before_is_recorded_once_however_often_the_recorder_comes_back() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path of text");
    let arguments = ["record", "s", "--out", out, "--from", "first"];
    stream(&store, 1, "old", 3);
    let recorder = shell.start(&arguments);
    eventually(PATIENCE, || count_recorded(folder.path(), "s") == 3);
    store.delete("/streams/s").expect(200);
    stream(&store, 1, "new", 3);
    eventually(PATIENCE, || count_recorded(folder.path(), "s") == 6);
    recorder.interrupt();
    for _ in 0..2 {
        let (said, _) = shell.do_well(&[&arguments[..], &["--until", "latest"]].concat());
        assert!(said.starts_with("s: 0 entries, 0 bytes, 0 gaps, behind 6"), "{said}");
    }
    let names: Vec<_> = recorded(folder.path(), "s").into_iter().map(|(_, data)| data).collect();
    assert_eq!(names, [names_of("old", 3), names_of("new", 3)].concat());
}

#[test]
fn a_recorder_that_was_killed_right_behind_a_gap_begins_with_the_new_generation() {
    let store = Store::start();
    let shell = Shell::of(&store);
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().to_str().expect("a path of text");
    stream(&store, 1, "old", 3);
    let recorder = shell.start(&["record", "s", "--out", out, "--from", "first"]);
    eventually(PATIENCE, || count_recorded(folder.path(), "s") == 3);
    store.delete("/streams/s").expect(200);
    eventually(PATIENCE, || folder.path().join("gaps.jsonl").exists());
    eventually(PATIENCE, || store.metric(OPEN_PULLS) == 1.0);
    drop(recorder);
    // By now its ids have passed those of the old one.
    stream(&store, 1, "new", 5);
    shell.do_well(&["record", "s", "--out", out, "--until", "latest"]);
    let names: Vec<_> = recorded(folder.path(), "s").into_iter().map(|(_, data)| data).collect();
    let expected = [names_of("old", 3), names_of("new", 5)].concat();
    assert_eq!(names, expected);
}

fn names_of(kind: &str, count: usize) -> Vec<Vec<u8>> {
    names(kind, 1..=count).iter().map(|name| entry(name)).collect()
}
