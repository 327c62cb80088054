//! docs/architecture.md and the code say the same: which folder may use which, who names which library, and that what a
//! document names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn folders_use_only_what_stands_below_them() {
    let order = folders();
    assert!(order.len() >= 12, "{order:?}");
    let place = |name: &str| order.iter().position(|folder| folder == name);
    let mut seen = BTreeSet::new();
    for (module, used) in uses() {
        // What the top uses, `main.rs` and `lib.rs`, is below it.
        let Some(own) = place(&module[0]) else { continue };
        seen.insert(own);
        for path in used {
            let up = place(&path[0]).is_some_and(|other| other < own);
            assert!(
                !up,
                "{} uses {}, which stands above it",
                module.join("::"),
                path.join("::")
            );
        }
    }
    let there = fs::read_dir(Path::new(ROOT).join("src")).expect("src/").flatten();
    let there = there.filter(|entry| entry.path().is_dir()).count();
    assert_eq!(
        (seen.len(), there),
        (order.len(), order.len()),
        "the list and the folders of src/ differ"
    );
}

#[test]
fn no_modules_of_a_folder_use_each_other_in_a_circle() {
    let mut arrows: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    let uses = uses();
    let two = |path: &[String]| path[..path.len().min(2)].to_vec();
    let modules: BTreeSet<_> = uses.keys().map(|module| two(module)).collect();
    for (module, used) in &uses {
        let used = used.iter().map(|path| two(path));
        let siblings = used.filter(|path| path[0] == module[0] && *path != two(module) && modules.contains(path));
        arrows
            .entry(two(module))
            .or_default()
            .extend(siblings.filter(|path| path.len() == 2));
    }
    // The table of a folder names all that is in it, so that only circles around it count.
    arrows.retain(|module, _| module.len() == 2);
    assert!(
        arrows.values().map(BTreeSet::len).sum::<usize>() > 50,
        "no arrows were found"
    );
    // Who uses nothing is in no circle, and then need not be looked at; what is left in the end is.
    loop {
        let before = arrows.len();
        let left: BTreeSet<_> = arrows.keys().cloned().collect();
        arrows.retain(|_, used| used.iter().any(|path| left.contains(path)));
        if arrows.len() == before {
            break;
        }
    }
    assert!(arrows.is_empty(), "{arrows:#?}");
}

#[test]
fn libraries_stay_behind_their_folders() {
    let may_name = [
        ("tiny_http", vec!["http/rest/mod.rs"]),
        ("tungstenite", vec!["websocket/", "client/", "commands/bench/"]),
        (
            "redis",
            vec!["store/", "server/redis_server/", "commands/bench/", "commands/doctor/"],
        ),
    ];
    for (library, folders) in may_name {
        let names = |text: &str| text.contains(&format!("use {library}::")) || text.contains(&format!(" {library}::"));
        let users: Vec<String> = sources()
            .into_iter()
            .filter(|(_, text)| names(text))
            .map(|(file, _)| file)
            .collect();
        assert!(!users.is_empty(), "nobody names {library}");
        for file in users {
            assert!(
                folders.iter().any(|folder| file.starts_with(folder)),
                "{file} names {library}"
            );
        }
    }
}

#[test]
fn every_file_and_item_that_a_document_names_is_there() {
    let sources: BTreeMap<String, String> = sources().into_iter().collect();
    let mut anchors = 0;
    for (page, text) in pages() {
        for word in code_in(&text) {
            let Some((file, item)) = word.split_once(".rs") else {
                continue;
            };
            let file = format!("{}.rs", file.strip_prefix("src/").unwrap_or(file));
            let Some(source) = sources.get(&file) else {
                assert!(
                    Path::new(ROOT).join(&file).exists(),
                    "{page} names {word}, which is not there"
                );
                continue;
            };
            if let Some(item) = item.strip_prefix(':') {
                anchors += 1;
                let kinds = ["fn", "struct", "enum", "trait", "const", "type"];
                let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
                let defines = |kind: &str| {
                    let begins = format!("{kind} {item}");
                    source.split(&begins).skip(1).any(ends)
                };
                assert!(
                    kinds.iter().any(|kind| defines(kind)),
                    "{page}: there is no {item} in {file}"
                );
            }
        }
    }
    assert!(anchors > 40, "{anchors} anchors");
}

#[test]
fn every_direct_dependency_has_a_line_that_says_what_for() {
    let page = read(&Path::new(ROOT).join("docs/architecture.md"));
    let manifest = read(&Path::new(ROOT).join("Cargo.toml"));
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]");
    let lines = lines.take_while(|line| !line.starts_with("[lints"));
    let names: Vec<&str> = lines
        .filter_map(|line| line.split_once(" = ").map(|(name, _)| name))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let row = page
            .lines()
            .find(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
        assert!(row.is_some(), "docs/architecture.md has no line for {name}");
    }
}

