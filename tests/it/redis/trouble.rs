//! A data folder that cannot be used, and a disk that is full, at the start and later: named as such, wherever somebody looks.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::harness::{PATIENCE, Program, Redis, eventually, expect_close, redis_in, send_binary};
use crate::redis::port::{leave, pid_in, refused_command};

const OWN: [&str; 2] = ["--own-redis-port", "0"];

#[test]
fn what_is_no_folder_is_named_as_such() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("file"), "x").expect("a file");
    std::os::unix::fs::symlink("nowhere", directory.path().join("link")).expect("a link");
    for (name, words) in [
        ("file", "it is no folder"),
        ("file/data", "it is no folder"),
        ("link", "it is no folder"),
    ] {
        let message = refused(directory.path(), name);
        assert!(message.contains(name) && message.contains(words), "{message}");
    }
    // A link to one is as good as one.
    fs::create_dir(directory.path().join("real")).expect("a folder");
    std::os::unix::fs::symlink("real", directory.path().join("to-real")).expect("a link");
    let arguments = [&OWN[..], &["--data-dir", "to-real"]].concat();
    let mut store = Program::start_in(directory.path(), &arguments, &[]);
    store.assert_serves();
    leave(&mut store);
    assert!(directory.path().join("real/redis.server").exists());
}

#[test]
fn a_pipe_that_has_a_name_of_ours_keeps_nobody_waiting() {
    let with_pipe = |name: &str| {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("ptg-data");
        fs::create_dir(&data).expect("a folder");
        mknodat(CWD, data.join(name), FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
        directory
    };
    for name in ["redis.lock", "redis.users", "redis.ours", "redis.log", "dump.rdb"] {
        let message = refused(with_pipe(name).path(), "ptg-data");
        assert!(message.contains("ptg-data") && message.contains(name), "{message}");
    }
    // Nor does a folder.
    for name in ["redis.lock", "redis.users", "redis.ours", "redis.log"] {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(directory.path().join("ptg-data").join(name)).expect("a folder");
        let message = refused(directory.path(), "ptg-data");
        assert!(
            message.contains(name) && message.contains("it is a folder"),
            "{name}: {message}"
        );
    }
    // Who wrote the folder is worth knowing, but no more.
    let directory = with_pipe("redis.server");
    let mut store = Program::start_in(directory.path(), &OWN, &[]);
    store.assert_serves();
    leave(&mut store);
}

#[test]
fn a_folder_that_our_account_may_not_write_to_is_named_with_the_account() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    fs::create_dir(&data).expect("a folder");
    // New, and with all that a store had put there.
    for used in [false, true] {
        if used {
            fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("to open it");
            leave(&mut Program::start_in(
                directory.path(),
                &[&OWN[..], &["--data-dir", "data"]].concat(),
                &[],
            ));
        }
        fs::set_permissions(&data, Permissions::from_mode(0o500)).expect("to close it");
        let user = rustix::process::geteuid().as_raw();
        let message = refused(directory.path(), "data");
        for word in [&*data.to_string_lossy(), &format!("this account (uid {user}) may not")] {
            assert!(message.contains(word), "{word} in {message}");
        }
        // The folder cannot be made where we may not write either.
        let message = refused(directory.path(), "data/in it");
        assert!(message.contains("may not"), "{message}");
    }
    fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("to open it");
}

#[test]
fn a_disk_that_is_full_at_the_start_is_named_and_what_is_there_can_be_read() {
    let directory = tempfile::tempdir().expect("a directory");
    // Where a dump can be read, but not kept.
    let redis = Redis::start();
    redis.command::<()>(&["XADD", "theirs", "1-1", "d", "kept"]);
    redis.command::<()>(&["SAVE"]);
    let data = directory.path().join("ptg-data");
    fs::create_dir(&data).expect("a folder");
    fs::copy(redis.directory().join("dump.rdb"), data.join("dump.rdb")).expect("a dump");
    let message = refused_command(with_file_size(0, directory.path(), &OWN));
    assert!(
        message.contains("dump.rdb") && message.contains("no room on the disk"),
        "{message}"
    );
    if let Some(disk) = Disk::mount() {
        let directory = disk.path();
        let mut store = Program::start_in(directory, &OWN, &[]);
        store.add("x", &[b"kept"]);
        leave(&mut store);
        disk.fill();
        let mut store = Program::start_in(directory, &OWN, &[]);
        assert!(store.log().contains("there is no room on the disk"), "{}", store.log());
        assert_eq!(store.get("/data/x").expect(200).body, b"kept");
        leave(&mut store);
        // And one that cannot be written at all.
        disk.make_read_only();
        let message = refused(directory, "ptg-data");
        assert!(message.contains("its file system is read-only"), "{message}");
    }
}

