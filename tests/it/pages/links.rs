//! Links and pipes where a file is expected: nothing is written to what a link points to, nothing is read from there, and
//! nothing waits (docs/command-line.md, docs/recording.md).

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::commands::push_ends::fails;
use crate::harness::wire::stored_data;
use crate::harness::{PATIENCE, Shell, Store, eventually, recorded, text};

/// What a link points to, and must stay.
const PRECIOUS: &str = "precious";

/// Makes a pipe, at which whoever opens it waits for the other side.
fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).expect("a pipe");
}

/// A store with a stream, and somebody who records it.
struct Bed {
    store: Store,
    shell: Shell,
    precious: PathBuf,
}

impl Bed {
    fn new() -> Bed {
        let store = Store::start();
        store.add("cam", &[b"one", b"two"]);
        let shell = Shell::of(&store);
        let precious = shell.home().join("precious");
        fs::write(&precious, PRECIOUS).expect("a file");
        Bed { store, shell, precious }
    }

    /// A folder of this name in the home folder.
    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.shell.home().join(name);
        fs::create_dir(&folder).expect("a folder");
        folder
    }

    fn record(&self, folder: &Path) -> std::process::Output {
        let out = folder.to_str().expect("text");
        let words = ["record", "cam", "--out", out, "--from", "first", "--until", "latest"];
        self.shell.run(&words)
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!(fs::read_to_string(&self.precious).expect("it"), PRECIOUS);
        assert!(!self.shell.home().join("nowhere").exists());
    }
}

#[test]
fn a_recorder_writes_to_no_link_and_waits_for_no_pipe() {
    let bed = Bed::new();
    let nowhere = bed.shell.home().join("nowhere");
    // In a folder that is new, and in one with a recording that goes on.
    for (number, name) in ["lock", "recording.json", "cam.data", "cam.index", "gaps.jsonl"]
        .iter()
        .enumerate()
    {
        for (kind, plant) in [
            (
                "link",
                &(|path: &Path| symlink(&bed.precious, path).expect("a link")) as &dyn Fn(&Path),
            ),
            ("dangling", &|path| symlink(&nowhere, path).expect("a link")),
            ("pipe", &|path| pipe(path)),
        ] {
            for goes_on in [false, true] {
                let folder = bed.folder(&format!("{number}-{kind}-{goes_on}"));
                if goes_on {
                    assert!(bed.record(&folder).status.success());
                    let _ = fs::remove_file(folder.join(name));
                    bed.store.add("cam", &[b"three"]);
                }
                plant(&folder.join(name));
                let output = bed.record(&folder);
                let told = text(&output.stderr);
                assert_eq!(output.status.code(), Some(1), "{name} {kind} {goes_on}: {told}");
                assert!(told.contains(name), "{name} {kind} {goes_on}: {told}");
                bed.assert_untouched();
            }
        }
    }
}

#[test]
fn a_gap_is_not_written_to_what_a_link_points_to() {
    let bed = Bed::new();
    let folder = bed.folder("recording");
    assert!(bed.record(&folder).status.success());
    symlink(&bed.precious, folder.join("gaps.jsonl")).expect("a link");
    bed.store.add("cam", &[b"three", b"four", b"five"]);
    bed.store.redis.command::<()>(&["XTRIM", "cam", "MAXLEN", "1"]);
    fails(&bed.record(&folder), 1, "gaps.jsonl: it is a symbolic link");
    bed.assert_untouched();
}

#[test]
fn what_lies_where_the_description_is_begun_is_removed_and_not_written_to() {
    let bed = Bed::new();
    for (name, plant) in [
        (
            "link",
            &(|path: &Path| symlink(&bed.precious, path).expect("a link")) as &dyn Fn(&Path),
        ),
        ("pipe", &|path| pipe(path)),
        ("file", &|path| {
            fs::hard_link(&bed.precious, path).expect("another name")
        }),
    ] {
        let folder = bed.folder(name);
        plant(&folder.join("recording.json.new"));
        let output = bed.record(&folder);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        bed.assert_untouched();
        assert_eq!(recorded(&folder, "cam").len(), 2);
        assert!(!folder.join("recording.json.new").exists());
        assert!(!folder.join("recording.json").is_symlink());
    }
}

#[test]
fn a_recording_whose_files_are_links_or_pipes_is_not_replayed() {
    let bed = Bed::new();
    let whole = bed.folder("whole");
    assert!(bed.record(&whole).status.success());
    for name in ["recording.json", "cam.data", "cam.index"] {
        for is_pipe in [false, true] {
            let folder = bed.folder(&format!("{name}-{is_pipe}"));
            for file in ["recording.json", "cam.data", "cam.index", "lock"] {
                fs::copy(whole.join(file), folder.join(file)).expect("a copy");
            }
            fs::remove_file(folder.join(name)).expect("to remove it");
            match is_pipe {
                true => pipe(&folder.join(name)),
                // It is the right file, and still somebody else's choice.
                false => symlink(whole.join(name), folder.join(name)).expect("a link"),
            }
            let out = folder.to_str().expect("text");
            fails(&bed.shell.run(&["replay", out, "--stream", "cam=other"]), 1, name);
            let checked = bed.shell.run(&["replay", out, "--check"]);
            assert_eq!(checked.status.code(), Some(1), "{checked:?}");
        }
    }
    // A lock that is a pipe is none.
    fs::remove_file(whole.join("lock")).expect("to remove it");
    pipe(&whole.join("lock"));
    let out = whole.to_str().expect("text");
    bed.shell.do_well(&["replay", out, "--check"]);
    bed.shell.do_well(&["replay", out, "--stream", "cam=other", "--fast"]);
    // The folder itself may be a link: the user named it.
    fs::remove_file(whole.join("lock")).expect("to remove it");
    symlink(&whole, bed.shell.home().join("linked")).expect("a link");
    bed.shell.do_well(&["replay", "linked", "--check"]);
    bed.shell
        .do_well(&["record", "cam", "--out", "linked", "--until", "latest"]);
}

