//! The data of the Redis that the store starts is for the account that runs the store, whatever the umask, and whoever made the folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::harness::{PATIENCE, Program, eventually, own_redis, own_redis_is, own_redis_listens, signal, take_turn};

/// Rights of the group and of all others.
const OTHERS: u32 = 0o077;

#[test]
fn nobody_else_can_read_the_data_folder_or_anything_in_it() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    // Blanks, and longer than a socket's path may be.
    let name = format!("data of {}", "a long name ".repeat(12));
    let mut store = Program::start_in(directory.path(), &["--data-dir", &name], &[]);
    let data = directory.path().join(&name);
    store.add("x", &[b"secret"]);
    assert_private(&data, &["appendonlydir", "redis.log", "redis.sock"]);
    // What Redis writes later, and what the next Redis writes.
    own_redis::<String>(&["BGREWRITEAOF"]);
    eventually(PATIENCE, || {
        own_redis_is("aof_rewrite_in_progress") == "0" && own_redis_is("aof_rewrite_scheduled") == "0"
    });
    let pid = own_redis_is("process_id");
    signal("KILL", pid.parse().expect("a process"));
    eventually(PATIENCE * 2, || own_redis_listens() && store.get("/ping").status == 200);
    store.add("x", &[b"secret, too"]);
    assert_private(&data, &["appendonlydir", "redis.log", "redis.sock"]);
    end(&mut store);
    assert_private(&data, &["appendonlydir", "redis.log"]);
}

#[test]
fn a_folder_that_others_could_read_is_mended_with_all_that_is_in_it() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("ptg-data");
    let mut store = Program::start_in(directory.path(), &[], &[]);
    store.add("x", &[b"kept"]);
    end(&mut store);
    // As earlier versions left it.
    open_up(&data);
    let mut store = Program::start_in(directory.path(), &[], &[]);
    assert_private(&data, &["appendonlydir", "redis.log", "redis.sock"]);
    assert_eq!(store.get("/data/x").expect(200).body, b"kept");
    end(&mut store);

    let empty = directory.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    open_up(&empty);
    let mut store = Program::start_in(directory.path(), &["--data-dir", "empty"], &[]);
    assert_private(&empty, &["appendonlydir"]);
    end(&mut store);
}

#[test]
fn a_folder_with_other_things_in_it_is_refused_with_one_of_its_own_below_it() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().join("my home");
    fs::create_dir(&home).expect("a folder");
    fs::write(home.join("notes.txt"), "x").expect("a file");
    let home = home.to_str().expect("text");
    let own = format!("--data-dir '{home}/ptg-data'");
    for mode_now in [0o755, 0o700] {
        fs::set_permissions(home, Permissions::from_mode(mode_now)).expect("to set its mode");
        refused(home, &["notes.txt", &own]);
        assert_eq!(mode(Path::new(home)), mode_now);
        assert_eq!(
            fs::read_dir(home).expect("the folder").count(),
            1,
            "something was put into it"
        );
    }
    // What was said helps.
    let own = format!("{home}/ptg-data");
    let mut store = Program::start_in(directory.path(), &["--data-dir", &own], &[]);
    store.assert_serves();
    end(&mut store);
}

#[test]
fn a_folder_with_other_things_beside_its_data_is_used_once_it_is_closed() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let home = directory.path().join("home");
    let home = home.to_str().expect("text");
    let mut store = Program::start_in(directory.path(), &["--data-dir", home], &[]);
    store.add("x", &[b"kept"]);
    end(&mut store);
    fs::write(Path::new(home).join("notes.txt"), "x").expect("a file");
    open_up(Path::new(home));
    refused(home, &["notes.txt", "chmod 700", home, "--data-dir"]);
    assert_eq!(mode(Path::new(home)), 0o755);

    fs::set_permissions(home, Permissions::from_mode(0o700)).expect("to do what was said");
    let mut store = Program::start_in(directory.path(), &["--data-dir", home], &[]);
    assert_eq!(store.get("/data/x").expect(200).body, b"kept");
    assert_eq!(
        mode(&Path::new(home).join("notes.txt")),
        0o644,
        "what is not ours was changed"
    );
    end(&mut store);
}

#[test]
fn a_folder_may_have_any_name_in_the_command_that_closes_it() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let name = "a'$(touch PWNED)'b";
    let data = directory.path().join(name);
    fs::create_dir(&data).expect("a folder");
    // Data of a Redis, and something else.
    for file in ["dump.rdb", "notes.txt"] {
        fs::write(data.join(file), "x").expect("a file");
    }
    open_up(&data);
    let mut store = Program::command(&["--listen", "127.0.0.1:0", "--data-dir", name]);
    let output = store.current_dir(directory.path()).output().expect("to run it");
    let message = String::from_utf8(output.stderr).expect("text");
    let (_, command) = message.trim_end().split_once("or run ").expect("a command");
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", command]).current_dir(directory.path()).status();
    assert!(done.expect("a shell").success(), "{message}");
    assert_eq!(mode(&data), 0o700, "{message}");
    assert!(!directory.path().join("PWNED").exists(), "{message}");
}

#[test]
fn a_folder_of_another_account_that_others_can_enter_is_refused() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let theirs = directory.path().join("theirs");
    fs::create_dir(&theirs).expect("a folder");
    open_up(&theirs);
    // Only root may give things away.
    if chown(&theirs, Some(65_534), Some(65_534)).is_ok() {
        let message = refused(theirs.to_str().expect("text"), &["another account", "--data-dir"]);
        assert!(!message.contains("chmod"), "which would not help: {message}");
        assert_eq!(mode(&theirs), 0o755);
    }
}

#[test]
fn links_in_the_folder_are_not_followed_when_rights_are_taken_away() {
    let _turn = take_turn();
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("ptg-data");
    fs::create_dir(&data).expect("a folder");
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "x").expect("a file");
    open_up(directory.path());
    std::os::unix::fs::symlink(&elsewhere, data.join("temp-1.rdb")).expect("a link");
    let mut store = Program::start_in(directory.path(), &[], &[]);
    store.assert_serves();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&elsewhere), 0o644);
    end(&mut store);
}

/// The store must not serve with this data folder, and says these words.
#[track_caller]
fn refused(folder: &str, words: &[&str]) -> String {
    let output = Program::run(&["--listen", "127.0.0.1:0", "--data-dir", folder]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    for word in words {
        assert!(message.contains(word), "{word} in {message}");
    }
    assert!(!own_redis_listens());
    message
}

/// Everything in it belongs to nobody but the owner, and these are there.
#[track_caller]
fn assert_private(folder: &Path, names: &[&str]) {
    for name in names {
        assert!(folder.join(name).exists(), "no {name}");
    }
    for path in all_in(folder) {
        assert_eq!(mode(&path) & OTHERS, 0, "{}: {:o}", path.display(), mode(&path));
    }
}

/// Gives everybody the rights that a usual umask gives.
fn open_up(folder: &Path) {
    for path in all_in(folder) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("to change its mode");
    }
}

fn all_in(path: &Path) -> Vec<std::path::PathBuf> {
    let mut all = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        all.extend(entries.flat_map(|entry| all_in(&entry.expect("an entry").path())));
    }
    all
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().expect("its mode").mode() & 0o777
}

#[track_caller]
fn end(store: &mut Program) {
    store.signal("TERM");
    assert_eq!(store.wait(PATIENCE).code(), Some(0), "{}", store.log());
    assert!(!own_redis_listens(), "its Redis is still there: {}", store.log());
}
