//! The help: what argh knows of the flags and words of a command, in two columns, as wide as the terminal.

use std::env;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality, PositionalInfo};
use rustix::termios::tcgetwinsize;

/// Columns where there is no terminal to ask, the fewest that text is fitted into, and the most: longer lines are hard to read.
const USUAL_WIDTH: usize = 80;
const LEAST_WIDTH: usize = 40;
const MOST_WIDTH: usize = 120;

/// The columns before a name, and between it and what is said of it.
const MARGIN: usize = 2;
const GAP: usize = 2;

/// The widest left column; a longer name has a line of its own.
const WIDEST_NAME: usize = 26;

/// The left column, and what stands right of it.
pub type Row = (String, String);

/// The columns of the terminal that reads standard output; what `COLUMNS` says comes first.
pub fn width() -> usize {
    let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || {
        tcgetwinsize(std::io::stdout())
            .ok()
            .map(|size| usize::from(size.ws_col))
    };
    let columns = said.or_else(terminal).filter(|columns| *columns > 0);
    columns.unwrap_or(USUAL_WIDTH).clamp(LEAST_WIDTH, MOST_WIDTH)
}

/// The help of a command, `program` being all that is typed to call it. Of each flag, `variable` tells the variable of the
/// environment that does the same; `more` are rows of flags that argh does not know.
pub fn help(
    program: &str,
    known: &CommandInfoWithArgs,
    variable: impl Fn(&FlagInfo<'static>) -> Option<String>,
    more: &[Row],
    width: usize,
) -> String {
    let shown = || known.positionals.iter().filter(|one| !one.hidden);
    let mut text = usage(program, known);
    text += "\n\n";
    text += &wrapped(known.description, width);
    if shown().next().is_some() {
        let rows: Vec<Row> = shown()
            .map(|one| (one.name.to_uppercase(), one.description.to_owned()))
            .collect();
        text += &format!("\n{}", table(&rows, width));
    }
    // argh has its own first.
    let (own, others): (Vec<_>, _) = known.flags.iter().partition(|flag| flag.long == "--help");
    let flags = others.into_iter().chain(own).filter(|flag| !flag.hidden);
    let rows = flags.map(|flag| row(flag, variable(flag)));
    let rows: Vec<Row> = rows.chain(more.iter().cloned()).collect();
    text + &format!("\nFlags:\n{}", table(&rows, width))
}

/// Rows in two columns that are aligned, each line at most so wide.
pub fn table(rows: &[Row], width: usize) -> String {
    let widths = rows
        .iter()
        .map(|(name, _)| count(name))
        .filter(|width| *width <= WIDEST_NAME);
    // On a narrow terminal the text needs the room, and so does its longest word.
    let words = rows.iter().flat_map(|(_, about)| about.split_whitespace());
    let room = width.saturating_sub(MARGIN + GAP + words.map(count).max().unwrap_or(0));
    let left = widths.max().unwrap_or(0).min(width / 3).min(room);
    let indent = MARGIN + left + GAP;
    let mut text = String::new();
    for (name, about) in rows {
        text += &format!("{:MARGIN$}{name}", "");
        let mut lines = lines(about, width - indent).into_iter();
        if count(name) <= left
            && let Some(first) = lines.next()
        {
            text += &format!("{:1$}{first}", "", left - count(name) + GAP);
        }
        text.push('\n');
        for line in lines {
            text += &format!("{:indent$}{line}\n", "");
        }
    }
    text
}

/// The line that says how a command is called.
pub fn usage(program: &str, known: &CommandInfoWithArgs) -> String {
    let words = known
        .positionals
        .iter()
        .filter(|one| !one.hidden)
        .map(|one| format!(" {}", word(one)));
    let flags = known
        .flags
        .iter()
        .filter(|flag| matches!(flag.optionality, Optionality::Required));
    let flags = flags.map(|flag| format!(" {}", name(flag)));
    let all: String = words.chain(flags).collect();
    format!("Usage: {program}{all} [flags]")
}

fn word(one: &PositionalInfo) -> String {
    let name = one.name.to_uppercase();
    match one.optionality {
        Optionality::Required => name,
        Optionality::Optional => format!("[{name}]"),
        Optionality::Repeating | Optionality::Greedy => format!("[{name}...]"),
    }
}

fn row(flag: &FlagInfo<'static>, variable: Option<String>) -> Row {
    let about = match flag.long {
        "--help" => "print this and exit".into(),
        _ => flag.description.to_owned(),
    };
    match variable {
        Some(variable) => (name(flag), format!("{about} [{variable}]")),
        None => (name(flag), about),
    }
}

/// A flag as it is typed.
fn name(flag: &FlagInfo) -> String {
    match flag.kind {
        _ if flag.long == "--help" => "-h, --help".into(),
        FlagInfoKind::Switch => flag.long.into(),
        FlagInfoKind::Option { arg_name } => format!("{} {}", flag.long, arg_name.to_uppercase()),
    }
}

/// A text in lines of at most so many columns, each with its end.
pub fn wrapped(text: &str, width: usize) -> String {
    lines(text, width).iter().map(|line| format!("{line}\n")).collect()
}

/// The same, without their ends. A word that is longer has a line of its own.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if count(line) + 1 + count(word) <= width => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn count(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(names: &[&str]) -> Vec<Row> {
        let about = "some words that are said of it, more than fit into one line";
        names
            .iter()
            .map(|name| ((*name).to_owned(), about.to_owned()))
            .collect()
    }

    #[test]
    fn both_columns_are_aligned_and_a_long_name_has_a_line_of_its_own() {
        let long = "--a-name-that-is-longer-than-any VALUE";
        let text = table(&rows(&["--a", "--abc VALUE", long]), 50);
        let expected = "  --a          some words that are said of it,\n\
                        \x20              more than fit into one line\n\
                        \x20 --abc VALUE  some words that are said of it,\n\
                        \x20              more than fit into one line\n\
                        \x20 --a-name-that-is-longer-than-any VALUE\n\
                        \x20              some words that are said of it,\n\
                        \x20              more than fit into one line\n";
        assert_eq!(text, expected);
        assert_eq!(table(&[("-h, --help".into(), String::new())], 50), "  -h, --help\n");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(names in proptest::collection::vec("--[a-z]{1,20}", 1..9), width in LEAST_WIDTH..=MOST_WIDTH) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let text = table(&rows(&names), width);
            prop_assert!(text.lines().all(|line| count(line) <= width), "{}", text);
        }

        #[test]
        fn wrapping_loses_no_word(text in "[a-z \n]{0,200}", width in 1usize..90) {
            let wrapped = wrapped(&text, width);
            let words: Vec<&str> = wrapped.split_whitespace().collect();
            prop_assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
        }
    }
}
