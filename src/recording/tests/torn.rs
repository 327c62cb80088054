//! Recordings whose end is torn, and bits that flipped.

use std::fs::OpenOptions;

use super::*;

#[test]
fn torn_at_any_byte_of_the_data_it_is_a_prefix_and_goes_on() {
    torn_at_every_byte(DATA);
}

#[test]
fn torn_at_any_byte_of_the_index_it_is_a_prefix_and_goes_on() {
    torn_at_every_byte(INDEX);
}

/// Cuts one of the two files everywhere: only whole entries are left, nothing twice, and what follows is readable.
fn torn_at_every_byte(which: &str) {
    let replies = three_replies();
    let all = replies.concat();
    let whole = folder();
    record(whole.path(), "s", &replies.each_ref().map(Vec::as_slice));
    let length = fs::metadata(whole.path().join(format!("s{which}"))).unwrap().len();
    for cut in 0..length {
        let torn = folder();
        for file in [ABOUT, "s.data", "s.index"] {
            fs::copy(whole.path().join(file), torn.path().join(file)).unwrap();
        }
        let file = OpenOptions::new()
            .write(true)
            .open(torn.path().join(format!("s{which}")));
        file.unwrap().set_len(cut).unwrap();
        let left = read(torn.path(), "s").unwrap();
        assert!(
            left.len() < all.len() && left == all[..left.len()],
            "cut at {cut}: {left:?}"
        );
        let report = examine(torn.path(), "s").unwrap();
        assert!(
            report.is_sound() && report.entries == left.len() as u64,
            "cut at {cut}: {report:?}"
        );
        let (mut writer, cut_off) = writer(torn.path(), "s").unwrap();
        assert_eq!(cut_off, report.torn, "cut at {cut}");
        assert_eq!(writer.last(), left.last().map(|(id, _)| *id), "cut at {cut}");
        append(&mut writer, &all[left.len()..]).unwrap();
        assert_eq!(read(torn.path(), "s").unwrap(), all, "cut at {cut}");
        assert!(examine(torn.path(), "s").unwrap().torn.is_none(), "cut at {cut}");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let replies = three_replies();
    let all = replies.concat();
    let folder = folder();
    record(folder.path(), "s", &replies.each_ref().map(Vec::as_slice));
    for file in ["s.data", "s.index"].map(|name| folder.path().join(name)) {
        let good = fs::read(&file).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, bad).unwrap();
            let report = examine(folder.path(), "s").unwrap();
            assert!(!report.is_sound() || !report.torn.is_none(), "bit {bit} of {file:?}");
            // Whoever reads on comes upon it, or it was at the end, and is not read.
            let prefix = read(folder.path(), "s").map_or(true, |read| read.len() < all.len() && all.starts_with(&read));
            assert!(prefix, "bit {bit} of {file:?}");
        }
        fs::write(&file, good).unwrap();
    }
    assert_eq!(read(folder.path(), "s").unwrap(), all);
}

/// Wherever it is, also in the middle, where a search looks first.
#[test]
fn what_is_before_and_behind_a_damaged_record_can_be_read() {
    let entries: Entries = (1..=9).map(|ms| (id(ms, 0), b"entry".to_vec())).collect();
    let folder = folder();
    record(folder.path(), "s", &[&entries]);
    let index = folder.path().join("s.index");
    let good = fs::read(&index).unwrap();
    for bad in 0..entries.len() - 1 {
        let mut bytes = good.clone();
        bytes[bad * RECORD_SIZE] ^= 1;
        fs::write(&index, bytes).unwrap();
        let part = |from: EntryId, until: EntryId| {
            let mut reader = Recording::open(folder.path()).unwrap().reader(&name("s")).unwrap();
            reader.go_behind(from).unwrap();
            reader.end_with(until).unwrap();
            let mut found = Vec::new();
            loop {
                match reader.next_record() {
                    Ok(Some(record)) => found.push(record.id),
                    Ok(None) => return (found, None),
                    Err(fault) => return (found, Some(fault)),
                }
            }
        };
        let ids = |range: std::ops::Range<usize>| entries[range].iter().map(|(id, _)| *id).collect::<Vec<_>>();
        // What the damaged one was is not known, so whatever may have it comes upon it.
        for until in [EntryId::MAX, entries[bad].0] {
            let (found, fault) = part(id(0, 1), until);
            assert_eq!(found, ids(0..bad), "record {bad}");
            assert!(fault.unwrap().contains(&format!("record {bad} is damaged")));
        }
        assert_eq!(part(entries[bad + 1].0, EntryId::MAX), (ids(bad + 2..9), None));
        if bad > 1 {
            assert_eq!(part(id(0, 1), entries[bad - 2].0), (ids(0..bad - 1), None));
        }
    }
}

#[test]
fn blocks_of_zeros_at_the_end_are_torn_and_cut() {
    let folder = folder();
    let replies = three_replies();
    record(folder.path(), "s", &replies.each_ref().map(Vec::as_slice));
    for file in ["s.data", "s.index"].map(|name| folder.path().join(name)) {
        let mut bytes = fs::read(&file).unwrap();
        bytes.resize(bytes.len() + 4096, 0);
        fs::write(&file, bytes).unwrap();
    }
    let (writer, torn) = writer(folder.path(), "s").unwrap();
    assert_eq!((torn.data, torn.index), (4096, 4096));
    assert_eq!(writer.entries(), 5);
    assert_eq!(read(folder.path(), "s").unwrap(), replies.concat());
}

#[test]
fn more_data_than_a_crash_leaves_is_not_cut() {
    let folder = folder();
    record(folder.path(), "s", &[&three_replies()[0]]);
    let data = folder.path().join("s.data");
    let length = 3 << 30;
    let file = OpenOptions::new().write(true).open(&data).unwrap();
    file.set_len(length).unwrap();
    let fault = writer(folder.path(), "s").unwrap_err();
    assert!(fault.contains("truncate"), "{fault}");
    assert_eq!(fs::metadata(&data).unwrap().len(), length);
    assert_eq!(read(folder.path(), "s").unwrap().len(), 2);
}

#[test]
fn gaps_are_lines_also_behind_half_a_line() {
    let folder = folder();
    let (mut writer, _) = writer(folder.path(), "s").unwrap();
    writer.gap(id(1, 0), id(5, 0), false).unwrap();
    let path = folder.path().join(GAPS);
    let half = fs::read_to_string(&path).unwrap() + "{\"stream\":\"s\",\"aft";
    fs::write(&path, half).unwrap();
    writer.gap(id(7, 0), id(9, 0), false).unwrap();
    let gaps = read_gaps(folder.path()).unwrap();
    let ids = gaps.iter().map(|gap| (gap.after.as_str(), gap.before.as_str()));
    assert_eq!(ids.collect::<Vec<_>>(), [("1-0", "5-0"), ("7-0", "9-0")]);
}
