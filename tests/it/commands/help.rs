//! The help: asked for in whatever form, as wide as the terminal, in two columns.

use crate::harness::{Program, Running, Shell, Terminal, text};

const COMMANDS: [&str; 8] = [
    "login", "streams", "push", "pull", "record", "replay", "bench", "doctor",
];

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = Program::run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}: {output:?}");
    text(&output.stdout)
}

#[test]
fn help_is_the_same_however_it_is_asked_for() {
    let all = printed(&["--help"]);
    for arguments in [
        ["-h"].as_slice(),
        &["help"],
        &["help", "--help"],
        &["--listen=127.0.0.1:0", "--help"],
        &["--listen", "127.0.0.1:0", "-h", "--nonsense"],
        &["--max-len", "--help"],
    ] {
        assert_eq!(printed(arguments), all, "{arguments:?}");
    }
    for command in COMMANDS {
        let own = printed(&[command, "--help"]);
        assert!(own.starts_with(&format!("Usage: ptg-store {command}")), "{own}");
        for arguments in [
            ["help", command].as_slice(),
            &["--help", command],
            &["-h", command],
            &[command, "-h"],
            &[command, "a", "b", "--url", "--nonsense", "-h"],
        ] {
            assert_eq!(printed(arguments), own, "{arguments:?}");
        }
        assert!(all.contains(&format!("\n  {command} ")), "{all}");
    }
    assert_eq!(Program::run(&["help", "nonsense"]).status.code(), Some(2));
}

#[test]
fn version_is_the_same_however_it_is_asked_for() {
    for arguments in [
        ["--version"].as_slice(),
        &["-V"],
        &["push", "-V"],
        &["--listen", "x", "--version"],
    ] {
        assert_eq!(
            printed(arguments),
            concat!("ptg-store ", env!("CARGO_PKG_VERSION"), "\n")
        );
    }
}

/// The widest line, and where the second column of each row begins.
fn shape(help: &str) -> (usize, Vec<usize>) {
    let widest = help.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let flags = help.lines().skip_while(|line| *line != "Flags:").skip(1);
    let begins = flags.take_while(|line| !line.is_empty()).filter_map(|line| {
        let name = line.trim_start().split("  ").next()?.chars().count();
        let indent = line.len() - line.trim_start().len();
        // A continuation, or what stands right of a name; a long name has nothing there.
        match indent {
            2 => line[2 + name..].find(|c| c != ' ').map(|gap| 2 + name + gap),
            indent => Some(indent),
        }
    });
    let mut begins: Vec<usize> = begins.collect();
    begins.dedup();
    (widest, begins)
}

#[test]
fn help_is_as_wide_as_columns_says_in_two_aligned_columns() {
    for columns in [60_usize, 80, 100, 120] {
        for arguments in [["--help"].as_slice(), &["push", "--help"], &["doctor", "-h"]] {
            let mut command = Program::command(arguments);
            command.env("COLUMNS", columns.to_string());
            let help = text(&Program::run_to_end(command).stdout);
            let (widest, begins) = shape(&help);
            assert!(
                widest <= columns && widest > columns - 25,
                "{widest} of {columns}: {help}"
            );
            assert_eq!(begins.len(), 1, "{begins:?}: {help}");
        }
    }
    // Where nobody says, and there is no terminal.
    for nonsense in [None, Some(""), Some("wide"), Some("0")] {
        let mut command = Program::command(&["--help"]);
        command.envs(nonsense.map(|value| ("COLUMNS", value)));
        let (widest, _) = shape(&text(&Program::run_to_end(command).stdout));
        assert!((70..=80).contains(&widest), "{nonsense:?}: {widest}");
    }
}

#[test]
fn help_is_as_wide_as_the_terminal() {
    let shell = Shell::at("http://127.0.0.1:1");
    for columns in [50, 110] {
        let script = format!("exec script -qec 'stty cols {columns}; \"$P\" push --help' /dev/null");
        let output = Running::start(shell.script(&script)).wait();
        let help = text(&output.stdout).replace('\r', "");
        let (widest, begins) = shape(&help);
        assert!(
            widest <= columns && widest > columns - 25,
            "{widest} of {columns}: {help}"
        );
        assert_eq!(begins.len(), 1, "{help}");
    }
    // What COLUMNS says comes before what the terminal does.
    let script = "exec script -qec 'stty cols 110; COLUMNS=60 \"$P\" push --help' /dev/null";
    let output = Running::start(shell.script(script)).wait();
    let (widest, _) = shape(&text(&output.stdout).replace('\r', ""));
    assert!((36..=60).contains(&widest), "{widest}");
    // One that does not know its width is no reason to fail.
    Terminal::run(&shell, "help").ends_with(0);
}
