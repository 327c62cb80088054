//! What holds for every header, however it is made.

use proptest::prelude::*;

use super::*;

fn any_id() -> impl Strategy<Value = AskedId> {
    prop_oneof![
        Just(AskedId::Next),
        any::<u64>().prop_map(AskedId::NextOf),
        (any::<u64>(), 1..u64::MAX).prop_map(|(ms, seq)| AskedId::This(EntryId { ms, seq })),
    ]
}

/// Entries of three streams.
fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let entry = ("[abc]", any_id(), prop::collection::vec(any::<u8>(), 0..20));
    let entry = entry.prop_map(|(stream, id, bytes)| (stream, id.to_string(), bytes));
    prop::collection::vec(entry, 1..20)
}

/// The header of these, with an offset for each by the range that it has in the blob, and the blob.
fn header_of(entries: &[Entry], offset_of: impl Fn(std::ops::Range<usize>) -> usize) -> (String, Vec<u8>) {
    let mut blob = Vec::new();
    let mut items = Vec::new();
    for (stream, id, bytes) in entries {
        let start = blob.len();
        blob.extend_from_slice(bytes);
        items.push(serde_json::json!([stream, id, offset_of(start..blob.len())]));
    }
    (serde_json::Value::from(items).to_string(), blob)
}

proptest! {
    #[test]
    fn starts_come_back_as_the_entries_that_they_were(entries in any_entries()) {
        let (text, blob) = header_of(&entries, |range| range.start);
        for path in ["*", "a+b+c"] {
            prop_assert_eq!(&read(path, Dialect::Seed, &text, &blob).unwrap(), &entries);
        }
        // Where the last entry is empty its start is the blob's end.
        if !entries.last().unwrap().2.is_empty() {
            prop_assert_eq!(&read("*", Dialect::V2, &text, &blob).unwrap(), &entries);
        }
    }

    #[test]
    fn ends_come_back_as_the_entries_that_they_were(entries in any_entries()) {
        let (text, blob) = header_of(&entries, |range| range.end);
        prop_assert_eq!(&read("*", Dialect::V2, &text, &blob).unwrap(), &entries);
    }

    #[test]
    fn numbers_alone_come_back_as_the_entries_that_they_were(parts in prop::collection::vec("[a-z]{0,9}", 1..20)) {
        let blob = parts.concat();
        let ends = parts.iter().scan(0, |end, part| { *end += part.len(); Some(*end) });
        let ends: Vec<usize> = ends.collect();
        let starts = [&[0], &ends[..ends.len() - 1]].concat();
        let listed = |numbers: &[usize]| {
            let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
            [numbers.join(","), format!("[{}]", numbers.join(","))]
        };
        let expected: Vec<String> = parts.iter().map(|part| format!(". * {part}")).collect();
        for text in listed(&starts) {
            prop_assert_eq!(seed("s", &text, &blob), expected.join("|"));
        }
        for text in listed(&[&[0], ends.as_slice()].concat()) {
            prop_assert_eq!(v2("s", &text, &blob), expected.join("|"));
        }
        if !parts[0].is_empty() {
            for text in listed(&ends) {
                prop_assert_eq!(v2("s", &text, &blob), expected.join("|"));
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".*", blob in "[a-z]{0,50}") {
        for dialect in [Dialect::Seed, Dialect::V2] {
            for path in ["s", "a+b", "*"] {
                let _ = told(path, dialect, &text, &blob);
            }
        }
    }

    #[test]
    fn nothing_like_a_header_makes_the_parser_panic(
        text in r#"\[(\["(s|a|XMETA:|)",((-?[0-9]{0,21}(\.5)?|"[0-9*-]{0,9}"|null),)?[0-9]{0,21}\],?|[0-9]{0,3},?){0,6}\]"#,
        blob in "[a-z]{0,9}",
    ) {
        for dialect in [Dialect::Seed, Dialect::V2] {
            for path in ["s", "a+s", "*"] {
                let _ = told(path, dialect, &text, &blob);
            }
        }
    }
}
