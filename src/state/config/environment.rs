//! The flags of the store as variables of the environment: `--max-len 5` is `PTG_STORE_MAX_LEN=5`. In go the flags that there are
//! and those that were given, out come the words that the others stand for; a flag comes before its variable. What is wrong
//! with a value is said of the variable that it is from.

use std::env::VarError;

use argh::{ArgsInfo, FlagInfo, FlagInfoKind, FromArgs, Optionality};

use super::{Config, Flags, REDIS_VARIABLE};
use crate::request::params::boolean_of;
use crate::words::nearest::nearest;
use crate::words::visible;

/// What the names of the variables begin with.
pub const PREFIX: &str = "PTG_STORE_";

/// Variables of the same beginning that tell clients of a store where it is, and with which token.
const OF_CLIENTS: [&str; 2] = ["PTG_STORE_URL", "PTG_STORE_TOKEN"];

/// The flags that the environment gives.
#[derive(Debug, Default, PartialEq)]
pub struct Environment {
    given: Vec<Given>,
}

/// A flag, and what its variable says.
#[derive(Debug, PartialEq)]
struct Given {
    flag: &'static str,
    /// As it stands on a command line; nothing of a switch that is off.
    words: Vec<String>,
}

/// The variable of a flag such as `--max-len`; none of one that only asks for something to read.
pub fn variable_of(flag: &str) -> Option<String> {
    let name = flag.trim_start_matches('-');
    (name != "help").then(|| format!("{PREFIX}{}", name.replace('-', "_").to_ascii_uppercase()))
}

/// A variable of the environment, if it says anything. The error is a sentence for the user: one that cannot be read must not
/// count as one that is not there.
pub fn variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("the environment's {name} is not UTF-8")),
    }
}

/// The Redis that the environment names, and the variable that does.
pub fn redis() -> Result<Option<(String, String)>, String> {
    let own = variable_of("--redis").unwrap_or_default();
    for name in [&own, REDIS_VARIABLE] {
        if let Some(url) = variable(name)? {
            return Ok(Some((url, name.to_owned())));
        }
    }
    Ok(None)
}

/// Variables that are none of ours, but nearly: each with the one that was probably meant.
pub fn misspelt() -> Vec<(String, String)> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names
        .filter_map(|name| Some((meant(&name)?, name)))
        .map(|(meant, name)| (name, meant))
        .collect()
}

fn meant(name: &str) -> Option<String> {
    let word = name.strip_prefix(PREFIX)?;
    let known: Vec<String> = Flags::get_args_info()
        .flags
        .iter()
        .filter_map(|flag| variable_of(flag.long))
        .collect();
    if known.iter().any(|known| known == name) || OF_CLIENTS.contains(&name) {
        return None;
    }
    // Without what all begin with, so that only the letters of its own count.
    let near = nearest(word, known.iter().map(|known| &known[PREFIX.len()..]))?;
    Some(format!("{PREFIX}{near}"))
}

impl Environment {
    /// Reads the variables of the flags that are not `given` on the command line.
    pub fn read(given: &[&str]) -> Result<Environment, String> {
        Environment::of(Flags::get_args_info().flags, given, variable)
    }

