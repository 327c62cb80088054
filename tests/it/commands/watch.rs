//! `ptg-store push --watch`: a folder as it grows, every file once and whole (docs/command-line.md).

use std::fs::{File, rename, write};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::harness::wire::{length, stored_data};
use crate::harness::{PATIENCE, Redis, Running, Shell, Store, eventually, holds_within};

/// A folder that is watched.
struct Watched {
    store: Store,
    shell: Shell,
    folder: PathBuf,
}

impl Watched {
    fn new() -> Self {
        Self::on(&[])
    }

    /// With a store that has these flags.
    fn on(flags: &[&str]) -> Self {
        let store = Store::on(&Redis::start(), flags);
        let shell = Shell::of(&store);
        let folder = shell.home().join("folder");
        std::fs::create_dir(&folder).expect("a folder");
        Self { store, shell, folder }
    }

    fn watch(&self, more: &[&str]) -> Running {
        self.shell.start(&[&["push", "s", "--watch", "folder"], more].concat())
    }

    /// Writes a file elsewhere and moves it into the folder.
    fn put(&self, name: &str, content: &str) {
        let elsewhere = self.shell.home().join("elsewhere");
        write(&elsewhere, content).expect("a file");
        rename(elsewhere, self.folder.join(name)).expect("to move it");
    }

    #[track_caller]
    fn arrive(&self, expected: &[&str]) {
        eventually(PATIENCE, || length(&self.store.redis, "s") >= expected.len());
        let data = stored_data(&self.store.redis, "s");
        let data: Vec<_> = data.iter().map(|entry| String::from_utf8_lossy(entry)).collect();
        assert_eq!(data, expected);
    }
}

#[test]
fn files_that_are_there_come_first_then_each_that_is_moved_in_also_in_the_place_of_another() {
    let watched = Watched::new();
    watched.put("b", "first");
    watched.put("a", "second");
    // File systems do not tell times apart that are so close.
    let first = File::open(watched.folder.join("b")).expect("the file");
    first
        .set_modified(SystemTime::now() - Duration::from_secs(60))
        .expect("to make it older");
    let _push = watched.watch(&["--settle", "50ms"]);
    watched.arrive(&["first", "second"]);
    watched.put("c", "third");
    watched.arrive(&["first", "second", "third"]);
    watched.put("c", "another");
    watched.arrive(&["first", "second", "third", "another"]);
}

#[test]
fn a_file_that_is_being_written_is_taken_whole_once_it_has_settled() {
    let watched = Watched::new();
    let _push = watched.watch(&["--settle", "3s"]);
    let mut file = File::create(watched.folder.join("slow")).expect("a file");
    for part in 0..10 {
        write!(file, "{part},").expect("to write");
        // Far shorter than it takes to settle.
        assert!(!holds_within(Duration::from_millis(60), || length(
            &watched.store.redis,
            "s"
        ) > 0));
    }
    drop(file);
    watched.arrive(&["0,1,2,3,4,5,6,7,8,9,"]);
}

#[test]
fn hidden_files_folders_and_other_suffixes_are_left_out() {
    let watched = Watched::new();
    std::fs::create_dir(watched.folder.join("folder.txt")).expect("a folder");
    watched.put(".hidden.txt", "hidden");
    watched.put("picture.jpg", "other");
    let _push = watched.watch(&["--suffix", ".txt", "--settle", "50ms"]);
    watched.put("one.txt", "one");
    watched.arrive(&["one"]);
    rename(watched.folder.join(".hidden.txt"), watched.folder.join("shown.txt")).expect("to rename it");
    watched.arrive(&["one", "hidden"]);
}

#[test]
fn with_new_only_what_was_there_is_left_out() {
    let watched = Watched::new();
    watched.put("old", "old");
    let push = watched.watch(&["--new-only", "--settle", "50ms"]);
    // It has seen the folder once it is connected.
    eventually(PATIENCE, || {
        watched.store.metric(crate::harness::wire::OPEN_PUSHES) == 1.0
    });
    watched.put("new", "new");
    watched.arrive(&["new"]);
    drop(push);
}

#[test]
fn a_file_that_cannot_be_pushed_is_told_and_left_out() {
    let watched = Watched::new();
    watched.put("large", &"x".repeat(2000));
    let mut push = watched.watch(&["--max-entry", "1999", "--settle", "50ms"]);
    watched.put("small", "small");
    watched.arrive(&["small"]);
    push.signal("INT");
    let output = push.wait();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(told.contains("folder/large is larger than 1999"), "{told}");
    assert_eq!(told.matches("large is larger").count(), 1, "{told}");
}

#[test]
fn a_file_that_the_store_finds_too_large_is_told_and_left_out() {
    let watched = Watched::on(&["--max-message", "2000"]);
    watched.put("a", "before");
    watched.put("large", &"x".repeat(2001));
    let mut push = watched.watch(&["--settle", "50ms"]);
    eventually(PATIENCE, || length(&watched.store.redis, "s") == 1);
    watched.put("small", "small");
    watched.arrive(&["before", "small"]);
    push.signal("INT");
    let output = push.wait();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert_eq!(told.matches("folder/large is too large").count(), 1, "{told}");
    assert!(told.contains("it is left out"), "{told}");
}

#[test]
fn thousands_of_files_are_each_pushed_once() {
    let watched = Watched::new();
    let _push = watched.watch(&["--settle", "50ms"]);
    let expected: Vec<String> = (0..900).map(|n| n.to_string()).collect();
    for content in &expected {
        watched.put(&format!("file-{content}"), content);
    }
    eventually(PATIENCE * 3, || length(&watched.store.redis, "s") >= expected.len());
    let mut data = stored_data(&watched.store.redis, "s");
    data.sort_by_key(|entry| String::from_utf8_lossy(entry).parse::<usize>().expect("a number"));
    assert!(
        data.iter().eq(expected.iter().map(|content| content.as_bytes())),
        "{}",
        data.len()
    );
}

#[test]
fn a_folder_that_is_not_there_is_code_1() {
    let store = Store::start();
    let output = Shell::of(&store).run(&["push", "s", "--watch", "nowhere"]);
    crate::commands::push_ends::fails(&output, 1, "nowhere");
}
