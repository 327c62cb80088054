//! The honest client among the hostile ones: whatever was acknowledged to it must come back, once, in order, unchanged.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::dice::Dice;
use crate::harness::{Client, encode, receive_reply, receive_text, send_binary, send_text};

/// Rounds with the same sockets; then new ones go on from the last id.
const ROUNDS: usize = 50;

/// Pushes in every way and pulls the same, until told to stop; how many entries came back. Panics when the books do not
/// balance.
pub fn keep_books(store: &Client, seed: u64, stop: &AtomicBool) -> u64 {
    let mut dice = Dice::new(seed);
    let stream = format!("honest-{seed:x}");
    let mut last = "0".to_owned();
    let mut balanced = 0;
    while !stop.load(Relaxed) {
        let mut single = store.push(&stream, "ack=true");
        let mut batches = store.push(&stream, "batch=true&ack=true");
        let mut pull = store.pull(&stream, &format!("last_entry_id={last}&count=7"));
        for _ in 0..ROUNDS {
            let entries: Vec<Vec<u8>> = (0..=dice.below(20)).map(|_| dice.bytes(2000)).collect();
            let ids = match dice.below(3) {
                0 => {
                    entries.iter().for_each(|entry| send_binary(&mut single, entry));
                    entries.iter().map(|_| receive_text(&mut single)).collect()
                }
                1 => {
                    let starts = entries.iter().scan(0, |end, entry| {
                        *end += entry.len();
                        Some(*end - entry.len())
                    });
                    let offsets: Vec<String> = starts.map(|start| start.to_string()).collect();
                    send_text(&mut batches, &offsets.join(","));
                    send_binary(&mut batches, &entries.concat());
                    receive_text(&mut batches).split(',').map(str::to_owned).collect()
                }
                _ => {
                    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
                    store.add(&stream, &entries)
                }
            };
            let pushed: Vec<(String, Vec<u8>)> = ids.into_iter().zip(entries.iter().cloned()).collect();
            assert_eq!(pushed.len(), entries.len(), "ids are missing");
            let mut pulled = Vec::new();
            while pulled.len() < pushed.len() {
                pulled.extend(receive_reply(&mut pull));
            }
            assert!(
                pulled == pushed,
                "after {balanced} entries, from {last}: {pushed:?} became {pulled:?}"
            );
            let path = format!("/data/{}?last_entry_id={last}&count=100", encode(&stream));
            assert!(
                store.get(&path).expect(200).body == entries.concat(),
                "REST tells another story after {last}"
            );
            last.clone_from(&pushed.last().expect("at least one").0);
            balanced += pushed.len() as u64;
            if stop.load(Relaxed) {
                break;
            }
        }
    }
    balanced
}
