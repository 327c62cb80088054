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
fn every_flag_is_in_the_readme() {
    let readme = readme();
    let helps = [&["--help"][..], &["bench", "--help"]];
    let help = helps.map(|arguments| Program::run(arguments).stdout).concat();
    let help = String::from_utf8(help).expect("help as text");
    let flags: BTreeSet<&str> = help
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .collect();
    assert!(flags.len() > 10, "{flags:?}");
    for flag in flags {
        let named = readme
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .any(|word| word == flag);
        assert!(named, "{flag} is not in README.md");
    }
}

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).expect("README.md")
}