#[test]
fn a_watched_folder_gives_its_own_files_and_nothing_that_links_point_to() {
    let bed = Bed::new();
    let folder = bed.folder("watched");
    symlink(&bed.precious, folder.join("a-link")).expect("a link");
    symlink(&bed.precious, folder.join("b-link")).expect("a link");
    symlink("/dev/zero", folder.join("endless")).expect("a link");
    pipe(&folder.join("pipe"));
    fs::write(folder.join("file"), "file").expect("a file");
    let push = bed.shell.start(&["push", "s", "--watch", "watched", "--settle", "0"]);
    eventually(PATIENCE, || stored_data(&bed.store.redis, "s").len() == 1);
    // One that comes later, and one in the place of a file.
    symlink(&bed.precious, folder.join("later")).expect("a link");
    symlink(&bed.precious, folder.join("new")).expect("a link");
    fs::rename(folder.join("new"), folder.join("file")).expect("to move it");
    fs::write(folder.join("last"), "last").expect("a file");
    eventually(PATIENCE, || stored_data(&bed.store.redis, "s").len() == 2);
    let told = text(&push.interrupt().stderr);
    assert_eq!(stored_data(&bed.store.redis, "s"), [b"file".to_vec(), b"last".to_vec()]);
    assert_eq!(told.matches("is a link").count(), 1, "{told}");
}

#[test]
fn a_file_that_the_user_names_may_be_a_link_or_a_pipe() {
    let bed = Bed::new();
    symlink(&bed.precious, bed.shell.home().join("link")).expect("a link");
    bed.shell.do_well(&["push", "s", "link"]);
    pipe(&bed.shell.home().join("pipe"));
    let push = bed.shell.start(&["push", "s", "pipe"]);
    fs::write(bed.shell.home().join("pipe"), "through the pipe").expect("to write");
    assert!(push.wait().status.success());
    assert_eq!(
        stored_data(&bed.store.redis, "s"),
        [PRECIOUS.as_bytes(), b"through the pipe"]
    );
}

#[test]
fn a_pull_into_files_names_what_has_an_entrys_name_and_is_no_file() {
    let bed = Bed::new();
    let ids = bed.store.add("s", &[PRECIOUS.as_bytes()]);
    for (number, plant) in [
        &(|path: &Path| pipe(path)) as &dyn Fn(&Path),
        &|path| symlink(&bed.precious, path).expect("a link"),
        &|path| symlink("/dev/zero", path).expect("a link"),
        &|path| symlink(bed.shell.home().join("nowhere"), path).expect("a link"),
        &|path| fs::create_dir(path).expect("a folder"),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = bed.folder(&format!("{number}"));
        let name = format!("{}.txt", ids[0]);
        plant(&folder.join(&name));
        let out = folder.to_str().expect("text");
        let output = bed
            .shell
            .run(&["pull", "s", "--from", "first", "--until", "latest", "--out", out]);
        fails(&output, 1, &name);
        fails(&output, 1, "it is left as it is");
        bed.assert_untouched();
        assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 1);
    }
}

#[test]
fn a_login_file_that_is_a_pipe_is_told() {
    let bed = Bed::new();
    let shell = Shell::at(&bed.store.url(""));
    let folder = shell.home().join("config/ptg-store");
    fs::create_dir_all(&folder).expect("a folder");
    pipe(&folder.join("login.json"));
    fails(
        &shell.run(&["streams"]),
        1,
        "login.json is none: it is not a regular file; move it away",
    );
    fails(
        &shell.feed(&["login", "ada", "--password-stdin"], b"ada"),
        1,
        "login.json",
    );
}

#[test]
fn where_everybody_writes_a_recorder_does_not_write_to_files_of_others() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let bed = Bed::new();
    let folder = bed.folder("shared");
    assert!(bed.record(&folder).status.success());
    if fs::metadata(&folder).expect("it").uid() != 0 {
        // Only root gives files away.
        return;
    }
    chown(folder.join("cam.data"), Some(1), None).expect("to give it away");
    let open_to = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).expect("to change its mode");
    open_to(0o1777);
    fails(&bed.record(&folder), 1, "cam.data: it is somebody else's");
    open_to(0o755);
    assert!(bed.record(&folder).status.success());
}
