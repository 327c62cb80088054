use super::*;
use proptest::prelude::*;

fn entries(text: &str, blob: &'static [u8]) -> Result<Vec<Entry>, Failure> {
    cut(&offsets(text, &mut EntryId::default())?, &Bytes::from_static(blob))
}

#[test]
fn a_reply_is_cut_into_its_entries() {
    let found = entries(r#"[["1-0",0],["1-1",2],["2-0",2]]"#, b"abc").unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|entry| (entry.id.to_string(), &entry.bytes[..]))
        .collect();
    let expected = [("1-0", &b"ab"[..]), ("1-1", b""), ("2-0", b"c")];
    assert_eq!(found, expected.map(|(id, bytes)| (id.to_string(), bytes)));
}

#[test]
fn replies_that_make_no_sense_are_refused() {
    for text in [
        "",
        "[[]]",
        r#"[["1-0"]]"#,
        r#"[["x",0]]"#,
        r#"[["1-0",4]]"#,
        r#"[["1-0",-1]]"#,
        r#"[["1-0",2],["1-1",1]]"#,
        r#"[["1-0",0],["1-0",1]]"#,
        r#"[["stream","1-0",0]]"#,
    ] {
        assert!(matches!(entries(text, b"abc"), Err(Failure::Foreign(_))), "{text}");
    }
}

proptest! {
    #[test]
    fn no_reply_makes_the_parser_panic(text in ".*", offsets in prop::collection::vec((1u64..9, 0usize..9), 0..5)) {
        let _ = entries(&text, b"abcd");
        let pairs: Vec<_> = offsets.iter().map(|(ms, at)| (format!("{ms}-0"), at)).collect();
        let _ = entries(&serde_json::to_string(&pairs).unwrap(), b"abcd");
    }
}
