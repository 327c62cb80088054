//! Every shape in both dialects: what it means, and what is refused.

mod properties;

use super::*;
use crate::words::destination::{AskedId, Destination};
use crate::words::ids::EntryId;

type Entry = (String, String, Vec<u8>);

fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

fn target(path: &str) -> Target {
    match path {
        "*" => Target::Any,
        path => match path.split('+').map(stream).collect::<Vec<_>>().as_slice() {
            [one] => Target::One(one.clone()),
            several => Target::Several(several.to_vec()),
        },
    }
}

/// Stream, id and bytes of each entry; what goes to the only stream of a path is told by `.`.
fn read(path: &str, dialect: Dialect, text: &str, blob: &[u8]) -> Result<Vec<Entry>, BatchError> {
    let target = target(path);
    let rules = Rules {
        target: &target,
        dialect,
        most: 100,
    };
    let header = Header::parse(text, &rules)?;
    let (entries, destinations) = header.cut(&Bytes::copy_from_slice(blob), &rules)?;
    let place = |index: usize| match &destinations {
        None => (".".to_string(), "*".to_string()),
        Some(destinations) => {
            let Destination { stream, id } = destinations.of_entries[index];
            (destinations.streams[stream].to_string(), id.to_string())
        }
    };
    let with_place = |(index, bytes): (usize, &Bytes)| {
        let (stream, id) = place(index);
        (stream, id, bytes.to_vec())
    };
    Ok(entries.iter().enumerate().map(with_place).collect())
}

/// The same as one line.
fn told(path: &str, dialect: Dialect, text: &str, blob: &str) -> String {
    match read(path, dialect, text, blob.as_bytes()) {
        Ok(entries) => {
            let line = |(stream, id, bytes): &Entry| format!("{stream} {id} {}", String::from_utf8_lossy(bytes));
            entries.iter().map(line).collect::<Vec<_>>().join("|")
        }
        Err(BatchError::Header(sentence)) => format!("refused: {sentence}"),
        Err(BatchError::TooMany(limit)) => format!("more than {limit}"),
    }
}

fn seed(path: &str, text: &str, blob: &str) -> String {
    told(path, Dialect::Seed, text, blob)
}

fn v2(path: &str, text: &str, blob: &str) -> String {
    told(path, Dialect::V2, text, blob)
}

#[test]
fn an_entry_reaches_to_the_next_offset_and_the_last_to_the_end() {
    assert_eq!(seed("s", "0,1, 3 \n", "abcde"), ". * a|. * bc|. * de");
    assert_eq!(seed("s", "[0,1, 3] \n", "abcde"), ". * a|. * bc|. * de");
}

#[test]
fn equal_neighbours_are_an_empty_entry() {
    assert_eq!(seed("s", "0,0,2,2", "ab"), ". * |. * ab|. * |. * ");
    assert_eq!(seed("s", "[0]", ""), ". * ");
}

#[test]
fn bad_offsets_are_refused_with_their_place() {
    for (text, reason) in [
        ("", "offset 1 is not a number"),
        ("1", "first offset is 1"),
        ("0,3,2", "offset 3 decreases from 3 to 2"),
        ("0,9", "past the end"),
        ("0,,1", "offset 2 is not a number"),
        ("0,-1", "not a number"),
        ("0,+1", "not a number"),
        ("0,1.5", "not a number"),
        ("0,99999999999999999999999", "not a number"),
        ("{}", "not a number"),
        ("[]", "no entry is named"),
        ("[1]", "first offset is 1"),
        ("[0,3,2]", "offset 3 decreases from 3 to 2"),
        ("[0,9]", "past the end"),
        ("[0,-1]", "invalid type"),
        ("[0,1.5]", "invalid type"),
        ("[0,\"1\"]", "invalid type"),
        ("[0,null]", "invalid type"),
        ("[0,{}]", "invalid type"),
        ("[0,99999999999999999999999]", "invalid type"),
        ("[0,1", "EOF"),
        ("[0,1]]", "trailing"),
        ("[0,1],0", "trailing"),
        ("[0 1]", "expected `,`"),
        ("[0,[\"s\",1]]", "item 2 has another shape"),
        ("[[\"s\",0],1]", "item 2 has another shape"),
        ("[[\"s\",0],[\"s\",null,1]]", "item 2 has another shape"),
        ("[[]]", "invalid length 0"),
        ("[[\"s\"]]", "invalid length 1"),
        ("[[\"s\",null]]", "invalid length 2"),
        ("[[\"s\",\"1-1\",0,0]]", "invalid length 4"),
        ("[[0,\"s\"]]", "the name of a stream"),
        ("[[\"t\",0]]", "the stream \"t\" is not in the path"),
        ("[[\"XMETA:s\",0]]", "does not begin with XMETA:"),
        ("[[\"s\",5,0]]", "an id is a text or null"),
        ("[[\"s\",\"5\",0]]", "an id is <ms>-<seq>, <ms>-* or *"),
        ("[[\"s\",\"0-0\",0]]", "larger than 0-0"),
        ("[[\"s\",\"1-18446744073709551616\",0]]", "an id is"),
    ] {
        let told = seed("s", text, "abc");
        assert!(told.starts_with("refused: ") && told.contains(reason), "{text}: {told}");
    }
}