#[test]
fn every_section_of_the_protocol_that_the_code_cites_is_there() {
    let page = read(&Path::new(ROOT).join("docs/protocol.md"));
    let sections: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split('.').next())
        .collect();
    let mut cited = BTreeSet::new();
    for folder in ["src", "tests"] {
        for file in files(&Path::new(ROOT).join(folder), "rs") {
            let text = read(&file);
            for rest in text.split(concat!("docs/protocol", ".md, section")).skip(1) {
                let list = rest.trim_start_matches('s').trim_start();
                let numbers = list.split(" and ").take(if rest.starts_with('s') { 2 } else { 1 });
                for number in numbers.map(|word| word.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()) {
                    assert!(sections.contains(number), "{} cites section {number:?}", file.display());
                    cited.insert(number.to_owned());
                }
            }
        }
    }
    assert!(cited.len() >= 9, "only these are cited: {cited:?}");
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let page = read(&Path::new(ROOT).join("docs/architecture.md"));
    let mut named = 0;
    for word in code_in(&page) {
        let Some((module, name)) = word.rsplit_once("::") else {
            continue;
        };
        let file = Path::new(ROOT).join(format!("tests/it/{}.rs", module.replace("::", "/")));
        assert!(
            file.exists() && read(&file).contains(&format!("fn {name}()")),
            "there is no test {word}"
        );
        named += 1;
    }
    assert!(named >= 9, "{named} tests are named");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut links = 0;
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => Path::new(ROOT).join(&page),
                file => Path::new(ROOT).join(&page).with_file_name(file),
            };
            assert!(target.exists(), "{page} links to {link}, which is not there");
            if !section.is_empty() {
                let headings = headings(&read(&target));
                assert!(
                    headings.contains(section),
                    "{page}: no section #{section} in {}",
                    target.display()
                );
            }
        }
    }
    assert!(links > 20, "{links} links");
}

/// What stands between backticks, outside of fenced blocks.
fn code_in(text: &str) -> Vec<&str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// The names that headings have in links: lower case, without punctuation, dashes for spaces.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let name = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || "- _".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    lines.map(name).collect()
}

/// The folders of the table in docs/architecture.md, from top to bottom.
fn folders() -> Vec<String> {
    let page = read(&Path::new(ROOT).join("docs/architecture.md"));
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("/` |"));
    rows.map(|(folder, _)| folder.to_owned()).collect()
}

/// Of each module, as its path, the paths of ours that it uses outside of its tests.
fn uses() -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let mut uses: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (file, text) in sources().into_iter().filter(|(file, _)| !file.contains("tests")) {
        let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
        let module: Vec<String> = module.split('/').map(str::to_owned).collect();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
        let code: String = lines.collect::<Vec<_>>().join(" ");
        let parent = &module[..module.len() - usize::from(!file.ends_with("/mod.rs"))];
        let grandparent = &parent[..parent.len().saturating_sub(1)];
        let above = if file.ends_with("/mod.rs") { grandparent } else { parent };
        for (root, base) in [("crate::", &[][..]), ("ptg_store::", &[]), ("super::", above)] {
            for (at, _) in code.match_indices(root) {
                let before = code[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                for path in paths(&code[at + root.len()..]) {
                    uses.entry(module.clone()).or_default().insert([base, &path].concat());
                }
            }
        }
    }
    uses
}

/// The paths that begin here: one, or those of a list in braces.
fn paths(code: &str) -> Vec<Vec<String>> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let path = |text: &str| -> Vec<String> {
        let path = &text[..text.find(|c| !is_path(c)).unwrap_or(text.len())];
        path.split("::")
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let found = match code.strip_prefix('{') {
        Some(list) => list
            .split('}')
            .next()
            .unwrap_or_default()
            .split(',')
            .map(|item| path(item.trim()))
            .collect(),
        None => vec![path(code)],
    };
    found.into_iter().filter(|path| !path.is_empty()).collect()
}

/// README.md and the pages of docs/, by their paths.
fn pages() -> Vec<(String, String)> {
    let docs = files(&Path::new(ROOT).join("docs"), "md");
    let pages = docs.into_iter().chain([Path::new(ROOT).join("README.md")]);
    pages.map(|page| (relative(&page, ROOT), read(&page))).collect()
}

/// Every source file below src/, by its path from there.
fn sources() -> Vec<(String, String)> {
    let src = Path::new(ROOT).join("src");
    let files = files(&src, "rs").into_iter();
    files
        .map(|file| (relative(&file, &src.to_string_lossy()), read(&file)))
        .collect()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path, extension)),
            false if path.extension().is_some_and(|its| its == extension) => found.push(path),
            false => {}
        }
    }
    found
}

fn relative(file: &Path, root: &str) -> String {
    let path = file.strip_prefix(root).expect("a file below it");
    path.to_string_lossy().into_owned()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
