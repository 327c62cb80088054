//! File names from stream names: any legal name gives a name that any file system takes, and no two the same.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::words::ids::StreamId;

/// The end of a data file's name.
pub const DATA: &str = ".data";

/// The end of an index file's name.
pub const INDEX: &str = ".index";

/// What stays as it is, besides letters and digits. Not the tilde, which marks shortened names.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The longest stem, in bytes: file names may have 255, and the ends need some.
const LONGEST: usize = 240;

/// How much of a longer name stays readable, in bytes.
const READABLE: usize = 160;

/// Bytes of the digest that tells shortened names apart.
const DIGEST: usize = 16;

/// The file name of a stream without its end: the stream's name, percent-encoded. One that would be too long is cut, and
/// has a tilde and the first half of its SHA-256 behind it.
pub fn stem(stream: &StreamId) -> String {
    let mut encoded = utf8_percent_encode(stream.as_str(), ENCODED).to_string();
    // Such files are hidden, and two of them are no files at all.
    if encoded.starts_with('.') {
        encoded.replace_range(..1, "%2E");
    }
    if encoded.len() <= LONGEST {
        return encoded;
    }
    encoded.truncate(READABLE);
    encoded.push('~');
    for byte in &digest(&SHA256, stream.as_str().as_bytes()).as_ref()[..DIGEST] {
        encoded.push_str(&format!("{byte:02x}"));
    }
    encoded
}

/// Where a stream's entries are.
pub fn data_path(folder: &Path, stream: &StreamId) -> PathBuf {
    folder.join(stem(stream) + DATA)
}

/// Where a stream's index is.
pub fn index_path(folder: &Path, stream: &StreamId) -> PathBuf {
    folder.join(stem(stream) + INDEX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stem_of(name: &str) -> String {
        stem(&StreamId::new(name).expect("a legal name"))
    }

    #[test]
    fn common_names_stay_readable() {
        assert_eq!(stem_of("cam0"), "cam0");
        assert_eq!(stem_of("Lab_2.left-eye"), "Lab_2.left-eye");
        assert_eq!(stem_of("a b:c"), "a%20b%3Ac");
        assert_eq!(stem_of(".."), "%2E.");
        assert_eq!(stem_of("~%"), "%7E%25");
        assert_eq!(stem_of("流"), "%E6%B5%81");
    }

    #[test]
    fn names_that_are_too_long_are_told_apart() {
        let (one, two) = ("流".repeat(85), "流".repeat(84) + "x");
        assert_ne!(stem_of(&one), stem_of(&two));
        assert!(stem_of(&one).len() <= LONGEST);
        assert_eq!(stem_of(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
    }

    proptest! {
        #[test]
        fn every_legal_name_is_a_file_name_of_its_own(one in "\\PC{1,256}", two in "[.~%A-B a]{1,256}") {
            let legal = |name: String| StreamId::new(name).ok();
            for id in [&one, &two].into_iter().filter_map(|name| legal(name.clone())) {
                let stem = stem(&id);
                prop_assert!(stem.len() + INDEX.len() <= 255);
                prop_assert!(!stem.starts_with('.'));
                prop_assert!(stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.%~".contains(&b)));
            }
            if let (Some(a), Some(b)) = (legal(one), legal(two)) {
                prop_assert_eq!(a == b, stem(&a) == stem(&b));
            }
        }
    }
}
