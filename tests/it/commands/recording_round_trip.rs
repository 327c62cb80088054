//! A million entries through record, replay and record again: the same to the byte, in memory that does not grow with them.

use std::fs;
use std::time::Duration;

use ptg_store::recording::Recording;
use ptg_store::words::ids::StreamId;

use crate::harness::{Program, Redis, Shell, eventually, peak, text};

const ENTRIES: u64 = 1_000_000;

/// How many Redis makes in one go.
const STEP: usize = 50_000;

/// Far more than a debug build takes on a busy machine.
const LONG: Duration = Duration::from_secs(300);

/// What a command may take, in bytes. The index of the recording alone is larger.
const MEMORY: usize = 32 << 20;

/// Makes the entries in Redis itself: three in a millisecond, of 0 to 22 bytes.
const FILL: &str = "
    for n = ARGV[1], ARGV[2] - 1 do
        local id = (1600000000000 + math.floor(n / 3)) .. '-' .. (n % 3)
        redis.call('XADD', KEYS[1], id, 'd', n % 17 == 5 and '' or string.rep('x', n % 17) .. n)
    end";

#[test]
fn a_million_entries_come_back_to_the_byte_in_bounded_memory() {
    let (redis, other_redis) = (Redis::start(), Redis::start());
    let max_len = (2 * ENTRIES).to_string();
    let flags = |redis: &Redis| ["--redis", &redis.url(), "--max-len", &max_len].map(str::to_owned);
    let [store, other_store] = [&redis, &other_redis].map(|redis| {
        let flags = flags(redis);
        Program::start(&flags.each_ref().map(String::as_str))
    });
    for from in (0..ENTRIES).step_by(STEP) {
        let until = from + STEP as u64;
        redis.command::<()>(&["EVAL", FILL, "1", "many", &from.to_string(), &until.to_string()]);
    }
    let folders = [tempfile::tempdir(), tempfile::tempdir()].map(|folder| folder.expect("a folder"));
    let [first, second] = folders
        .each_ref()
        .map(|folder| folder.path().to_str().expect("a path of text"));
    let record = |folder| {
        [
            "record", "many", "--out", folder, "--from", "first", "--until", "latest",
        ]
    };

    let said = run(&store, &record(first));
    assert!(said.starts_with("many: 1000000 entries, "), "{said}");
    assert_as_filled(&folders[0]);
    let said = run(&other_store, &["replay", first, "--fast", "--keep-times"]);
    assert!(said.starts_with("many: 1000000 entries, "), "{said}");
    run(&other_store, &record(second));
    for file in ["many.data", "many.index"] {
        let [first, second] = folders
            .each_ref()
            .map(|folder| fs::read(folder.path().join(file)).expect("a file"));
        assert!(first == second, "{file} is another");
    }
}

/// Runs a command to its end, which must be a good one, and looks at its memory meanwhile.
#[track_caller]
fn run(store: &Program, arguments: &[&str]) -> String {
    let shell = Shell::of(store);
    let mut command = shell.start(arguments);
    let mut most = 0;
    eventually(LONG, || {
        most = most.max(peak(command.pid()));
        command.has_ended()
    });
    let output = command.wait();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    assert!(most > 0 && most < MEMORY, "{arguments:?} took {most} bytes");
    text(&output.stdout)
}

/// The recording has what `FILL` made.
fn assert_as_filled(folder: &tempfile::TempDir) {
    let recording = Recording::open(folder.path()).expect("a recording");
    let mut reader = recording
        .reader(&StreamId::new("many").expect("a name"))
        .expect("a stream");
    let mut bytes = Vec::new();
    for n in 0..ENTRIES {
        let record = reader.next_record().expect("sound").expect("a record");
        bytes.clear();
        reader.read(record, &mut bytes).expect("sound");
        let (ms, seq) = (1_600_000_000_000 + n / 3, n % 3);
        assert_eq!((record.id.ms, record.id.seq), (ms, seq));
        let expected = match n % 17 {
            5 => String::new(),
            many => "x".repeat(many as usize) + &n.to_string(),
        };
        assert_eq!(bytes, expected.as_bytes());
    }
    assert_eq!(reader.next_record(), Ok(None));
}
