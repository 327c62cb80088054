//! Folders that are no recordings, and recordings that a hostile hand made.

use super::*;

#[test]
fn a_folder_that_is_no_recording_is_refused_and_left_alone() {
    let folder = folder();
    let fault = Recording::open(folder.path()).unwrap_err();
    assert!(fault.contains("not a recording"), "{fault}");
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let fault = Writable::open(folder.path(), "http://a").unwrap_err();
    assert!(fault.contains("notes.txt"), "{fault}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let fault = Writable::open(&folder.path().join("notes.txt"), "http://a").unwrap_err();
    assert!(fault.contains("notes.txt"), "{fault}");
}

#[test]
fn a_description_that_lies_is_refused() {
    let good = r#"{"format":"ptg-store recording","version":1,"store":"","begun":"","streams":{"s":"s"}}"#;
    let cases = [
        ("", "not a recording's"),
        ("[]", "not a recording's"),
        (&good.replace("recording\"", "tape\""), "format"),
        (&good.replace("version\":1", "version\":2"), "version"),
        (&good.replace("\"s\":\"s\"", "\"s\":\"../s\""), "../s"),
        (&good.replace("\"s\":\"s\"", "\"s\":\"/etc/passwd\""), "passwd"),
        (&good.replace("\"s\":\"s\"", "\"a/b\":\"a/b\""), "no /"),
        (&good.replace("\"s\":\"s\"", "\"\":\"\""), "bytes"),
    ];
    let folder = folder();
    fs::write(folder.path().join(ABOUT), good).unwrap();
    Recording::open(folder.path()).unwrap();
    for (text, named) in cases {
        fs::write(folder.path().join(ABOUT), text).unwrap();
        for fault in [
            Recording::open(folder.path()).unwrap_err(),
            Writable::open(folder.path(), "").unwrap_err(),
        ] {
            assert!(fault.contains(named), "{text}: {fault}");
        }
    }
}

/// A recording whose index a hostile hand made; its checksums are right.
fn forged(records: &[Record], data: &[u8]) -> TempDir {
    let folder = folder();
    record(folder.path(), "s", &[]);
    let index: Vec<u8> = records.iter().flat_map(|record| record.to_bytes()).collect();
    fs::write(folder.path().join("s.index"), index).unwrap();
    fs::write(folder.path().join("s.data"), data).unwrap();
    folder
}

#[test]
fn records_that_cannot_be_are_named_and_take_no_memory() {
    let good = |ms, start, entry: &[u8]| Record::of(id(ms, 0), start, entry);
    let far = Record {
        start: u64::MAX >> 1,
        ..good(2, 0, b"")
    };
    let huge = Record {
        length: MAX_ENTRY,
        ..good(2, 3, b"")
    };
    let cases: &[(&[Record], &str)] = &[
        (&[good(1, 0, b"abc"), good(1, 3, b"d"), good(3, 4, b"e")], "back"),
        (&[good(9, 0, b"abc"), good(2, 3, b"d"), good(10, 4, b"e")], "back"),
        (
            &[good(1, 0, b"abc"), good(2, 2, b"c"), good(3, 4, b"e")],
            "does not begin",
        ),
        (&[good(1, 1, b"bc"), good(3, 4, b"e")], "does not begin"),
        (&[good(1, 0, b"abc"), far, good(3, 4, b"e")], "does not begin"),
        (&[good(1, 0, b"abc"), huge, good(3, 4, b"e")], "are damaged"),
        (&[good(1, 0, b"abd"), good(2, 3, b"d"), good(3, 4, b"e")], "are damaged"),
    ];
    for (records, named) in cases {
        let folder = forged(records, b"abcde");
        let fault = read(folder.path(), "s").unwrap_err();
        assert!(fault.contains(named), "{records:?}: {fault}");
        let report = examine(folder.path(), "s").unwrap();
        assert!(
            !report.is_sound() && report.faults < records.len() as u64,
            "{records:?}: {report:?}"
        );
    }
}

#[test]
fn an_index_that_points_past_the_data_is_torn_there() {
    let records = [Record::of(id(1, 0), 0, b"abc"), Record::of(id(2, 0), 3, b"defg")];
    let folder = forged(&records, b"abcdef");
    assert_eq!(read(folder.path(), "s").unwrap(), [(id(1, 0), b"abc".to_vec())]);
    let report = examine(folder.path(), "s").unwrap();
    assert_eq!((report.torn.data, report.torn.index), (3, 40));
}

#[test]
fn a_missing_file_is_named_and_nothing_is_cut() {
    for missing in ["s.data", "s.index"] {
        let folder = folder();
        record(folder.path(), "s", &[&three_replies()[0]]);
        fs::remove_file(folder.path().join(missing)).unwrap();
        for fault in [
            read(folder.path(), "s").unwrap_err(),
            writer(folder.path(), "s").unwrap_err(),
        ] {
            assert!(fault.contains(missing), "{fault}");
        }
    }
}

#[test]
fn files_that_the_description_does_not_name_are_not_written_to() {
    let folder = folder();
    record(folder.path(), "s", &[]);
    fs::write(folder.path().join("t.data"), "mine").unwrap();
    let fault = writer(folder.path(), "t").unwrap_err();
    assert!(fault.contains("t.data"), "{fault}");
    assert_eq!(fs::read(folder.path().join("t.data")).unwrap(), b"mine");
}
