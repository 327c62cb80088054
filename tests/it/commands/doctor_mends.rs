//! What `ptg-store doctor` prints to mend something does so when it is pasted into a shell, as it is.

use std::fs::write;
use std::io::Write;
use std::process::{Output, Stdio};

use crate::commands::doctor::{Bed, doctor, mend, report, undisturbed};
use crate::harness::{PATIENCE, Program, Redis, Running, Shell, Store, eventually, next_port, text};

/// Words that would have to be replaced first, and what not every shell takes at its prompt.
const NOT_FOR_A_SHELL: [&str; 8] = [
    "HOST",
    "PORT",
    " USER",
    ":PASSWORD",
    "…",
    "<",
    " # ",
    "PTG_STORE_TOKEN=",
];

/// Pastes a command into a shell of this kind.
fn paste_into(kind: &str, shell: &Shell, command: &str) -> Output {
    let mut running = shell.script(&format!("exec {kind}"));
    running.stdin(Stdio::piped());
    let mut running = Running::start(running);
    let mut prompt = running.stdin();
    prompt.write_all(format!("{command}\n").as_bytes()).expect("to paste");
    drop(prompt);
    running.wait()
}

/// Pastes a command, and expects that it does what it is for.
#[track_caller]
fn paste(shell: &Shell, command: &str) -> String {
    let output = paste_into("sh", shell, command);
    assert!(output.status.success(), "{command}: {output:?}");
    text(&output.stdout)
}

/// A command is one that a shell can read, with a program that there is, and nothing to fill in.
#[track_caller]
fn assert_for_a_shell(shell: &Shell, command: &str) {
    for word in NOT_FOR_A_SHELL {
        assert!(!command.contains(word), "{word} in {command}");
    }
    for kind in ["bash", "dash"] {
        let read = paste_into(&format!("{kind} -n"), shell, command);
        assert!(read.status.success() && read.stderr.is_empty(), "{command}: {read:?}");
    }
    let program = command.split(' ').next().expect("a word");
    if !["sudo", "timedatectl"].contains(&program) {
        paste(shell, &format!("command -v {program}"));
    }
}

#[test]
fn what_mends_redis_mends_it_when_pasted() {
    let bed = Bed::on(Redis::start());
    bed.redis
        .command::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let shell = Shell::of(&bed.store);
    for check in ["redis memory", "redis policy", "redis persistence"] {
        let before = bed.examine(&[]);
        assert!(!before.line(check).starts_with("ok"), "{}", before.text);
        for command in before.mend(check) {
            paste(&shell, command);
        }
        let mut last = String::new();
        let mended = || {
            last = bed.examine(&[]).line(check).to_owned();
            last.starts_with("ok") || last.contains("appendfsync")
        };
        eventually(PATIENCE, mended);
    }
}

#[test]
fn what_mends_a_stream_mends_it_when_pasted_by_whoever_is_signed_in() {
    let bed = Bed::healthy();
    let stream = "cam 0's $HOME `x` \"y\"";
    let path = "/streams/cam%200%27s%20%24HOME%20%60x%60%20%22y%22";
    bed.store
        .put(&format!("{path}?desc=the%20door&max_len=100000"))
        .expect(200);
    let shell = Shell::at(&bed.store.url(""));
    shell.feed(&["login", "ada", "--password-stdin"], b"ada");
    shell.feed(&["push", "--", stream], &[7; 800_000]);
    let warned = bed.examine(&[]);
    let mend = warned.mend("streams' memory");
    assert_for_a_shell(&shell, mend[0]);
    paste(&shell, mend[0]);
    let meta = bed.store.get(path).expect(200).json()["meta"].clone();
    assert!(
        meta["max_len"].as_u64().is_some_and(|max_len| max_len < 2_000),
        "{meta}"
    );
    assert_eq!(meta["description"], "the door");
}

