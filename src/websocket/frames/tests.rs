//! Frames cut and mixed in every way that RFC 6455 allows are the messages that were sent.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limits::Budget;
use crate::limits::metrics::Metrics;

/// A peer whose bytes arrive in pieces, with nothing there in between, and then end.
struct Peer {
    pieces: Vec<Vec<u8>>,
    quiet: bool,
}

impl Peer {
    fn new(bytes: &[u8], piece: usize) -> Peer {
        let pieces = bytes.chunks(piece.max(1)).rev().map(<[u8]>::to_vec).collect();
        Peer { pieces, quiet: false }
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.quiet = !self.quiet;
        if self.quiet {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Some(mut piece) = self.pieces.pop() else {
            return Ok(0);
        };
        let count = piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        piece.drain(..count);
        if !piece.is_empty() {
            self.pieces.push(piece);
        }
        Ok(count)
    }
}

fn budget(limit: usize) -> Arc<Budget> {
    Budget::new(limit, Arc::new(Metrics::default()), |metrics| &metrics.message_bytes)
}

fn frames(budget: Option<Arc<Budget>>) -> Frames {
    let limits = Limits {
        message: 1 << 20,
        stall: Duration::from_secs(60),
        patience: Duration::ZERO,
        budget,
    };
    Frames::new(Vec::new(), limits)
}

/// Everything that a peer sent, and how it ended.
fn read_all(frames: &mut Frames, peer: &mut Peer) -> (Vec<Event>, Ending) {
    let mut events = Vec::new();
    loop {
        match frames.next(peer, &mut 0) {
            Ok(Some(event)) => events.push(event),
            Ok(None) => {}
            Err(ending) => return (events, ending),
        }
    }
}

/// A frame as a client sends it.
fn client_frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A message in fragments, with a ping behind each of them.
fn fragmented(is_text: bool, payload: &[u8], fragment: usize, mask: [u8; 4]) -> Vec<u8> {
    let mut fragments: Vec<&[u8]> = payload.chunks(fragment.max(1)).collect();
    if fragments.is_empty() {
        fragments.push(&[]);
    }
    let last = fragments.len() - 1;
    let mut bytes = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        let opcode = if index > 0 { 0 } else { 2 - u8::from(is_text) };
        let end = if index == last { 0x80 } else { 0 };
        bytes.extend(client_frame(end | opcode, fragment, mask));
        bytes.extend(client_frame(0x89, b"still there?", mask));
    }
    bytes
}

#[test]
fn a_message_without_its_share_of_the_memory_waits_and_then_is_refused() {
    let shared = budget(100_000);
    let mut all = shared.reserve_nothing();
    assert!(all.grow(100_000));
    let mut waiting = Frames {
        limits: Limits {
            patience: Duration::from_secs(60),
            ..frames(Some(shared.clone())).limits
        },
        ..frames(None)
    };
    let message = client_frame(0x82, &[7; 90_000], [1, 2, 3, 4]);
    let mut peer = Peer::new(&message, 1 << 20);
    while !waiting.is_starved() {
        assert!(matches!(waiting.next(&mut peer, &mut 0), Ok(None)));
    }
    drop(all);
    let (events, _) = read_all(&mut waiting, &mut peer);
    assert!(matches!(&events[..], [Event::Message(message)] if message.bytes.len() == 90_000));

    let mut all = shared.reserve_nothing();
    drop(events);
    assert!(all.grow(100_000));
    let mut refused = frames(Some(shared));
    let (events, ending) = read_all(&mut refused, &mut Peer::new(&message, 1 << 20));
    assert!(events.is_empty());
    assert_eq!(ending.code(), close::TRY_LATER);
}

