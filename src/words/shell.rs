//! Words of commands that a user is told to give to a shell. A name or a path comes in, and goes out as what stays one word
//! there, whoever chose it. Sentences that print a command call this, in the library and in the program.

use super::visible;

/// One word of a command line, in quotes where the shell would take it apart. What a terminal would not show as it is, such as
/// line ends and marks that turn the direction of text, is written by its bytes, so that it survives being shown and copied:
/// `$'…'` (POSIX.1-2024, section 2.2.4). bash, zsh, ksh and busybox know that form, dash does not yet.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.chars().all(visible::is_plain) {
        return format!("$'{}'", word.chars().map(escaped).collect::<String>());
    }
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A character between `$'` and `'`. Octal digits of its bytes mean the same in every locale, which `\u` does not.
fn escaped(c: char) -> String {
    match c {
        '\'' | '\\' => format!("\\{c}"),
        '\n' => r"\n".into(),
        _ if visible::is_plain(c) => c.into(),
        _ => String::from(c).bytes().map(|byte| format!("\\{byte:03o}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words() {
        assert_eq!(quote("ptg-data"), "ptg-data");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("it's; rm -rf"), r"'it'\''s; rm -rf'");
        assert_eq!(quote("$HOME"), "'$HOME'");
    }

    #[test]
    fn a_word_that_is_pasted_into_bash_is_the_name_and_nothing_hidden_is_shown() {
        for name in [
            "plain",
            "it's",
            r#"a "quoted" \name\"#,
            "$(touch /tmp/no)`id`",
            "two\nlines",
            "tab\there\r",
            "\u{1b}[31mred7",
            "laser\u{202e}resal",
            "it's \\ \u{2066}1",
            "smile \u{1f600}",
            "\u{1f468}\u{200d}\u{1f52c}",
            "M\u{fc}ller",
            "-n",
            "--max-len",
            "~",
            "*",
            "!!",
            "",
        ] {
            let word = quote(name);
            assert!(word.chars().all(visible::is_plain), "{word:?}");
            for locale in ["C", "C.UTF-8"] {
                let said = std::process::Command::new("bash")
                    .args(["-c", &format!("printf %s {word}")])
                    .env("LC_ALL", locale)
                    .output()
                    .unwrap();
                assert_eq!(String::from_utf8_lossy(&said.stdout), name, "{word} in {locale}");
            }
        }
    }
}
