//! What is typed, and what becomes of it.

use argh::{ArgsInfo, FromArgs};
use proptest::prelude::*;

use super::*;

/// A command with a flag of every kind, and words.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(description = "does things")]
struct Flags {
    #[argh(positional, description = "the stream")]
    stream: String,

    #[argh(positional, description = "the files")]
    files: Vec<String>,

    #[argh(option, description = "where to begin")]
    from: Option<String>,

    #[argh(option, description = "how many")]
    max_len: Vec<String>,

    #[argh(switch, description = "say less")]
    quiet: bool,
}

/// A command without words.
#[derive(FromArgs, ArgsInfo, Debug, PartialEq)]
#[argh(description = "lists things")]
struct Lists {
    #[argh(option, description = "where to")]
    out: String,
}

fn prepared<'a>(arguments: &[&'a str]) -> Result<Prepared<'a>, String> {
    prepare(&Flags::get_args_info(), arguments)
}

/// What argh makes of it.
#[track_caller]
fn parsed(arguments: &[&str]) -> Flags {
    match prepared(arguments) {
        Ok(Prepared::Work(words)) => Flags::from_args(&["p"], &words.for_argh(&[])).unwrap(),
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[track_caller]
fn refused(arguments: &[&str]) -> String {
    prepared(arguments).unwrap_err()
}

#[test]
fn a_value_stands_behind_its_flag_or_behind_an_equals_sign() {
    for arguments in [
        ["s", "--from", "x"].as_slice(),
        &["s", "--from=x"],
        &["--from=x", "s"],
        &["--from", "x", "--", "s"],
    ] {
        assert_eq!(parsed(arguments).from.as_deref(), Some("x"), "{arguments:?}");
        assert_eq!(parsed(arguments).stream, "s");
    }
}

#[test]
fn a_value_may_be_empty_or_look_like_anything() {
    for value in [
        "", "=", "a=b", "-5m", "-", "--", "--quiet", "-h", "x y", "ä", "--from=x",
    ] {
        let word = format!("--from={value}");
        assert_eq!(parsed(&["s", &word]).from.as_deref(), Some(value));
    }
    // Apart, whatever cannot be something else.
    for value in ["", "=", "a=b", "-5m", "-", "-1", "--nothing"] {
        assert_eq!(parsed(&["s", "--from", value]).from.as_deref(), Some(value));
    }
}

#[test]
fn a_flag_without_its_value_does_not_swallow_what_follows() {
    for next in ["--quiet", "--max-len=5", "--"] {
        let sentence = refused(&["s", "--from", next]);
        assert!(sentence.starts_with("--from needs a value"), "{sentence}");
        assert!(sentence.contains(&format!("--from={next}")), "{sentence}");
    }
    assert_eq!(refused(&["s", "--from"]), "--from needs a value");
}

#[test]
fn a_switch_takes_true_and_false_and_nothing_else() {
    for (word, quiet) in [
        ("--quiet", true),
        ("--quiet=true", true),
        ("--quiet=NO", false),
        ("--quiet=0", false),
    ] {
        assert_eq!(parsed(&["s", word]).quiet, quiet, "{word}");
    }
    for word in ["--quiet=", "--quiet=very", "--quiet=true=true"] {
        assert!(
            refused(&["s", word]).starts_with("--quiet takes no value but true or false"),
            "{word}"
        );
    }
    // The word behind it is none of its.
    assert_eq!(parsed(&["--quiet", "false"]).stream, "false");
}

#[test]
fn behind_two_dashes_every_word_is_a_word() {
    let flags = parsed(&["--quiet", "--", "-s", "--help", "--", "--from=x", "help", "-"]);
    assert_eq!(flags.stream, "-s");
    assert_eq!(flags.files, ["--help", "--", "--from=x", "help", "-"]);
    assert_eq!(flags.from, None);
}

#[test]
fn one_dash_and_the_word_help_are_words() {
    let flags = parsed(&["help", "-", "help"]);
    assert_eq!(
        (flags.stream.as_str(), flags.files),
        ("help", vec!["-".into(), "help".into()])
    );
    // Where no word may stand, it is a request.
    assert_eq!(prepare(&Lists::get_args_info(), &["help"]), Ok(Prepared::Help));
}

#[test]
fn help_and_version_are_asked_for_anywhere() {
    for word in ["-h", "--help"] {
        for arguments in [
            [word].as_slice(),
            &["s", word],
            &["s", "--from", word],
            &["--nonsense", word],
            &["--from=x", "s", "t", word, "--quiet", "--", "u"],
            &["-V", word],
        ] {
            assert_eq!(prepared(arguments), Ok(Prepared::Help), "{arguments:?}");
        }
    }
    for word in ["-V", "--version"] {
        assert_eq!(prepared(&["s", word]), Ok(Prepared::Version));
    }
}

#[test]
fn help_and_version_take_no_value_and_a_value_is_neither() {
    for word in ["--help=no", "--help=yes", "-h=3", "--version=no", "-V=1"] {
        let sentence = refused(&["s", word]);
        assert!(sentence.ends_with(" takes no value"), "{word}: {sentence}");
    }
    for value in ["-V", "--version"] {
        assert_eq!(parsed(&["s", &format!("--from={value}")]).from.as_deref(), Some(value));
    }
    assert_eq!(parsed(&["s", "--from", "-V"]).from.as_deref(), Some("-V"));
}

#[test]
fn an_unknown_flag_is_told_with_the_nearest() {
    for (typed, meant) in [
        ("--form", "--from"),
        ("--fom=x", "--from"),
        ("-from", "--from"),
        ("--Quiet", "--quiet"),
        ("--max_len", "--max-len"),
        ("--maxlen=5", "--max-len"),
        ("--qui", "--quiet"),
        ("-q", "--quiet"),
        ("--since=yesterday", "--from"),
        ("\u{2014}quiet", "--quiet"),
        ("\u{2013}\u{2013}from=x", "--from"),
        ("--halp", "--help"),
    ] {
        let sentence = refused(&["s", typed]);
        let name = typed.split('=').next().unwrap();
        assert_eq!(sentence, format!("there is no flag {name}; did you mean {meant}?"));
    }
    for typed in ["--nonsense", "-x", "-5m", "--=x", "---"] {
        let sentence = refused(&["s", typed]);
        assert!(
            sentence.starts_with("there is no flag -") && !sentence.contains("mean"),
            "{sentence}"
        );
    }
}

#[test]
fn what_is_missing_and_what_is_too_much_is_named() {
    assert_eq!(refused(&["--quiet"]), "STREAM is missing: the stream");
    let lists = |arguments: &[&str]| prepare(&Lists::get_args_info(), arguments).map(|_| ());
    assert_eq!(lists(&[]), Err("--out is missing: where to".into()));
    assert_eq!(lists(&["--out=a", "x"]), Err("'x' stands where only flags may".into()));
    assert_eq!(lists(&["--out=a"]), Ok(()));
}

/// The words of a table are those that argh takes: of the store and of every command.
#[test]
fn argh_takes_every_flag_that_the_table_has_and_no_other() {
    fn check<F: FromArgs + ArgsInfo>() {
        for flag in F::get_args_info().flags {
            let words = match flag.kind {
                FlagInfoKind::Switch => vec![flag.long],
                FlagInfoKind::Option { .. } => vec![flag.long, "1"],
            };
            let said = F::from_args(&["p"], &words)
                .map_err(|exit| exit.output)
                .err()
                .unwrap_or_default();
            assert!(
                !said.contains("Unrecognized") && !said.contains("No value"),
                "{words:?}: {said}"
            );
            let said = F::from_args(&["p"], &[&format!("{}x", flag.long)])
                .map_err(|exit| exit.output)
                .err();
            assert!(said.is_some_and(|said| said.contains("Unrecognized")), "{}x", flag.long);
        }
    }
    check::<ptg_store::state::config::Flags>();
    check::<Flags>();
    check::<Lists>();
}

proptest! {
    #[test]
    fn both_forms_of_a_flag_mean_the_same(value in "[^-].*", quiet: bool) {
        let joined = format!("--from={value}");
        let switch = format!("--quiet={quiet}");
        let (apart, joined) = (parsed(&["s", "--from", &value, &switch]), parsed(&["s", &joined, &switch]));
        prop_assert_eq!(apart.from.as_deref(), Some(value.as_str()));
        prop_assert_eq!(apart.quiet, quiet);
        prop_assert_eq!(apart, joined);
    }

    #[test]
    fn words_behind_two_dashes_come_as_they_were_typed(words in proptest::collection::vec(".*", 1..6)) {
        let mut arguments = vec!["--"];
        arguments.extend(words.iter().map(String::as_str));
        let flags = parsed(&arguments);
        prop_assert_eq!(flags.stream, &words[0][..]);
        prop_assert_eq!(flags.files, &words[1..]);
    }

    #[test]
    fn no_words_make_it_panic(words in proptest::collection::vec("(-{0,2}[a-z=]{0,6}|.*)", 0..8)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Ok(Prepared::Work(words)) = prepared(&words) {
            let _ = Flags::from_args(&["p"], &words.for_argh(&[]));
        }
    }
}
