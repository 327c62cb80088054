//! What the format promises; torn and forged recordings have files of their own.

mod forged;
mod torn;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::words::ids::EntryId;

/// Entries as they come: their ids and bytes.
type Entries = Vec<(EntryId, Vec<u8>)>;

fn id(ms: u64, seq: u64) -> EntryId {
    EntryId { ms, seq }
}

fn name(text: &str) -> StreamId {
    StreamId::new(text).expect("a legal name")
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn writer(folder: &Path, stream: &str) -> Result<(Writer, Torn), String> {
    Writable::open(folder, "http://127.0.0.1:7890")?.writer(&name(stream))
}

/// Appends entries as one reply.
fn append(writer: &mut Writer, entries: &[(EntryId, Vec<u8>)]) -> Result<(), String> {
    let mut offsets = Vec::new();
    let mut bytes = Vec::new();
    for (id, entry) in entries {
        offsets.push((*id, bytes.len()));
        bytes.extend(entry);
    }
    writer.append(&offsets, &bytes)
}

fn record(folder: &Path, stream: &str, replies: &[&[(EntryId, Vec<u8>)]]) {
    let (mut writer, _) = writer(folder, stream).expect("a writer");
    for reply in replies {
        append(&mut writer, reply).expect("to append");
    }
}

fn read(folder: &Path, stream: &str) -> Result<Entries, String> {
    let mut reader = Recording::open(folder)?.reader(&name(stream))?;
    let mut entries = Vec::new();
    while let Some(record) = reader.next_record()? {
        let mut bytes = Vec::new();
        reader.read(record, &mut bytes)?;
        entries.push((record.id, bytes));
    }
    Ok(entries)
}

fn examine(folder: &Path, stream: &str) -> Result<Report, String> {
    check(&Recording::open(folder)?, &name(stream))
}

/// Entries of all sorts of lengths, with ids that rise.
fn some_entries(most: usize) -> impl Strategy<Value = Entries> {
    let entry = (0..3u64, 0..3u64, prop::collection::vec(any::<u8>(), 0..40));
    prop::collection::vec(entry, 1..most).prop_map(|entries| {
        let mut last = id(5, 0);
        let rising = |(ms, seq, bytes): (u64, u64, Vec<u8>)| {
            let seq = if ms == 0 { last.seq + seq + 1 } else { seq };
            last = id(last.ms + ms, seq);
            (last, bytes)
        };
        entries.into_iter().map(rising).collect()
    })
}

/// Two of three replies have two entries, and one entry is empty.
fn three_replies() -> [Entries; 3] {
    [
        vec![(id(1, 0), b"one".to_vec()), (id(1, 1), b"two".to_vec())],
        vec![(id(7, 0), b"three".to_vec())],
        vec![(id(8, 0), Vec::new()), (id(9, 5), b"the last one".to_vec())],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_also_when_it_went_on(one in some_entries(20), more in some_entries(20)) {
        let folder = folder();
        let last = one[one.len() - 1].0;
        let later = |(id, bytes): (EntryId, Vec<u8>)| (EntryId { ms: id.ms + last.ms, ..id }, bytes);
        let more: Entries = more.into_iter().map(later).collect();
        record(folder.path(), "s", &[&one]);
        record(folder.path(), "s", &[&more]);
        prop_assert_eq!(read(folder.path(), "s").unwrap(), [one, more].concat());
        let report = examine(folder.path(), "s").unwrap();
        prop_assert!(report.is_sound() && report.torn.is_none());
    }

    #[test]
    fn a_merge_is_in_the_order_of_ids(streams in prop::collection::vec(some_entries(20), 1..5)) {
        let folder = folder();
        let mut all = Vec::new();
        for (which, entries) in streams.iter().enumerate() {
            record(folder.path(), &format!("s{which}"), &[entries]);
            all.extend(entries.iter().map(|(id, bytes)| (*id, which, bytes.clone())));
        }
        all.sort();
        let recording = Recording::open(folder.path()).unwrap();
        let readers = recording.streams().iter().map(|stream| recording.reader(stream)).collect::<Result<_, _>>();
        let mut merge = Merge::new(readers.unwrap());
        let mut merged = Vec::new();
        let mut bytes = Vec::new();
        while let Some((which, record)) = merge.take(|_| &mut bytes).unwrap() {
            merged.push((record.id, which, std::mem::take(&mut bytes)));
        }
        prop_assert_eq!(merged, all);
    }

    #[test]
    fn a_part_is_what_lies_behind_one_id_and_up_to_another(
        entries in some_entries(30), from in (0..60u64, 0..4u64), until in (0..60u64, 0..4u64),
    ) {
        let folder = folder();
        record(folder.path(), "s", &[&entries]);
        let (from, until) = (id(from.0, from.1), id(until.0, until.1));
        let mut reader = Recording::open(folder.path()).unwrap().reader(&name("s")).unwrap();
        reader.go_behind(from).unwrap();
        reader.end_with(until).unwrap();
        let expected: Vec<_> = entries.into_iter().filter(|(id, _)| *id > from && *id <= until).collect();
        prop_assert_eq!(reader.left() as usize, expected.len());
        let reach = reader.reach().unwrap().map(|(first, last)| (first.id, last.id));
        prop_assert_eq!(reach, expected.first().zip(expected.last()).map(|(first, last)| (first.0, last.0)));
        let mut found = Entries::new();
        while let Some(record) = reader.next_record().unwrap() {
            let mut bytes = Vec::new();
            reader.read(record, &mut bytes).unwrap();
            found.push((record.id, bytes));
        }
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_second_recorder_is_refused_and_a_reader_is_not() {
    let folder = folder();
    let mut first = Writable::open(folder.path(), "http://a").unwrap();
    let (mut stream, _) = first.writer(&name("s")).unwrap();
    let fault = Writable::open(folder.path(), "http://a").unwrap_err();
    assert!(fault.contains("another recorder"), "{fault}");
    append(&mut stream, &three_replies()[0]).unwrap();
    assert_eq!(read(folder.path(), "s").unwrap().len(), 2);
    assert!(Recording::open(folder.path()).unwrap().is_being_written());
    drop(first);
    assert!(!Recording::open(folder.path()).unwrap().is_being_written());
    Writable::open(folder.path(), "http://a").unwrap();
}

#[test]
fn ids_that_do_not_rise_and_offsets_that_do_not_fit_are_refused_and_nothing_is_written() {
    let folder = folder();
    let (mut writer, _) = writer(folder.path(), "s").unwrap();
    writer.append(&[(id(5, 5), 0)], b"entry").unwrap();
    let cases: &[&[(EntryId, usize)]] = &[
        &[(id(5, 5), 0)],
        &[(id(5, 4), 0)],
        &[(id(6, 0), 0), (id(6, 0), 1)],
        &[(id(6, 0), 1)],
        &[(id(6, 0), 0), (id(6, 1), 4)],
        &[(id(6, 0), 0), (id(6, 1), 2), (id(6, 2), 1)],
        &[],
    ];
    for case in cases {
        assert!(writer.append(case, b"abc").is_err(), "{case:?}");
    }
    writer.append(&[(id(5, 6), 0)], b"").unwrap();
    let all = [(id(5, 5), b"entry".to_vec()), (id(5, 6), Vec::new())];
    assert_eq!(read(folder.path(), "s").unwrap(), all);
}

#[test]
fn any_legal_name_can_be_recorded() {
    let folder = folder();
    let long = ["流".repeat(85), "流".repeat(84) + "xyz", "x".repeat(256)];
    let short = [
        "..",
        ".",
        "lock",
        "recording.json",
        "gaps.jsonl",
        "a b",
        "c:\\d",
        "%2E.",
        "~",
        "-",
        "流",
    ];
    let names: Vec<&str> = short.into_iter().chain(long.iter().map(String::as_str)).collect();
    let mut writable = Writable::open(folder.path(), "http://a").unwrap();
    for text in &names {
        let (mut writer, _) = writable.writer(&name(text)).unwrap();
        writer.append(&[(id(1, 0), 0)], text.as_bytes()).unwrap();
    }
    assert_eq!(Recording::open(folder.path()).unwrap().streams().len(), names.len());
    for text in names {
        assert_eq!(
            read(folder.path(), text).unwrap(),
            [(id(1, 0), text.as_bytes().to_vec())]
        );
    }
}

#[test]
fn ids_go_back_only_behind_a_gap_that_says_so() {
    let folder = folder();
    let (mut writer, _) = writer(folder.path(), "s").unwrap();
    let entries = |ids: &[u64]| -> Entries { ids.iter().map(|ms| (id(*ms, 0), vec![7])).collect() };
    append(&mut writer, &entries(&[5, 9])).unwrap();
    assert!(append(&mut writer, &entries(&[2])).is_err());
    // A gap of trimmed entries is none of those.
    writer.gap(id(9, 0), id(12, 0), false).unwrap();
    assert!(append(&mut writer, &entries(&[2])).is_err());
    writer.gap(id(9, 0), id(2, 0), true).unwrap();
    assert_eq!(writer.place(), Some(id(2, 0).before()));
    assert!(append(&mut writer, &entries(&[2, 1])).is_err());
    append(&mut writer, &entries(&[2, 9, 20])).unwrap();
    assert_eq!(writer.place(), Some(id(20, 0)));
    let found: Vec<u64> = read(folder.path(), "s").unwrap().iter().map(|(id, _)| id.ms).collect();
    assert_eq!(found, [5, 9, 2, 9, 20]);
    assert!(examine(folder.path(), "s").unwrap().is_sound());
    let mut reader = Recording::open(folder.path()).unwrap().reader(&name("s")).unwrap();
    assert_eq!(reader.goes_back(), Ok(true));
    assert!(reader.go_behind(id(5, 0)).unwrap_err().contains("began anew"));
    reader.go_behind(EntryId::default()).unwrap();
    reader.end_with(EntryId::MAX).unwrap();
    assert_eq!(reader.span(), 0..5);
    // Without the line it is damage.
    fs::remove_file(folder.path().join(GAPS)).unwrap();
    assert!(read(folder.path(), "s").unwrap_err().contains("goes back"));
    assert_eq!(examine(folder.path(), "s").unwrap().faults, 2);
}

#[test]
fn whoever_goes_on_behind_a_gap_begins_with_the_new_generation() {
    let folder = folder();
    let (mut first, _) = writer(folder.path(), "s").unwrap();
    append(&mut first, &[(id(9, 0), vec![7])]).unwrap();
    first.gap(id(9, 0), id(0, 1), true).unwrap();
    drop(first);
    let (mut second, _) = writer(folder.path(), "s").unwrap();
    assert_eq!((second.last(), second.place()), (Some(id(9, 0)), Some(id(0, 0))));
    append(&mut second, &[(id(1, 0), vec![7])]).unwrap();
    drop(second);
    let (third, _) = writer(folder.path(), "s").unwrap();
    assert_eq!(third.place(), Some(id(1, 0)));
}

#[test]
fn a_generation_that_ends_with_the_same_id_as_the_one_before_is_gone_on_with() {
    let folder = folder();
    let generation = [(id(1, 0), vec![7]), (id(3, 0), vec![7])];
    let (mut first, _) = writer(folder.path(), "s").unwrap();
    append(&mut first, &generation).unwrap();
    first.gap(id(3, 0), id(1, 0), true).unwrap();
    append(&mut first, &generation).unwrap();
    drop(first);
    let (mut second, _) = writer(folder.path(), "s").unwrap();
    assert_eq!(second.place(), Some(id(3, 0)));
    assert!(append(&mut second, &generation).is_err());
    drop(second);
    // Ids go back where the gap was, and nowhere else.
    assert_eq!(read(folder.path(), "s").unwrap().len(), 4);
    let path = folder.path().join(GAPS);
    let line = fs::read_to_string(&path).unwrap();
    assert!(line.contains(r#""recorded":2,"#), "{line}");
    fs::write(&path, line.replace(r#""recorded":2,"#, r#""recorded":1,"#)).unwrap();
    assert!(read(folder.path(), "s").unwrap_err().contains("goes back"));
    assert_eq!(examine(folder.path(), "s").unwrap().faults, 2);
    // Lines of older versions do not say how many entries there were.
    fs::write(&path, line.replace(r#""recorded":2,"#, "")).unwrap();
    assert_eq!(read(folder.path(), "s").unwrap().len(), 4);
    assert!(examine(folder.path(), "s").unwrap().is_sound());
    assert_eq!(writer(folder.path(), "s").unwrap().0.place(), Some(id(3, 0)));
}
