//! The command line. In go the words behind `ptg-store` or one of its commands, out come its flags, or what to print or to
//! complain about instead. argh parses them; before that they are put into the form that it takes (`prepare`), and the help
//! is made of what argh knows (`help`). `main` calls it for the store, `commands::run` for the commands.

pub mod help;
mod prepare;

use argh::{ArgsInfo, FromArgs};
use ptg_store::state::config::{Environment, Flags, environment};
use ptg_store::words::visible;

pub use prepare::looks_like_flag;
use prepare::{Prepared, Words, prepare};

/// What a program is called that is not called by a command.
const PROGRAM: &str = "ptg-store";

/// Why nothing is done.
#[derive(Debug)]
pub enum Stop {
    /// The help was asked for: this text.
    Help(String),
    /// The version was asked for.
    Version,
    /// The command line makes no sense: why, in one line or a few.
    Wrong(String),
}

/// The flags of a command.
pub fn of_command<F: FromArgs + ArgsInfo>(name: &str, arguments: &[&str]) -> Result<F, Stop> {
    let known = F::get_args_info();
    let program = format!("{PROGRAM} {name}");
    let wrong = |sentence: &str| wrong(sentence, &program, arguments);
    match prepare(&known, arguments).map_err(|sentence| wrong(&sentence))? {
        Prepared::Help => Err(Stop::Help(help::help(&program, &known, |_| None, &[], help::width()))),
        Prepared::Version => Err(Stop::Version),
        Prepared::Work(words) => parse(&program, &words.for_argh(&[])).map_err(|sentence| wrong(&sentence)),
    }
}

/// The flags of the store, and of those that were not given what the environment says.
pub fn of_store(arguments: &[&str]) -> Result<(Flags, Environment), Stop> {
    let known = Flags::get_args_info();
    let wrong = |sentence: &str| wrong(sentence, PROGRAM, arguments);
    match prepare(&known, arguments).map_err(|sentence| wrong(&sentence))? {
        Prepared::Help => {
            let variable = |flag: &argh::FlagInfo| environment::variable_of(flag.long);
            let version = ("-V, --version".into(), "print the version and exit".into());
            Err(Stop::Help(help::help(
                PROGRAM,
                &known,
                variable,
                &[version],
                help::width(),
            )))
        }
        Prepared::Version => Err(Stop::Version),
        Prepared::Work(words) => {
            let environment = Environment::read(&words.given).map_err(|sentence| wrong(&sentence))?;
            match with_environment(&words, &environment) {
                Ok(flags) => Ok((flags, environment)),
                Err(sentence) => {
                    let all = [arguments, &environment.words()].concat();
                    Err(self::wrong(&environment.named_in(&sentence), PROGRAM, &all))
                }
            }
        }
    }
}

fn with_environment(words: &Words, environment: &Environment) -> Result<Flags, String> {
    let others = environment.words();
    parse(PROGRAM, &words.for_argh(&others))
}

fn parse<F: FromArgs>(program: &str, words: &[&str]) -> Result<F, String> {
    let largest = |flag: &str| LARGEST.into_iter().find(|largest| !takes::<F>(program, flag, *largest));
    F::from_args(&[program], words).map_err(|exit| shorter(exit.output.trim_end(), largest))
}

/// The largest numbers that flags may hold, smaller ones first: ports have 16 bits.
const LARGEST: [u64; 2] = [u16::MAX as u64, u32::MAX as u64];

/// Whether a number of this flag may be larger than that. What else argh misses it says later than what it thinks of a value.
fn takes<F: FromArgs>(program: &str, flag: &str, number: u64) -> bool {
    let larger = (number + 1).to_string();
    let parsed = F::from_args(&[program], &[flag, &larger]);
    parsed.err().is_none_or(|exit| !exit.output.contains(TOO_LARGE))
}

/// What the standard library says of a number that has more bits than there are.
const TOO_LARGE: &str = "number too large to fit in target type";

/// What argh says of a value, in the words of the other sentences. `largest` is what a flag for numbers takes at most, if that
/// is worth saying.
fn shorter(said: &str, largest: impl Fn(&str) -> Option<u64>) -> String {
    let about = said.strip_prefix("Error parsing option '");
    let about = about.and_then(|about| about.split_once("' with value '"));
    let about = about.and_then(|(flag, rest)| Some((flag, rest.rsplit_once("': ")?)));
    let Some((flag, (value, why))) = about else {
        return said.to_owned();
    };
    let range;
    let why = match why {
        "duplicate values provided" => return format!("{flag} is given more than once"),
        // The standard library's words, which are those of programmers.
        "invalid digit found in string" | "cannot parse integer from empty string" | TOO_LARGE => {
            range = match largest(flag) {
                Some(largest) => format!("that is no whole number from 0 to {largest}"),
                None if why == TOO_LARGE => format!("that is more than {}", u64::MAX),
                None => "that is no whole number of 0 or more".into(),
            };
            &range
        }
        "invalid float literal" | "cannot parse float from empty string" => "that is no number",
        why => why,
    };
    format!("{flag} is '{value}': {why}")
}

fn wrong(sentence: &str, program: &str, arguments: &[&str]) -> Stop {
    let sentence = sentence.trim_end();
    let end = if sentence.ends_with('?') { "" } else { ";" };
    Stop::Wrong(in_lines(
        &format!("{sentence}{end} {program} --help says more"),
        arguments,
    ))
}

/// What argh, or whoever starts the store, says in lines of their own. An argument that is said again there begins none.
pub fn in_lines(said: &str, arguments: &[&str]) -> String {
    let mut said = said.trim_end().to_owned();
    // Also of what stands behind the `=` of a flag.
    let values = arguments
        .iter()
        .filter_map(|argument| argument.split_once('='))
        .map(|(_, value)| value);
    for argument in arguments.iter().copied().chain(values) {
        let shown = visible::line(argument);
        if shown != argument {
            said = said.replace(argument, &shown);
        }
    }
    visible::lines(&said).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(arguments: &[&str]) -> String {
        match of_store(arguments) {
            Err(Stop::Wrong(sentence)) => sentence,
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    #[test]
    fn a_value_that_does_not_parse_is_told_with_its_flag_and_the_cause() {
        for (arguments, sentence) in [
            (
                ["--max-len=many"].as_slice(),
                "--max-len is 'many': that is no whole number",
            ),
            (&["--max-len", ""], "--max-len is '': that is no whole number"),
            (
                &["--max-len=-1"],
                "--max-len is '-1': that is no whole number of 0 or more",
            ),
            (
                &["--max-len=99999999999999999999"],
                "--max-len is '99999999999999999999': that is more than 18446744073709551615",
            ),
            (
                &["--own-redis-port", "65536"],
                "--own-redis-port is '65536': that is no whole number from 0 to 65535",
            ),
            (
                &["--own-redis-port=-1"],
                "--own-redis-port is '-1': that is no whole number from 0 to 65535",
            ),
            (&["--max-body=12XB"], "--max-body is '12XB': "),
            (&["--max-len=a': b"], "--max-len is 'a': b': that is no whole number"),
            (&["--max-len=1", "--max-len=2"], "--max-len is given more than once"),
        ] {
            let said = refused(arguments);
            assert!(said.starts_with(sentence), "{said}");
            assert!(said.ends_with("; ptg-store --help says more"), "{said}");
        }
    }
}
