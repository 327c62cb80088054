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
        }
    }
}