    fn of(
        known: &[FlagInfo<'static>],
        given: &[&str],
        look_up: impl Fn(&str) -> Result<Option<String>, String>,
    ) -> Result<Environment, String> {
        let mut environment = Environment::default();
        for flag in known.iter().filter(|flag| !given.contains(&flag.long)) {
            let Some(name) = variable_of(flag.long) else { continue };
            let Some(value) = look_up(&name)? else { continue };
            let flag_with = |value: &str| [flag.long.to_owned(), value.to_owned()];
            let words = match (&flag.kind, &flag.optionality) {
                (FlagInfoKind::Switch, _) => match boolean_of(&value) {
                    Some(true) => vec![flag.long.to_owned()],
                    Some(false) => Vec::new(),
                    None => {
                        return Err(format!(
                            "{name} is '{}', and must be true or false",
                            visible::line(&value)
                        ));
                    }
                },
                (_, Optionality::Repeating) => value.split(',').flat_map(|one| flag_with(one.trim())).collect(),
                _ => flag_with(&value).into(),
            };
            environment.given.push(Given { flag: flag.long, words });
        }
        Ok(environment)
    }

    /// The flags as words of a command line.
    pub fn words(&self) -> Vec<&str> {
        self.given
            .iter()
            .flat_map(|one| &one.words)
            .map(String::as_str)
            .collect()
    }

    /// What is said of these flags, said of their variables.
    pub fn named_in(&self, sentence: &str) -> String {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let mut named = sentence.to_owned();
        for Given { flag, .. } in &self.given {
            let Some(name) = variable_of(flag) else { continue };
            let mut rest = std::mem::take(&mut named);
            while let Some(at) = rest.find(flag) {
                let behind = rest.split_off(at + flag.len());
                // A longer name begins in the same way.
                match behind.starts_with(is_of_name) {
                    true => named += &rest,
                    false => named = named + &rest[..at] + &name,
                }
                rest = behind;
            }
            named += &rest;
        }
        named
    }
}

impl Config {
    /// What a store would take that is started with this environment and without a flag. The error is a sentence for the user.
    pub fn from_environment() -> Result<Config, String> {
        let environment = Environment::read(&[])?;
        let flags = Flags::from_args(&["ptg-store"], &environment.words()).map_err(|exit| exit.output);
        let config = flags.and_then(|flags| Config::from_flags(flags, variable(REDIS_VARIABLE)?));
        config.map_err(|sentence| environment.named_in(&sentence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment with these variables, beside these flags.
    fn with(given: &[&str], variables: &[(&str, &str)]) -> Result<Environment, String> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let look_up = |name: &str| Ok(find(name).map(|(_, value)| (*value).to_owned()));
        Environment::of(Flags::get_args_info().flags, given, look_up)
    }

    #[test]
    fn a_variable_stands_for_its_flag_unless_that_is_given() {
        let variables = [
            ("PTG_STORE_MAX_LEN", "5"),
            ("PTG_STORE_DATA_DIR", "-x y"),
            ("OTHER", "7"),
        ];
        let environment = with(&[], &variables).unwrap();
        assert_eq!(environment.words(), ["--data-dir", "-x y", "--max-len", "5"]);
        let environment = with(&["--max-len", "--listen"], &variables).unwrap();
        assert_eq!(environment.words(), ["--data-dir", "-x y"]);
    }

    #[test]
    fn switches_are_true_or_false_and_lists_have_commas() {
        let switch = |value| with(&[], &[("PTG_STORE_INSECURE_DEV_AUTH", value)]);
        assert_eq!(switch("true").unwrap().words(), ["--insecure-dev-auth"]);
        assert_eq!(switch("1").unwrap().words(), ["--insecure-dev-auth"]);
        assert!(switch("off").unwrap().words().is_empty());
        assert!(switch("maybe").unwrap_err().contains("PTG_STORE_INSECURE_DEV_AUTH"));
        let list = with(&[], &[("PTG_STORE_ALLOW_HOST", "lab, store.lab")]).unwrap();
        assert_eq!(list.words(), ["--allow-host", "lab", "--allow-host", "store.lab"]);
    }

    #[test]
    fn what_is_wrong_is_said_of_the_variable_and_not_of_flags_that_begin_alike() {
        let environment = with(
            &["--ping-interval"],
            &[("PTG_STORE_MAX_BODY", "1"), ("PTG_STORE_MAX_LEN", "x")],
        );
        let named = |sentence| environment.as_ref().unwrap().named_in(sentence);
        assert_eq!(
            named("--max-len: bad (--max-len)"),
            "PTG_STORE_MAX_LEN: bad (PTG_STORE_MAX_LEN)"
        );
        assert_eq!(
            named("--max-body-x and --ping-interval"),
            "--max-body-x and --ping-interval"
        );
        assert_eq!(named("of --max-body"), "of PTG_STORE_MAX_BODY");
        assert_eq!(named(""), "");
    }

    #[test]
    fn every_flag_but_help_has_a_variable_of_its_own_that_no_client_reads() {
        let flags = Flags::get_args_info().flags;
        let mut names: Vec<String> = flags.iter().filter_map(|flag| variable_of(flag.long)).collect();
        assert_eq!(names.len(), flags.len() - 1);
        assert!(names.iter().all(|name| !OF_CLIENTS.contains(&name.as_str())));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), flags.len() - 1);
    }

    #[test]
    fn only_variables_that_are_nearly_ours_are_taken_for_slips() {
        assert_eq!(meant("PTG_STORE_LISTN").as_deref(), Some("PTG_STORE_LISTEN"));
        assert_eq!(meant("PTG_STORE_MAXLEN").as_deref(), Some("PTG_STORE_MAX_LEN"));
        // The second of each is what Kubernetes sets beside a service of this name.
        for name in [
            "PTG_STORE_LISTEN",
            "PTG_STORE_PORT",
            "PTG_STORE_URL",
            "PTG_STORE_SERVICE_HOST",
            "LISTN",
        ] {
            assert_eq!(meant(name), None, "{name}");
        }
    }
}
