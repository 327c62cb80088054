//! Words of a command line, put into the one form that argh takes. In go the words as they were typed, and the flags and
//! words that there are, which argh itself tells (`ArgsInfo`); out come flags and words, apart, or what is wrong with them.
//!
//! As in most programs (POSIX, section 12.2, and GNU's long options): `--flag value` is `--flag=value`, `--` ends the flags,
//! and a word that is only `-` is none. `-h` and `--help` ask for help wherever they stand.

use std::iter::Peekable;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};
use ptg_store::request::params::boolean_of;
use ptg_store::words::nearest::nearest;

/// What other programs call a flag, and its name here.
const OTHER_NAMES: [(&str, &str); 15] = [
    ("port", "listen"),
    ("prot", "listen"),
    ("p", "listen"),
    ("bind", "listen"),
    ("host", "listen"),
    ("address", "listen"),
    ("host", "url"),
    ("server", "url"),
    ("store", "url"),
    ("limit", "count"),
    ("n", "count"),
    ("force", "yes"),
    ("f", "yes"),
    ("format", "json"),
    ("since", "from"),
];

/// Flags that are another command's, and what gives them.
const ELSEWHERE: [(&str, &str); 1] = [("max-len", "ptg-store describe STREAM --max-len N sets that")];

/// What was asked for.
#[derive(Debug, PartialEq)]
pub enum Prepared<'a> {
    /// The help.
    Help,
    /// The version.
    Version,
    /// That something is done.
    Work(Words<'a>),
}

/// Flags and words of a command line.
#[derive(Debug, Default, PartialEq)]
pub struct Words<'a> {
    /// Every flag that was given, by its long name, also a switch that was given as `--quiet=false`.
    pub given: Vec<&'static str>,
    flags: Vec<&'a str>,
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    /// The words in the form that argh takes, with `others` among the flags.
    pub fn for_argh(&self, others: &[&'a str]) -> Vec<&'a str> {
        let mut all = [others, &self.flags].concat();
        if !self.words.is_empty() {
            all.push("--");
            all.extend(&self.words);
        }
        all
    }
}

/// Prepares the words of a command that has these flags and words. The error is a sentence for the user.
pub fn prepare<'a>(known: &CommandInfoWithArgs, arguments: &[&'a str]) -> Result<Prepared<'a>, String> {
    // Where no word may stand, this one was meant as it reads.
    if known.positionals.is_empty() && arguments.first() == Some(&"help") {
        return Ok(Prepared::Help);
    }
    let mut found = Words::default();
    let mut asks_version = false;
    // Whoever asks for help gets it, whatever else is wrong.
    let mut wrong = None;
    let mut rest = arguments.iter().copied().peekable();
    while let Some(word) = rest.next() {
        match word {
            "--" => found.words.extend(rest.by_ref()),
            _ if is_help(word) => return Ok(Prepared::Help),
            "-V" | "--version" => asks_version = true,
            _ if looks_like_flag(word) => {
                if let Err(sentence) = found.take_flag(known, word, &mut rest) {
                    wrong.get_or_insert(sentence);
                }
            }
            _ => found.words.push(word),
        }
    }
    match wrong {
        _ if asks_version => Ok(Prepared::Version),
        Some(sentence) => Err(sentence),
        None => found.check(known).map(|()| Prepared::Work(found)),
    }
}

fn is_help(word: &str) -> bool {
    ["-h", "--help"].contains(&word)
}

impl<'a> Words<'a> {
    /// A flag, and its value if it takes one.
    fn take_flag(
        &mut self,
        known: &CommandInfoWithArgs,
        word: &'a str,
        rest: &mut Peekable<impl Iterator<Item = &'a str>>,
    ) -> Result<(), String> {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        if is_help(name) || ["-V", "--version"].contains(&name) {
            return Err(format!("{name} takes no value"));
        }
        let Some(flag) = find(known, name) else {
            return Err(unknown(known, name));
        };
        let long = flag.long;
        self.given.push(long);
        match (&flag.kind, value) {
            (FlagInfoKind::Switch, None) => self.flags.push(long),
            (FlagInfoKind::Switch, Some(value)) => match boolean_of(value) {
                Some(true) => self.flags.push(long),
                Some(false) => {}
                None => return Err(format!("{long} takes no value but true or false, and not '{value}'")),
            },
            (FlagInfoKind::Option { .. }, Some(value)) => self.flags.extend([long, value]),
            (FlagInfoKind::Option { .. }, None) => match rest.next_if(|next| !is_help(next)) {
                // Not what was forgotten, but what comes behind it.
                Some(next) if next == "--" || find(known, name_of(next)).is_some() => {
                    return Err(format!(
                        "{long} needs a value, and behind it stands {next}; {long}={next} would be one"
                    ));
                }
                Some(next) => self.flags.extend([long, next]),
                None => return Err(format!("{long} needs a value")),
            },
        }
        Ok(())
    }

    /// Whether there is what must be there, and no word too many.
    fn check(&self, known: &CommandInfoWithArgs) -> Result<(), String> {
        let is_required = |optionality: &Optionality| matches!(optionality, Optionality::Required);
        let mut required = known.positionals.iter().filter(|one| is_required(&one.optionality));
        if let Some(missing) = required.nth(self.words.len()) {
            return Err(format!(
                "{} is missing: {}",
                missing.name.to_uppercase(),
                missing.description
            ));
        }
        let mut required = known.flags.iter().filter(|flag| is_required(&flag.optionality));
        if let Some(missing) = required.find(|flag| !self.given.contains(&flag.long)) {
            return Err(format!("{} is missing: {}", missing.long, missing.description));
        }
        let takes_all =
            |one: &argh::PositionalInfo| matches!(one.optionality, Optionality::Repeating | Optionality::Greedy);
        match self.words.get(known.positionals.len()) {
            Some(word) if !known.positionals.iter().any(takes_all) => Err(match known.positionals.len() {
                0 => format!("'{word}' stands where only flags may"),
                _ => format!("'{word}' is a word too many"),
            }),
            _ => Ok(()),
        }
    }
}

/// The flag of this name, long or short.
fn find<'a>(known: &'a CommandInfoWithArgs, name: &str) -> Option<&'a FlagInfo<'static>> {
    known.flags.iter().find(|flag| flag.long == name)
}

/// What stands before the value in `--flag=value`.
fn name_of(word: &str) -> &str {
    word.split_once('=').map_or(word, |(name, _)| name)
}

/// Whether a word is meant as a flag. A text program may have made one long dash of two.
pub fn looks_like_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with(is_dash)
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn unknown(known: &CommandInfoWithArgs, name: &str) -> String {
    let names = || known.flags.iter().map(|flag| flag.long.trim_start_matches('-'));
    let word = name.trim_start_matches(is_dash).replace('_', "-");
    // Whoever wrote only how it begins meant it all the same, if no other begins so.
    let mut begun = names().filter(|known| !word.is_empty() && known.starts_with(&word));
    let begun = begun.next().filter(|_| begun.next().is_none());
    let other = || names().find(|name| OTHER_NAMES.contains(&(word.as_str(), *name)));
    let elsewhere = ELSEWHERE.iter().find(|(flag, _)| *flag == word);
    match (nearest(&word, names()).or_else(other).or(begun), elsewhere) {
        (Some(near), _) => format!("there is no flag {name}; did you mean --{near}?"),
        (None, Some((_, way))) => format!("there is no flag {name}; {way}"),
        (None, None) => format!("there is no flag {name}"),
    }
}

#[cfg(test)]
mod tests;
