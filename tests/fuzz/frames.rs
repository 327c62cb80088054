//! The grammar of WebSockets: handshakes and frames, sound and damaged, and the frames that a server sends.

use super::damage;
use super::dice::Dice;
use super::requests::{Request, named};
use crate::harness::wire::{frame, header};

const PATHS: [&str; 14] = [
    "/data/STREAM/push",
    "/data/STREAM/push?ack=true",
    "/data/STREAM/push?batch=true",
    "/data/STREAM/push?batch=true&ack=true",
    "/data/*/push?batch=true",
    "/data/*/push?batch=true&ack=true&on_error=report",
    "/v2/data/*/push?batch=True&ack=True&on_error=report",
    "/data/STREAM/pull",
    "/data/STREAM/pull?last_entry_id=0&count=50",
    "/data/STREAM/pull?format=json&last_entry_id=first&timeout=3000",
    "/data/STREAM/pull?format=raw&newest=true&max_rate=100&last_entry_id=latest",
    "/data/STREAM/pull?ack=true&last_entry_id=-1h&on_gap=close",
    "/data/STREAM+none+fuzz%2B/pull?ack=yes&format=json&last_entry_id=0&count=5&until=2100-01-01",
    "/v2/data/STREAM+none/pull?last_entry_id=-&ack=True&last=3",
];

pub fn handshake(dice: &mut Dice, token: &str) -> (Request, bool) {
    let path = dice.pick(&PATHS);
    let mut request = Request::new("GET", &named(dice, path), token);
    for header in [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        request.headers.push(header.into());
    }
    (request, path.contains("batch"))
}

/// What a good client of this path sends.
pub fn sound(dice: &mut Dice, batch: bool) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for _ in 0..dice.below(8) {
        match dice.below(6) {
            0 => frames.push(frame(0x89, &dice.bytes(126))),
            1 => frames.push(frame(0x8a, &dice.bytes(126))),
            _ if batch => {
                let blob = dice.bytes(400);
                frames.push(frame(0x81, batch_header(dice, blob.len()).as_bytes()));
                frames.push(frame(0x82, &blob));
            }
            2 => frames.push(frame(0x81, "grüße".as_bytes())),
            3 => {
                frames.push(frame(0x02, &dice.bytes(100)));
                (0..dice.below(20)).for_each(|_| frames.push(frame(0x00, &dice.bytes(20))));
                frames.push(frame(0x80, b""));
            }
            _ => frames.push(frame(0x82, &dice.bytes(2000))),
        }
    }
    if dice.one_in(2) {
        frames.push(frame(0x88, dice.pick::<[u8]>(&[b"", b"\x03\xe8", b"\x03\xe9bye"])));
    }
    frames
}

/// Rising offsets into a blob of this length, alone or with streams and ids.
fn batch_header(dice: &mut Dice, length: usize) -> String {
    let mut all: Vec<usize> = (0..dice.below(10)).map(|_| dice.below(length + 1)).collect();
    all.push(0);
    all.sort_unstable();
    let shape = dice.below(4);
    let words: Vec<String> = all.iter().map(|offset| item(dice, shape, *offset)).collect();
    match shape {
        0 => words.join(","),
        _ => format!("[{}]", words.join(",")),
    }
}

fn item(dice: &mut Dice, shape: usize, offset: usize) -> String {
    let stream = dice.pick(&["any0", "any1", "any2", "any\\u0033", "größe", ""]);
    let id = dice.pick(&[
        "null",
        "\"*\"",
        "\"5-*\"",
        "\"7-1\"",
        "\"1795456800000-18446744073709551615\"",
        "\"0-0\"",
        "6",
        "{}",
    ]);
    match shape {
        2 => format!("[\"{stream}\",{offset}]"),
        3 => format!("[\"{stream}\",{id},{offset}]"),
        _ => offset.to_string(),
    }
}

/// Breaks a few frames in a few ways.
pub fn damage(dice: &mut Dice, frames: &mut Vec<Vec<u8>>) {
    for _ in 0..=dice.below(3) {
        if frames.is_empty() {
            frames.push(frame(0x82, b"entry"));
        }
        let place = dice.below(frames.len());
        match dice.below(12) {
            0 => frames[place].iter_mut().take(1).for_each(|byte| *byte = dice.byte()),
            // Without its mask.
            1 => frames[place].iter_mut().skip(1).take(1).for_each(|byte| *byte &= 0x7f),
            2 => damage::bytes(dice, &mut frames[place]),
            3 => frames.push(frames[place].clone()),
            4 => dice.shuffle(frames),
            5 => drop(frames.remove(place)),
            6 => {
                let length = *[
                    0,
                    125,
                    126,
                    0xffff,
                    0x1_0000,
                    1 << 18,
                    (1 << 18) + 1,
                    1 << 40,
                    u64::MAX,
                    1 << 63,
                ]
                .get(dice.below(10))
                .expect("one of ten");
                frames.insert(place, header(dice.byte(), length));
            }
            7 => frames.insert(place, frame(0x80 | (dice.byte() & 0x0f), &dice.bytes(200))),
            8 => frames.insert(place, frame(0x81, &dice.bytes(200))),
            9 => {
                let mut text = batch_header(dice, 400).into_bytes();
                damage::bytes(dice, &mut text);
                frames.insert(place, frame(0x81, &text));
            }
            10 => {
                let text = format!("0,{},{}", damage::number(dice), damage::number(dice));
                frames.insert(place, frame(0x81, text.as_bytes()));
            }
            _ => frames.insert(place, frame(0x88, &dice.bytes(130))),
        }
    }
}

/// Takes a server's frames apart; the code and reason of its close, if there is one. Nothing may be wrong with them.
pub fn close(mut bytes: &[u8]) -> Result<Option<(u16, String)>, String> {
    let mut close = None;
    while let [first, second, rest @ ..] = bytes {
        let (length, size): (Option<u64>, usize) = match second {
            126 => (rest.get(..2).map(|n| u64::from(n[0]) << 8 | u64::from(n[1])), 2),
            127 => (
                rest.get(..8)
                    .map(|n| n.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
                8,
            ),
            length => (Some(u64::from(*length)), 0),
        };
        if !matches!(first, 0x81 | 0x82 | 0x88 | 0x89 | 0x8a) || *second > 127 {
            return Err(format!("not a server's frame: {first:#x} {second:#x}"));
        }
        if close.is_some() {
            return Err(format!("a frame {first:#x} after the close"));
        }
        let payload = length.and_then(|length| rest.get(size..size.checked_add(usize::try_from(length).ok()?)?));
        let payload = payload.ok_or_else(|| format!("half a frame {first:#x} {second:#x}"))?;
        if *first == 0x88 {
            let (code, reason) = payload.split_at(payload.len().min(2));
            let code = code.try_into().map_or(1005, u16::from_be_bytes);
            close = Some((code, String::from_utf8_lossy(reason).into_owned()));
        }
        bytes = &rest[size + payload.len()..];
    }
    match bytes {
        [] => Ok(close),
        _ => Err("half a frame".into()),
    }
}