#[test]
fn a_redis_that_cannot_save_is_named_in_every_answer_with_its_log_and_goes_on_when_it_can() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("ptg-data");
    let log_of_redis = data.join("redis.log");
    let arguments = [&OWN[..], &["--redis-patience", "200ms"]].concat();
    let mut store = Program::start_command(with_file_size(512, directory.path(), &arguments));
    let entry = [b'x'; 32 << 10];
    // What is stored before Redis finds out is not written either, so the first refusal is awaited.
    eventually(PATIENCE, || {
        store.post("/data/x", "application/octet-stream", &entry).status == 503
    });
    let words = [
        "Redis takes no writes",
        // It has no room there, or cannot save to it, as the last error of the system was.
        " its disk: ",
        "MISCONF",
        &*log_of_redis.to_string_lossy(),
    ];
    let says_all = |text: &str, where_: &str| {
        for word in words {
            assert!(text.contains(word), "{word} in {where_}: {text}");
        }
        assert!(!text.contains("cannot be reached"), "{where_}: {text}");
    };
    says_all(
        &store
            .post("/data/x", "application/octet-stream", &entry)
            .expect(503)
            .detail(),
        "POST",
    );
    says_all(&store.get("/ping").expect(503).detail(), "/ping");
    let mut push = store.push("x", "ack=true");
    send_binary(&mut push, b"entry");
    let (code, reason) = expect_close(&mut push);
    assert_eq!(code, 1013);
    assert!(reason.contains(" its disk: MISCONF"), "{reason}");
    eventually(PATIENCE, || store.log().contains("is read only for now"));
    let log = store.log();
    says_all(
        log.lines()
            .find(|line| line.contains("is read only for now"))
            .expect("the line"),
        "the log",
    );
    let mut doctor = Program::command(&["doctor", "--quick", "--url", &store.url("")]);
    let said = doctor.current_dir(directory.path()).output().expect("the doctor");
    let said = String::from_utf8_lossy(&said.stdout);
    says_all(&said, "the doctor");
    assert!(said.contains(&format!("df -h {}", data.display())), "{said}");
    // Room is made.
    let pid = pid_in(&data);
    let more = Command::new("prlimit")
        .args(["--pid", &pid, "--fsize=unlimited"])
        .status();
    assert!(more.is_ok_and(|status| status.success()), "no room could be made");
    eventually(PATIENCE, || store.get("/ping").status == 200);
    store.add("y", &[b"again"]);
    assert_eq!(redis_in::<usize>(&data, &["XLEN", "y"]), 1);
    leave(&mut store);
}

/// The store, where no file may become larger than so many blocks of 1024 bytes: writing fails then as on a full disk.
fn with_file_size(blocks: usize, directory: &Path, arguments: &[&str]) -> Command {
    let all = [&["--listen", "127.0.0.1:0"], arguments].concat();
    let script = format!(r#"trap "" XFSZ; ulimit -S -f {blocks} && exec "$0" "$@""#);
    let mut command = Program::by("bash", &["-c", &script], &all);
    command.current_dir(directory);
    command
}

/// A disk of its own with little room; unmounted when it goes out of scope.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None where we may not mount one: only root may, and not in every container.
    fn mount() -> Option<Disk> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=2m,mode=700", "none"])
            .arg(folder.path());
        let is_mounted = mount.output().is_ok_and(|output| output.status.success());
        is_mounted.then_some(Disk(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn make_read_only(&self) {
        let again = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.path())
            .status();
        assert!(again.is_ok_and(|status| status.success()), "no read-only disk");
    }

    fn fill(&self) {
        let full = fs::write(self.path().join("filler"), vec![0; 4 << 20]);
        assert_eq!(full.expect_err("a full disk").kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

/// What a store says that must not serve with this folder; root is denied what others are.
#[track_caller]
fn refused(directory: &Path, folder: &str) -> String {
    let all = [&["--listen", "127.0.0.1:0", "--data-dir", folder], &OWN[..]].concat();
    let mut command = match rustix::process::geteuid().is_root() {
        true => {
            let without = "-dac_override,-dac_read_search";
            let inherited = format!("--inh-caps={without}");
            Program::by("setpriv", &["--bounding-set", without, &inherited], &all)
        }
        false => Program::command(&all),
    };
    command.current_dir(directory);
    refused_command(command)
}
