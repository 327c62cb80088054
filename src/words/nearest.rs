//! The name that somebody probably meant. In goes a word that is none of the known names, out comes the one that is the fewest
//! slips away: a letter too many, too few, another one, or two that changed places. Callers are the arguments of the commands
//! and the parameters of requests.

use strsim::osa_distance;

/// So many letters of a word earn one slip: one in `coutn` and `maxlen`, two in `lsat_enty`. A shorter word says too little.
const LETTERS_PER_SLIP: usize = 3;

/// The known name that is nearest to a word, in any letter case; none if all are too far away. Of several, the first.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let letters = word.chars().count();
    let slips = letters / LETTERS_PER_SLIP;
    known
        .into_iter()
        // So a word that is very long, whoever sent it, costs nothing.
        .filter(|name| name.chars().count().abs_diff(letters) <= slips)
        .map(|name| (osa_distance(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Whether a word is so near to a name that it can hardly be a word of its own: the same letters and digits, at most three more
/// behind a long name, or a slip, from eight letters on two, behind the same first letter. So `maxLen`, `max_length` and
/// `last_enty_id` are, but not `amount` for `count`, `match` for `batch` or `act` for `ack`.
pub fn is_slip(word: &str, name: &str) -> bool {
    let (word, name) = (letters_of(word), letters_of(name));
    let letters = word.chars().count();
    let slips = match letters {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    };
    let goes_on = name.len() >= 6 && word.starts_with(&name) && word.len() <= name.len() + 3;
    let begins_alike = word.chars().next() == name.chars().next();
    // So a word that is very long, whoever sent it, costs nothing.
    let is_as_long = letters.abs_diff(name.chars().count()) <= slips;
    word == name || goes_on || (begins_alike && is_as_long && osa_distance(&word, &name) <= slips)
}

fn letters_of(word: &str) -> String {
    let letters = word.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOWN: [&str; 6] = ["count", "last_entry_id", "max_len", "format", "follow", "url"];

    fn near(word: &str) -> Option<&'static str> {
        nearest(word, KNOWN)
    }

    #[test]
    fn a_slip_or_two_find_the_name_that_was_meant() {
        for (word, name) in [
            ("coutn", "count"),
            ("cont", "count"),
            ("COUNT", "count"),
            ("last_enty_id", "last_entry_id"),
            ("lastEntryId", "last_entry_id"),
            ("maxlen", "max_len"),
            ("max-len", "max_len"),
            ("fromat", "format"),
            ("uri", "url"),
        ] {
            assert_eq!(near(word), Some(name), "{word}");
        }
    }

    #[test]
    fn words_of_their_own_are_near_to_nothing() {
        for word in [
            "",
            "_",
            "t",
            "ur",
            "v",
            "token",
            "cachebuster",
            "colour",
            "fold",
            "x-request-id",
        ] {
            assert_eq!(near(word), None, "{word}");
        }
        assert_eq!(nearest("count", []), None);
    }

    #[test]
    fn the_nearest_wins_and_of_equals_the_first() {
        assert_eq!(nearest("formats", ["form", "forma", "format"]), Some("format"));
        assert_eq!(nearest("cat", ["cut", "cot"]), Some("cut"));
    }

    #[test]
    fn a_slip_is_told_from_a_word_of_its_own() {
        for (word, name) in [
            ("last_enty_id", "last_entry_id"),
            ("lastEntryId", "last_entry_id"),
            ("max_length", "max_len"),
            ("count[]", "count"),
            ("acks", "ack"),
            ("decs", "desc"),
            ("Ack", "ack"),
        ] {
            assert!(is_slip(word, name), "{word}");
        }
        for (word, name) in [
            ("account", "count"),
            ("amount", "count"),
            ("counter", "count"),
            ("source", "force"),
            ("beta", "meta"),
            ("match", "batch"),
            ("patch", "batch"),
            ("ask", "ack"),
            ("act", "ack"),
            ("back", "ack"),
            ("", "ack"),
            ("_", "ack"),
        ] {
            assert!(!is_slip(word, name), "{word}");
        }
    }

    proptest! {
        #[test]
        fn a_long_name_is_found_whatever_single_slip_was_made(at in 0usize..12, letter in "[a-z]", name in "[a-z_]{12}") {
            let mut slipped: Vec<char> = name.chars().collect();
            slipped.insert(at, letter.chars().next().unwrap());
            let slipped: String = slipped.into_iter().collect();
            prop_assert_eq!(nearest(&slipped, [name.as_str()]), Some(name.as_str()));
        }

        #[test]
        fn nothing_makes_it_panic(word in any::<String>(), name in any::<String>()) {
            nearest(&word, [name.as_str()]);
            is_slip(&word, &name);
        }
    }
}
