//! What exists is documented: a route or a flag that the README does not name fails here.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::Program;

#[test]
fn every_route_is_in_the_readme() {
    let readme = readme();
    for route in ptg_store::router::ROUTES {
        let line = readme
            .lines()
            .find(|line| line.contains(route.method) && line.contains(route.pattern));
        assert!(
            line.is_some(),
            "{} {} has no line in README.md",
            route.method,
            route.pattern
        );
    }
}

#[test]
fn every_flag_and_command_is_in_the_readme_or_the_docs() {
    let documentation = readme() + &docs();
    let is_flag = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let named: BTreeSet<&str> = documentation.split(|c| !is_flag(c)).collect();
    let serving = help(&[]);
    let commands = commands(&serving);
    assert!(commands.len() >= 5, "{commands:?}");
    let mut helps = vec![serving.clone()];
    for command in commands {
        assert!(
            documentation.contains(&format!("ptg-store {command}")),
            "ptg-store {command} is not documented"
        );
        helps.push(help(&[command]));
    }
    let flags: BTreeSet<&str> = helps
        .iter()
        .flat_map(|help| help.split(|c| !is_flag(c)))
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .collect();
    assert!(flags.len() > 30, "{flags:?}");
    let missing: Vec<_> = flags.difference(&named).collect();
    assert!(missing.is_empty(), "neither in README.md nor in docs/: {missing:?}");
}

/// What a command says about itself; without words, the program that serves.
#[track_caller]
fn help(words: &[&str]) -> String {
    let output = Program::run(&[words, &["--help"]].concat());
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("help as text")
}

/// The names below the heading `Commands`.
fn commands(help: &str) -> Vec<&str> {
    let list = help.lines().skip_while(|line| !line.starts_with("Commands")).skip(1);
    list.map_while(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .collect()
}

fn readme() -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))
}

/// Every page of docs/.
fn docs() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let pages = std::fs::read_dir(folder)
        .expect("docs/")
        .map(|page| page.expect("a page").path());
    let pages = pages.filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.map(|page| read(&page)).collect()
}

fn read(page: &Path) -> String {
    std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}
