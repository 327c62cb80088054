//! Recordings as a test reads them.

use std::path::Path;

use ptg_store::recording::{Recording, check};
use ptg_store::words::ids::StreamId;

/// The entries of a recorded stream, of which nothing is damaged.
#[track_caller]
pub fn recorded(folder: &Path, stream: &str) -> Vec<(String, Vec<u8>)> {
    let recording = Recording::open(folder).expect("a recording");
    let stream = StreamId::new(stream).expect("a stream's name");
    let report = check(&recording, &stream).expect("a stream of it");
    assert!(report.is_sound(), "{report:?}");
    let mut reader = recording.reader(&stream).expect("to read it");
    let mut entries = Vec::new();
    while let Some(record) = reader.next_record().expect("the next entry") {
        let mut bytes = Vec::new();
        reader.read(record, &mut bytes).expect("its bytes");
        entries.push((record.id.to_string(), bytes));
    }
    entries
}

/// How many entries of a stream are recorded by now; none before there is a recording.
pub fn count_recorded(folder: &Path, stream: &str) -> u64 {
    let Ok(recording) = Recording::open(folder) else {
        return 0;
    };
    let stream = StreamId::new(stream).expect("a stream's name");
    recording.reader(&stream).map_or(0, |reader| reader.tail().records)
}