#[test]
fn what_signs_in_does_so_when_pasted_also_where_a_variable_stands_in_the_way() {
    let bed = Bed::healthy();
    let url = bed.store.url("");
    let shell = Shell::at(&url);
    let without = ["--quick", "--url", &url, "--redis", &bed.redis.url()];
    let look = |token: Option<&str>| {
        let mut command = doctor(&without);
        let command = undisturbed(&mut command);
        command
            .env("XDG_CONFIG_HOME", shell.home().join("config"))
            .env("PTG_STORE_URL", &url);
        report(command.envs(token.map(|token| ("PTG_STORE_TOKEN", token))))
    };
    let none = look(None);
    none.assert("token", "warning", "there is none");
    let refused = look(Some("nonsense"));
    refused.assert("token", "WRONG", "in PTG_STORE_TOKEN is refused");
    write(shell.home().join("password"), "ada").expect("a file");
    for (report, before) in [(none, ""), (refused, "export PTG_STORE_TOKEN=nonsense; ")] {
        let command = report.mend("token")[0].to_owned();
        assert_for_a_shell(&shell, &command);
        // What would be typed stands behind it.
        let said = paste(
            &shell,
            &format!("{before}{command} ada --password-stdin < password && \"$P\" streams"),
        );
        assert!(said.starts_with("ada is signed in to "), "{said}");
        look(None).assert("token", "ok", "of ada in the login file");
        shell.print(&["login", "--logout"]);
    }
}

