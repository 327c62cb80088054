//! Words of commands that a user is told to give to a shell, which has to do what was said. Names that come from elsewhere must
//! stay one word there.

/// This program as it was called, which is how a shell here finds it.
pub fn program() -> String {
    let name = std::env::args_os().next().and_then(|name| name.into_string().ok());
    let name = name.filter(|name| !name.is_empty());
    name.map_or("ptg-store".into(), |name| quote(&name))
}

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
