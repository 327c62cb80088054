//! Words of commands that a user is told to give to a shell. A name or a path comes in, and goes out as what stays one word
//! there, whoever chose it. Sentences that print a command call this, in the library and in the program.

/// One word of a command line, in quotes where the shell would take it apart.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
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
}