#[test]
fn what_makes_a_login_file_one_again_does_so_when_pasted() {
    let bed = Bed::healthy();
    let url = bed.store.url("");
    let shell = Shell::at(&url);
    let config = shell.home().join("my config");
    let file = config.join("ptg-store/login.json");
    let look = |token: Option<&str>| {
        let mut command = doctor(&["--quick", "--url", &url, "--redis", &bed.redis.url()]);
        let command = undisturbed(&mut command);
        command.env("XDG_CONFIG_HOME", &config).env("PTG_STORE_URL", &url);
        report(command.envs(token.map(|token| ("PTG_STORE_TOKEN", token))))
    };
    write(shell.home().join("password"), "ada").expect("a file");
    let here = "export XDG_CONFIG_HOME=\"$HERE/my config\";".replace("$HERE", &shell.home().to_string_lossy());
    let sign_in = |command: &str| paste(&shell, &format!("{here} {command} ada --password-stdin < password"));
    sign_in(r#""$P" login"#);
    let log_in = |command: &str| command.contains(" login");
    let spoil: [(&str, &dyn Fn()); 3] = [
        ("is open to others", &|| {
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("to open it");
        }),
        ("is not what ptg-store login writes", &|| {
            write(&file, "garbage").expect("to spoil it");
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("to open it");
        }),
        ("it is a folder", &|| {
            std::fs::remove_file(&file).expect("to remove it");
            std::fs::create_dir(&file).expect("a folder");
        }),
    ];
    for (what, spoil) in spoil {
        spoil();
        let wrong = look(None);
        wrong.assert("token", "WRONG", what);
        let mends = wrong.mend("token");
        // The sentence of a command that is refused for it has the same command.
        let mut logout = shell.command(&["login", "--logout"]);
        logout.env("XDG_CONFIG_HOME", &config);
        let said = text(&Running::start(logout).wait().stderr);
        assert!(said.contains(mends[0]), "{said}");
        for command in mends {
            assert_for_a_shell(&shell, command);
            match log_in(command) {
                true => sign_in(command),
                false => paste(&shell, command),
            };
        }
        look(None).assert("token", "ok", "of ada in the login file");
    }
    assert_eq!(
        std::fs::read_to_string(config.join("ptg-store/login.json.bad")).expect("it"),
        "garbage"
    );
    let unsendable = look(Some("two words"));
    assert!(
        unsendable.mend("token")[0].starts_with("unset PTG_STORE_TOKEN; "),
        "{}",
        unsendable.text
    );
}

#[test]
fn what_mends_streams_named_like_folders_mends_them_when_pasted() {
    let bed = Bed::on(Redis::start());
    bed.redis.command::<()>(&["CONFIG", "SET", "maxmemory", "200mb"]);
    let shell = Shell::of(&bed.store);
    let names = [".", "..", "laser\u{202e}resal"];
    for name in names {
        shell.print(&["describe", "--max-len", "100000", "--", name]);
        shell.feed(&["push", "--", name, "-"], &[7; 800_000]);
    }
    // What the store tells of its streams may be a second old.
    let mut mends = Vec::new();
    eventually(PATIENCE, || {
        let warned = bed.examine(&[]);
        mends = warned.mend("streams' memory").into_iter().map(str::to_owned).collect();
        mends.len() == names.len()
    });
    for command in &mends {
        // bash, for the name that no terminal shows as it is.
        let pasted = paste_into("bash", &shell, command);
        assert!(pasted.status.success(), "{command}: {pasted:?}");
    }
    for name in names {
        let told = shell.print(&["describe", "--json", "--", name]);
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert!(
            told["max_len"].as_u64().is_some_and(|max_len| max_len < 1_000),
            "{told}"
        );
    }
}

#[test]
fn what_starts_a_store_starts_one_when_pasted() {
    let bed = Bed::healthy();
    let url = format!("http://127.0.0.1:{}", next_port());
    let none = bed.examine(&["--url", &url]);
    let shell = Shell::at(&url);
    let mut starts = shell.script(&format!("exec {}", none.mend("address")[0]));
    starts.env("REDIS_URL", bed.redis.url());
    let mut store = Running::start(starts);
    eventually(PATIENCE, || {
        bed.examine(&["--url", &url]).line("address").starts_with("ok")
    });
    store.signal("TERM");
    assert_eq!(store.code(), Some(0));
}

#[test]
fn what_raises_the_limit_of_open_files_raises_it_when_pasted() {
    let bed = Bed::healthy();
    let arguments = bed.with_addresses(&["--quick"]);
    let arguments: Vec<&str> = ["doctor"]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .collect();
    let few = report(undisturbed(&mut Program::with_open_files(300, 300, &arguments)));
    let mend = few.mend("open files")[0].to_owned();
    let shell = Shell::of(&bed.store);
    assert_for_a_shell(&shell, &mend);
    // Only root may do that, and needs no sudo.
    if !mend.starts_with("sudo ") {
        let limit = paste(&shell, &format!("ulimit -Sn 300; {mend} && ulimit -Sn"));
        assert!(limit.trim().parse::<u64>().is_ok_and(|limit| limit > 1000), "{limit}");
    }
}

#[test]
fn a_password_of_redis_is_asked_for_and_taken_when_that_is_pasted() {
    let bed = Bed::healthy();
    bed.redis.command::<()>(&["CONFIG", "SET", "requirepass", "s3cret"]);
    let locked = bed.examine(&[]);
    locked.assert("redis", "WRONG", "");
    let mend = locked.mend("redis")[0].to_owned();
    let shell = Shell::of(&bed.store);
    assert_for_a_shell(&shell, &mend);
    let file = shell.home().join("paste.sh");
    write(&file, mend).expect("a file");
    // At a terminal, which does not show what is typed.
    let mut command = shell.script("exec script -qec 'sh paste.sh' /dev/null");
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    let mut keys = running.stdin();
    keys.write_all(b"s3cret\n").expect("to type");
    let screen = text(&running.wait().stdout);
    assert!(screen.contains("appendonly yes"), "{screen}");
}

#[test]
fn whatever_is_wrong_the_mend_is_for_a_shell() {
    let bed = Bed::on(Redis::start());
    let (shell, other) = (Shell::of(&bed.store), Redis::start());
    let nowhere = "redis://127.0.0.1:1";
    let foreign = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let no_store = format!("http://{}", foreign.local_addr().expect("its address"));
    // It says nothing, and hangs up.
    std::thread::spawn(move || while foreign.accept().is_ok() {});
    let exposed = Store::on(&bed.redis, &["--listen", "0.0.0.0:0", "--insecure-dev-auth"]);
    let exposed = format!("http://127.0.0.1:{}", exposed.addr().port());
    bed.redis.command::<()>(&["CONFIG", "SET", "maxclients", "50"]);
    let socket = "redis+unix:///nowhere/my%20redis.sock";
    for arguments in [
        &[][..],
        &["--redis", &other.url()],
        &["--redis", nowhere],
        &["--redis", socket],
        &["--token", "nonsense"],
        &["--url", &no_store],
        &["--url", "http://127.0.0.1:1/it's"],
        &["--url", "http://lab.invalid"],
        &["--url", &exposed, "--data-dir", "/proc/it's"],
        &["--pid", &std::process::id().to_string()],
    ] {
        let report = bed.examine(arguments);
        let commands: Vec<&str> = report.text.lines().filter_map(mend).collect();
        assert!(!commands.is_empty(), "{arguments:?}: {}", report.text);
        for command in commands {
            assert_for_a_shell(&shell, command);
        }
    }
}
