//! `ptg-store login`: who signed in once needs no token again, and nobody else sees it (docs/command-line.md).

use std::fs::{Permissions, metadata, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::commands::push_ends::fails;
use crate::harness::{CTRL_D, PATIENCE, Running, Shell, Store, Terminal, eventually};

/// Somebody who has not signed in.
fn stranger(store: &Store) -> Shell {
    Shell::at(&store.url(""))
}

fn login_file(shell: &Shell) -> PathBuf {
    shell.home().join("config/ptg-store/login.json")
}

#[track_caller]
fn sign_in(shell: &Shell, user: &str) -> Output {
    shell.feed(&["login", user, "--password-stdin"], format!("{user}\n").as_bytes())
}

#[test]
fn who_signed_in_needs_no_token() {
    let store = Store::start();
    let shell = stranger(&store);
    fails(&shell.run(&["streams"]), 3, "ptg-store login");
    let output = sign_in(&shell, "ada");
    let said = String::from_utf8(output.stdout).expect("text");
    let expected = format!("ada is signed in to {} until 20", store.url(""));
    assert!(said.starts_with(&expected), "{said}");
    shell.print(&["streams"]);
    // The environment and the flag come first.
    let mut command = shell.command(&["streams"]);
    command.env("PTG_STORE_TOKEN", "nonsense");
    fails(&Running::start(command).wait(), 3, "401");
    fails(&shell.run(&["streams", "--token", "nonsense"]), 3, "401");
    assert!(shell.print(&["login", "--logout"]).contains("forgot"));
    assert!(shell.print(&["login", "--logout"]).contains("no login"));
    fails(&shell.run(&["streams"]), 3, "ptg-store login");
}

#[test]
fn a_login_is_of_one_store() {
    let (here, there) = (Store::start(), Store::start());
    let shell = stranger(&here);
    sign_in(&shell, "ada");
    fails(&shell.run(&["streams", "--url", &there.url("")]), 3, "401");
    shell.feed(&["login", "bob", "--password-stdin", "--url", &there.url("/")], b"bob");
    shell.print(&["streams", "--url", &there.url("")]);
    shell.print(&["streams"]);
    shell.print(&["login", "--logout", "--url", &there.url("")]);
    shell.print(&["streams"]);
}

#[test]
fn the_login_file_is_its_owners_alone_whatever_the_umask() {
    let store = Store::start();
    let shell = stranger(&store);
    let script = "umask 000; echo ada | \"$P\" login ada --password-stdin && \"$P\" streams";
    let output = Running::start(shell.script(script)).wait();
    assert!(output.status.success(), "{output:?}");
    let mode = |path: PathBuf| metadata(path).expect("it").permissions().mode() & 0o777;
    assert_eq!(mode(login_file(&shell)), 0o600);
    assert_eq!(mode(login_file(&shell).with_file_name("")), 0o700);
    let left = std::fs::read_dir(login_file(&shell).with_file_name("")).expect("the folder");
    assert_eq!(left.count(), 1);
}

#[test]
fn logins_at_the_same_moment_are_all_kept() {
    // One address, as inet_aton(3) reads it.
    let names = ["127.0.0.1", "127.0.1", "127.1", "0x7f.1", "0177.1", "2130706433"];
    let store = Store::start();
    let shell = stranger(&store);
    let urls = names.map(|name| format!("http://{name}:{}", store.addr().port()));
    std::thread::scope(|scope| {
        for url in &urls {
            let login = ["login", "ada", "--password-stdin", "--url", url];
            let shell = &shell;
            scope.spawn(move || assert!(shell.feed(&login, b"ada").status.success()));
        }
    });
    for url in &urls {
        shell.print(&["streams", "--url", url]);
    }
}

#[test]
fn a_login_file_that_is_a_link_stays_one() {
    let store = Store::start();
    let shell = stranger(&store);
    let folder = login_file(&shell).with_file_name("");
    std::fs::create_dir_all(&folder).expect("a folder");
    let elsewhere = shell.home().join("elsewhere.json");
    std::os::unix::fs::symlink(&elsewhere, login_file(&shell)).expect("a link");
    std::fs::write(&elsewhere, "{}").expect("a file");
    set_permissions(&elsewhere, Permissions::from_mode(0o600)).expect("to change its mode");
    sign_in(&shell, "ada");
    shell.print(&["streams"]);
    assert!(login_file(&shell).is_symlink());
    assert_eq!(metadata(&elsewhere).expect("it").permissions().mode() & 0o777, 0o600);
    shell.print(&["login", "--logout"]);
    assert_eq!(std::fs::read_to_string(&elsewhere).expect("it"), "{}");
}

#[test]
fn a_login_file_that_others_can_read_is_not_used() {
    let store = Store::start();
    let shell = stranger(&store);
    sign_in(&shell, "ada");
    for mode in [0o644, 0o640, 0o602, 0o777] {
        set_permissions(login_file(&shell), Permissions::from_mode(mode)).expect("to change its mode");
        fails(&shell.run(&["streams"]), 1, "chmod 600");
        fails(&sign_in(&shell, "ada"), 1, "chmod 600");
    }
    // Whoever brings a token does not need it.
    shell.print(&["streams", "--token", &store.token]);
    set_permissions(login_file(&shell), Permissions::from_mode(0o600)).expect("to change its mode");
    shell.print(&["streams"]);
}

#[test]
fn a_login_file_that_is_none_is_left_alone() {
    let store = Store::start();
    let shell = stranger(&store);
    sign_in(&shell, "ada");
    for text in ["", "secret of mine", "[]", "{\"http://x\": \"secret\"}"] {
        std::fs::write(login_file(&shell), text).expect("to write it");
        fails(&shell.run(&["streams"]), 1, "login.json");
        fails(&sign_in(&shell, "ada"), 1, "login.json");
        assert_eq!(std::fs::read_to_string(login_file(&shell)).expect("it"), text);
    }
}

#[test]
fn a_wrong_password_is_code_3_and_changes_nothing() {
    let store = Store::start();
    let shell = stranger(&store);
    let output = shell.feed(&["login", "ada", "--password-stdin"], b"wrong\n");
    fails(&output, 3, "Incorrect username or password");
    assert!(!login_file(&shell).exists());
    fails(&shell.feed(&["login", "ada", "--password-stdin"], b""), 2, "password");
    fails(
        &shell.feed(&["login", "ada", "--password-stdin"], &[b'x'; 9_000]),
        2,
        "longer",
    );
}

#[test]
fn a_password_is_asked_for_on_the_terminal_and_not_shown() {
    let store = Store::start();
    let shell = stranger(&store);
    let mut login = Terminal::run(&shell, "login");
    login.shows("User: ");
    login.type_in(b"ada\n");
    let question = format!("User: ada\nPassword of ada at {}: ", store.url(""));
    login.shows(&question);
    login.type_in(b"ada\n");
    let screen = login.ends_with(0);
    let expected = format!("{question}\nada is signed in to ");
    assert!(screen.starts_with(&expected), "{screen}");
    shell.print(&["streams"]);
}

#[test]
fn who_ends_the_terminal_instead_of_answering_is_told() {
    let store = Store::start();
    let shell = stranger(&store);
    for (command, question) in [("login", "User: "), ("login ada", "Password of ada")] {
        let mut login = Terminal::run(&shell, command);
        login.shows(question);
        login.type_in(&[CTRL_D]);
        let screen = login.ends_with(1);
        assert!(screen.contains("\nptg-store login: there was no answer"), "{screen}");
    }
    assert!(!login_file(&shell).exists());
}

#[test]
fn nobody_is_not_asked_for_a_password() {
    let store = Store::start();
    let shell = stranger(&store);
    let mut login = Terminal::run(&shell, "login");
    login.shows("User: ");
    login.type_in(b"\n");
    eventually(PATIENCE, || login.screen().matches("User: ").count() == 2);
    login.type_in(b" \n");
    let screen = login.ends_with(2);
    assert!(
        !screen.contains("Password") && screen.contains("name is empty"),
        "{screen}"
    );
    let mut login = Terminal::run(&shell, "login");
    login.shows("User: ");
    login.type_in(b"\n");
    eventually(PATIENCE, || login.screen().matches("User: ").count() == 2);
    login.type_in(b"ada\n");
    login.shows("Password of ada at ");
    login.type_in(b"ada\n");
    login.ends_with(0);
    fails(&shell.feed(&["login", "", "--password-stdin"], b""), 2, "name is empty");
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let store = Store::start();
    let shell = stranger(&store);
    let login = shell.command(&["login", "ada"]);
    // In a session of its own it has no terminal.
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(login.get_program()).args(login.get_args());
    command.envs(login.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    fails(&Running::start(command).wait(), 2, "--password-stdin");
}
