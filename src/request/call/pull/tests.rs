use super::*;
use crate::words::ids::EntryId;

fn socket(segment: &str, query: &str, dialect: Dialect) -> Option<Pull> {
    let mut params = Params::new(query);
    let pull = Pull::socket(segment, &mut params, dialect);
    params.finish().ok().map(|()| pull)
}

#[test]
fn one_place_serves_all_streams_or_each_has_its_own() {
    let from = |query: &str| socket("a+b", query, Dialect::Seed).map(|pull| pull.from);
    let after = |ms| Cursor::After(EntryId { ms, seq: 0 });
    assert_eq!(from(""), Some(vec![Cursor::End; 2]));
    assert_eq!(from("last_entry_id=5"), Some(vec![after(5); 2]));
    assert_eq!(from("last_entry_id=5+$"), Some(vec![after(5), Cursor::End]));
    assert_eq!(from("last_entry_id=5%2B7"), Some(vec![after(5), after(7)]));
    for bad in ["1+2+3", "5+", "+", "x", "5,6"] {
        assert_eq!(from(&format!("last_entry_id={bad}")), None, "{bad}");
    }
}

#[test]
fn offsets_name_their_streams_where_there_are_several() {
    let named = |segment, dialect| socket(segment, "", dialect).unwrap().named;
    assert!(!named("a", Dialect::Seed));
    assert!(!named("a%2Bb", Dialect::Seed));
    assert!(named("a+b", Dialect::Seed));
    assert!(named("a", Dialect::V2));
}

#[test]
fn the_later_dialect_is_for_the_newest_unless_told_otherwise() {
    let v2 = |query: &str| {
        let pull = socket("a", query, Dialect::V2).unwrap();
        (pull.from[0], pull.newest)
    };
    let after = Cursor::After(EntryId { ms: 5, seq: 0 });
    for (query, expected) in [
        ("", (Cursor::End, true)),
        ("last_entry_id=$", (Cursor::End, true)),
        ("last_entry_id=-", (Cursor::Latest, true)),
        ("last_entry_id=-&latest=False", (Cursor::Latest, false)),
        ("latest=false&last=3&batch=True", (Cursor::End, false)),
        ("last_entry_id=5", (after, false)),
        ("last_entry_id=5&latest=True", (after, false)),
    ] {
        assert_eq!(v2(query), expected, "{query}");
    }
}

#[test]
fn what_does_not_parse_is_refused() {
    for bad in [
        "format=xml",
        "until=yesterday",
        "until=1+2",
        "timeout=0",
        "timeout=5s",
        "timeout=99999999999999",
        "max_rate=0",
        "max_rate=-1",
        "max_rate=NaN",
        "max_rate=inf",
        "max_rate=x",
        "on_gap=explode",
        "on_gap=close&newest=true",
        "newest=maybe",
        "ack=2",
    ] {
        assert_eq!(socket("a", bad, Dialect::Seed), None, "{bad}");
    }
    let good = "format=json&until=2026-11-25T10:00:00+01:00&timeout=1500&max_rate=0.5&newest=1&ack=1";
    assert!(socket("a", good, Dialect::Seed).is_some());
}

#[test]
fn an_open_reply_is_raw_or_json_and_events_are_json() {
    let get = |query: &str, headers: &[(&str, &str)]| {
        let head = Head {
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            ..Head::default()
        };
        let mut params = Params::new(query);
        let (pull, framing) = Pull::get("a+b", &mut params, &head, Dialect::Seed);
        params.finish().ok().map(|()| (pull.format, framing, pull.from))
    };
    let newest = vec![Cursor::Newest; 2];
    let events = ("Accept", "text/event-stream");
    assert_eq!(get("", &[]), Some((Format::Pairs, None, newest.clone())));
    assert_eq!(
        get("follow=1", &[]),
        Some((Format::Raw, Some(Framing::Plain), newest.clone()))
    );
    assert_eq!(get("follow=1&format=pairs", &[]), None);
    assert_eq!(get("", &[events]), Some((Format::Json, Some(Framing::Events), newest)));
    assert_eq!(get("format=raw", &[events]), None);
    let after = |ms| Cursor::After(EntryId { ms, seq: 1 });
    let resumed = get("last_entry_id=0", &[events, ("Last-Event-ID", "7-1+8-1")]);
    assert_eq!(
        resumed,
        Some((Format::Json, Some(Framing::Events), vec![after(7), after(8)]))
    );
    assert_eq!(get("", &[events, ("Last-Event-ID", "nonsense")]), None);
    let from = |query: &str, header: &str| get(query, &[events, ("Last-Event-ID", header)]).map(|(_, _, from)| from);
    for query in ["lastEventId=7-1+8-1", "lastEventId=7-1%2B8-1&last_entry_id=0"] {
        assert_eq!(from(query, ""), Some(vec![after(7), after(8)]), "{query}");
        assert_eq!(from(query, "9-1"), Some(vec![after(9); 2]), "the header comes first");
    }
    assert_eq!(from("lastEventId=nonsense", ""), None);
    // Only events have it.
    assert!(get("lastEventId=nonsense", &[]).is_some());
}