#[test]
fn a_sentence_about_a_long_header_is_short() {
    let long = format!("[0,\"{}\"]", "ä".repeat(100_000));
    assert!(seed("s", &long, "").len() < 600);
    assert!(seed("s", &"[".repeat(100_000), "").len() < 600);
}

#[test]
fn more_entries_than_the_limit_are_refused() {
    for (text, more) in [
        (vec!["0"; 101].join(","), true),
        (format!("[{}]", vec!["0"; 101].join(",")), true),
        (format!("[{}]", vec!["[\"s\",0]"; 101].join(",")), true),
        (format!("[{}]", vec!["[\"s\",0]"; 100].join(",")), false),
    ] {
        assert_eq!(seed("s", &text, "") == "more than 100", more, "{text}");
    }
}

#[test]
fn entries_are_named_and_get_the_ids_that_they_ask_for() {
    let text = r#"[["a","5-1",0],["b","5-*",1],["a","*",2],["b",null,3]]"#;
    assert_eq!(seed("a+b", text, "wxyz"), "a 5-1 w|b 5-* x|a * y|b * z");
    assert_eq!(seed("*", text, "wxyz"), "a 5-1 w|b 5-* x|a * y|b * z");
    let last = "18446744073709551615-18446744073709551615";
    assert_eq!(seed("s", &format!(r#"[["s","{last}",0]]"#), "x"), format!("s {last} x"));
    assert_eq!(seed("*", r#"[["\u0061",0],["käse ",0]]"#, ""), "a * |käse  * ");
}

#[test]
fn what_asks_for_nothing_goes_behind_the_others_of_the_only_stream() {
    for text in ["0,1", "[0,1]", r#"[["s",0],["s",1]]"#, r#"[["s",null,0],["s","*",1]]"#] {
        assert_eq!(seed("s", text, "ab"), ". * a|. * b", "{text}");
    }
    assert_eq!(seed("s", r#"[["s",null,0],["s","1-*",1]]"#, "ab"), "s * a|s 1-* b");
}

#[test]
fn without_names_it_must_be_clear_which_stream_is_meant() {
    for text in ["0,1", "[0,1]"] {
        let told = seed("a+b", text, "xy");
        assert!(told.contains(r#"name each entry's: [["a",0],…]"#), "{told}");
        let told = seed("*", text, "xy");
        assert!(told.contains("of any streams, so name each entry's"), "{told}");
        assert!(told.len() < 123 + "refused: ".len());
    }
    assert!(seed("a+b", r#"[["c",0]]"#, "").contains("not in the path"));
}

#[test]
fn the_streams_of_a_batch_are_limited() {
    let names = |count: usize| (0..count).map(|n| stream(&format!("s{n}"))).collect::<Vec<_>>();
    let header = |count: usize| {
        let items: Vec<String> = names(count).iter().map(|name| format!("[\"{name}\",0]")).collect();
        format!("[{}]", items.join(","))
    };
    let rules = Rules {
        target: &Target::Any,
        dialect: Dialect::Seed,
        most: 1000,
    };
    assert!(Header::parse(&header(256), &rules).is_ok());
    match Header::parse(&header(257), &rules) {
        Err(BatchError::Header(sentence)) => assert!(sentence.contains("at most 256 streams"), "{sentence}"),
        other => panic!("{other:?}"),
    }
}

/// The table of docs/v2.md.
#[test]
fn the_later_dialect_tells_ends_from_starts() {
    for (text, blob, entries) in [
        // The last offset is the blob's length: ends.
        ("[2,5]", "abcde", ". * ab|. * cde"),
        ("[5]", "abcde", ". * abcde"),
        ("[2,2,5]", "abcde", ". * ab|. * |. * cde"),
        ("[2,5,5]", "abcde", ". * ab|. * cde|. * "),
        ("2,5", "abcde", ". * ab|. * cde"),
        // A 0 before them is no entry.
        ("[0,2,5]", "abcde", ". * ab|. * cde"),
        ("[0,5]", "abcde", ". * abcde"),
        ("0,5", "abcde", ". * abcde"),
        ("[0,0,5]", "abcde", ". * |. * abcde"),
        ("[0,0]", "", ". * "),
        // Alone it is one.
        ("[0]", "", ". * "),
        ("[]", "", ""),
        // Any other last offset: starts.
        ("[0]", "abcde", ". * abcde"),
        ("[0,2]", "abcde", ". * ab|. * cde"),
        ("[0,0,2]", "abcde", ". * |. * ab|. * cde"),
        ("0,2", "abcde", ". * ab|. * cde"),
        // With names every item is an entry.
        (r#"[["s",2],["s",5]]"#, "abcde", ". * ab|. * cde"),
        (r#"[["s",0],["s",5]]"#, "abcde", ". * |. * abcde"),
        (r#"[["s",0],["s",2]]"#, "abcde", ". * ab|. * cde"),
        (r#"[["s",0]]"#, "abcde", ". * abcde"),
        (r#"[["s",0]]"#, "", ". * "),
    ] {
        assert_eq!(v2("s", text, blob), entries, "{text} {blob}");
    }
    for (text, blob, reason) in [
        ("[3,4]", "abcde", "the first is 3"),
        ("[4]", "abcde", "the first is 4"),
        ("[2,9]", "abcde", "past the end"),
        ("[5,2]", "abcde", "decreases"),
        ("[]", "abcde", "no entry is named for a blob of 5 bytes"),
        ("", "", "not a number"),
        (r#"[["s",3],["s",4]]"#, "abcde", "the first is 3"),
    ] {
        let told = v2("s", text, blob);
        assert!(told.starts_with("refused: ") && told.contains(reason), "{text}: {told}");
    }
}

#[test]
fn in_the_later_dialect_ids_may_be_bare_milliseconds() {
    let text = r#"[["s","5",1],["s",6,2],["s","7-1",3],["s","8-*",4],["s",null,5],["s","",6],["s",0,7],["s","0",8]]"#;
    let destinations = "s 5-* a|s 6-* b|s 7-1 c|s 8-* d|s * e|s * f|s * g|s * h";
    assert_eq!(v2("s", text, "abcdefgh"), destinations);
    for bad in [r#""5-""#, r#""18446744073709551616""#, "5.5", "-5", "true", r#""0-0""#] {
        let told = v2("s", &format!(r#"[["s",{bad},0]]"#), "");
        assert!(told.starts_with("refused: "), "{bad}: {told}");
    }
}

#[test]
fn in_the_later_dialect_entries_without_names_go_one_to_each_stream_of_the_path() {
    assert_eq!(v2("a+b", "[2,5]", "abcde"), "a * ab|b * cde");
    assert_eq!(v2("a+b", "[0,2,5]", "abcde"), "a * ab|b * cde");
    assert_eq!(v2("a+b", "[]", ""), "");
    assert_eq!(v2("*", "[]", ""), "");
    for (path, text) in [("a+b", "[5]"), ("a+b", "[1,2,5]"), ("a+b", "[0,5]"), ("*", "[5]")] {
        let told = v2(path, text, "abcde");
        assert!(told.contains("name each entry's"), "{path} {text}: {told}");
    }
}