#[test]
fn announcing_much_takes_no_memory_from_others() {
    let shared = budget(1 << 20);
    let header = [&[0x82, 0x80 | 127][..], &(1_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    let mut announcing = frames(Some(shared.clone()));
    let mut peer = Peer::new(&header, 1 << 20);
    assert!(matches!(announcing.next(&mut peer, &mut 0), Ok(None)));
    assert!(matches!(announcing.next(&mut peer, &mut 0), Ok(None)));
    assert!(shared.reserve_nothing().grow(1 << 20));
}

#[test]
fn a_flood_of_empty_fragments_keeps_nobody_in_the_reader() {
    let flood = [
        client_frame(0x02, &[], [0; 4]),
        client_frame(0x00, &[], [0; 4]).repeat(100),
    ]
    .concat();
    let (events, _) = read_all(&mut frames(Some(budget(1 << 20))), &mut Peer::new(&flood, 1 << 20));
    assert_eq!(
        events.iter().filter(|event| matches!(event, Event::Passed)).count(),
        101
    );
}

#[test]
fn a_message_is_refused_as_soon_as_its_frames_promise_too_much() {
    for bytes in [
        client_frame(0x82, &[0; 10], [0; 4]).split_at(1).0.to_vec(),
        [&[0x82, 0x80 | 127][..], &(i64::MAX).to_be_bytes(), &[0; 4]].concat(),
        [&[0x82, 0x80 | 127][..], &(1_u64 << 21).to_be_bytes(), &[0; 4]].concat(),
    ] {
        let promises_much = bytes.len() > 1;
        let (events, ending) = read_all(&mut frames(Some(budget(1 << 20))), &mut Peer::new(&bytes, 3));
        assert!(events.is_empty());
        assert_eq!(ending.code() == close::TOO_LARGE, promises_much, "{ending:?}");
    }
}

proptest! {
    #[test]
    fn messages_arrive_as_they_were_sent_however_they_are_cut(
        messages in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), any::<bool>(), 1..400_usize), 0..8),
        large in 0..200_000_usize,
        mask in any::<[u8; 4]>(),
        piece in 1..100_000_usize,
    ) {
        let mut sent: Vec<(bool, Vec<u8>)> = Vec::new();
        let mut bytes = Vec::new();
        for (payload, is_text, fragment) in messages {
            let payload = if is_text { String::from_utf8_lossy(&payload).into_owned().into_bytes() } else { payload };
            bytes.extend(fragmented(is_text, &payload, fragment, mask));
            sent.push((is_text, payload));
        }
        let payload: Vec<u8> = (0..large).map(|at| at as u8).collect();
        bytes.extend(fragmented(false, &payload, 150_000, mask));
        sent.push((false, payload));
        bytes.extend(client_frame(0x88, &1001_u16.to_be_bytes(), mask));

        let shared = budget(1 << 20);
        let (events, _) = read_all(&mut frames(Some(shared.clone())), &mut Peer::new(&bytes, piece));
        let found: Vec<(bool, Vec<u8>)> = events
            .iter()
            .filter_map(|event| match event {
                Event::Message(message) => Some((message.is_text, message.bytes.to_vec())),
                _ => None,
            })
            .collect();
        prop_assert_eq!(found, sent);
        prop_assert!(matches!(events.last(), Some(Event::Close(Some(1001)))));
        let pings = events.iter().filter(|event| matches!(event, Event::Ping(payload) if payload == b"still there?"));
        prop_assert!(pings.count() > 0);
        // Every share is given back.
        drop(events);
        prop_assert!(shared.reserve_nothing().grow(1 << 20));

        // One who keeps nothing still sees the pings and the close.
        let (events, _) = read_all(&mut frames(None), &mut Peer::new(&bytes, piece));
        prop_assert!(!events.iter().any(|event| matches!(event, Event::Message(_))));
        prop_assert!(matches!(events.last(), Some(Event::Close(Some(1001)))));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1..300_usize) {
        for budget in [Some(budget(1 << 20)), None] {
            let (_, ending) = read_all(&mut frames(budget), &mut Peer::new(&bytes, piece));
            prop_assert!(matches!(ending, Ending::Lost(_) | Ending::ByUs(..)));
        }
    }
}
