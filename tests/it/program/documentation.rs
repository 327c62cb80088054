//! What exists is documented: a route or a flag that no page names fails here.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{Program, Store};

#[test]
fn every_route_is_in_the_protocol() {
    let page = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md"));
    for route in ptg_store::request::router::ROUTES {
        let line = page
            .lines()
            .find(|line| line.contains(route.method) && line.contains(route.pattern));
        assert!(
            line.is_some(),
            "{} {} has no line in docs/protocol.md",
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

/// Words of those who wrote the program. Nobody else knows what a seed or a dialect is, or that headings once had numbers.
const OWN_WORDS: [&str; 5] = ["the seed", "seed's", "dialect", "original server", "the original's"];

#[test]
fn nothing_that_users_read_has_words_that_only_its_authors_know() {
    let store = Store::start();
    let served =
        ["/", "/docs", "/openapi.json", "/asyncapi.json"].map(|path| store.get(path).expect(200).text().to_string());
    let serving = help(&[]);
    let helps: String = commands(&serving).into_iter().map(|command| help(&[command])).collect();
    let changes = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("CHANGELOG.md"));
    let everything = [readme(), docs(), changes, serving, helps].into_iter().chain(served);
    for text in everything {
        for line in text.lines() {
            let low = line.to_lowercase();
            let found = OWN_WORDS.iter().find(|word| low.contains(**word));
            assert_eq!(found, None, "{line}");
        }
    }
    // Only the page that others cite by its sections has numbers.
    let cited = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/protocol.md"));
    for line in (readme() + &docs().replace(&cited, ""))
        .lines()
        .filter(|line| line.starts_with('#'))
    {
        let title = line.trim_start_matches(['#', ' ']);
        let is_numbered = title.starts_with(|first: char| first.is_ascii_digit());
        assert!(!is_numbered, "{line}");
    }
}

#[test]
fn the_readme_is_a_page_to_begin_with_and_lines_are_not_too_long() {
    let lines = readme().lines().count();
    assert!(lines <= 300, "README.md has {lines} lines");
    let mut fenced = false;
    for line in (readme() + &docs()).lines() {
        fenced ^= line.trim_start().starts_with("```");
        let may_be_long = fenced || line.starts_with('|') || line.starts_with('<') || !line.trim().contains(' ');
        assert!(may_be_long || line.chars().count() <= 122, "{line}");
    }
}

#[test]
fn the_readme_begins_with_requests_for_python_and_has_websocat_behind_the_program() {
    let readme = readme();
    let place = |text: &str| readme.find(text).unwrap_or_else(|| panic!("no {text:?} in README.md"));
    let python = readme.split("```python\n").nth(1).expect("an example in Python");
    let (python, _) = python.split_once("```").expect("its end");
    assert_eq!(python.lines().count(), 4, "{python}");
    for needed in ["import requests", "\"follow\": \"true\"", "\"format\": \"json\""] {
        assert!(python.contains(needed), "{needed}: {python}");
    }
    assert!(place("```python") < place("from websockets"));
    assert!(place("ptg-store push") < place("| websocat"));
    assert!(place("\nPATH=$PATH:$PWD/target/release\n") < place("ptg-store login"));
    assert!(place("externally-managed-environment") < place("import requests"));
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
