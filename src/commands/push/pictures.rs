//! Pictures that come one after the other in one stream of bytes, as cameras and ffmpeg send them: every JPEG is an entry.
//! What stands between them, such as the parts' heads of a `multipart/x-mixed-replace`, is left out.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use ptg_store::words::units::Size;

use super::Next;
use super::inputs::{Inputs, too_large};
use crate::client::{Arrival, Batch, Failure};

/// How a JPEG begins: start of image, and the first byte of the next marker (ITU-T T.81, annex B).
const BEGINNING: &[u8] = &[0xff, 0xd8, 0xff];

/// Markers: start and end of an image, start of scan, and those that stand alone: restarts and TEM.
const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const RESTARTS: std::ops::RangeInclusive<u8> = 0xd0..=0xd7;
const TEMPORARY: u8 = 0x01;

/// The pictures of files.
pub struct Pictures {
    inputs: Inputs,
    scanner: Scanner,
    /// Whether the file that is read had a picture.
    had_one: bool,
    limit: Size,
}

/// Looks for pictures in bytes as they arrive.
#[derive(Default)]
struct Scanner {
    bytes: Vec<u8>,
    /// Where the picture begins that is looked at; what is before it is done with.
    begin: usize,
    /// How far they have been looked at.
    at: usize,
    /// Where to look for another beginning if this is no picture: behind the last marker that was where it should be. Whoever
    /// went back further would look at hostile bytes again and again.
    sound: usize,
    place: Place,
}

/// What is due at that place.
#[derive(Clone, Copy, Default, PartialEq)]
enum Place {
    /// A picture's beginning; whatever else there is, is skipped.
    #[default]
    Between,
    /// A marker.
    Marker,
    /// Compressed data, up to a marker that is neither a restart nor a zero, which stands for 255 itself.
    Data,
}

impl Pictures {
    /// Of these files, or of standard input if there is none.
    pub fn new(paths: Vec<PathBuf>, limit: Size) -> Pictures {
        Pictures {
            inputs: Inputs::new(paths),
            scanner: Scanner::default(),
            had_one: false,
            limit,
        }
    }

    /// The next picture that is there.
    pub fn next(&mut self) -> Result<Next, Failure> {
        loop {
            let picture = self.scanner.picture();
            // Of a picture that is not whole, so much is there.
            if picture.as_ref().unwrap_or(&self.scanner.bytes).len() > self.limit.0 {
                return Err(too_large("a picture", self.limit));
            }
            if let Some(picture) = picture {
                self.had_one = true;
                return Ok(Next::Batch(Batch::single(picture.into(), "")));
            }
            match self.inputs.read(&mut self.scanner.bytes)? {
                Some(Arrival::Bytes(_)) => {}
                Some(Arrival::NotYet) => return Ok(Next::NotYet),
                Some(Arrival::End) => self.end_file()?,
                None => return Ok(Next::End),
            }
        }
    }

    /// A file has ended. One without a picture is something else: what a camera says when it has none, for example.
    fn end_file(&mut self) -> Result<(), Failure> {
        let (name, between) = (self.inputs.name(), self.scanner.is_between());
        self.scanner = Scanner::default();
        match std::mem::take(&mut self.had_one) {
            _ if !between => Err(Failure::Here(format!(
                "{name} ends in the middle of a picture, which is left out"
            ))),
            true => Ok(()),
            false => Err(Failure::Here(format!("{name} has no JPEG in it"))),
        }
    }

    /// What to wait for when there is nothing yet.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inputs.fd()
    }
}

impl Scanner {
    /// Takes the next picture if it is whole. If none is, what is no part of one is dropped.
    fn picture(&mut self) -> Option<Vec<u8>> {
        let picture = self.scan();
        if picture.is_none() {
            self.bytes.drain(..self.begin);
            self.at -= self.begin;
            self.sound = self.sound.saturating_sub(self.begin);
            self.begin = 0;
        }
        picture
    }

    fn scan(&mut self) -> Option<Vec<u8>> {
        loop {
            let rest = &self.bytes[self.at..];
            match self.place {
                Place::Between => {
                    let found = rest.windows(BEGINNING.len()).position(|three| three == BEGINNING);
                    // Without one, the last two bytes may still begin it.
                    self.at += found.unwrap_or(rest.len().saturating_sub(BEGINNING.len() - 1));
                    self.begin = self.at;
                    found?;
                    self.at += 2;
                    self.sound = self.at;
                    self.place = Place::Marker;
                }
                Place::Marker => match *rest {
                    // Any number of them may fill the space before a marker.
                    [0xff, 0xff, ..] => self.at += 1,
                    [0xff, END_OF_IMAGE, ..] => {
                        let picture = self.bytes[self.begin..self.at + 2].to_vec();
                        self.at += 2;
                        self.begin = self.at;
                        self.place = Place::Between;
                        return Some(picture);
                    }
                    [0xff, marker, ..] if RESTARTS.contains(&marker) || marker == TEMPORARY => self.at += 2,
                    [0xff, START_OF_IMAGE, ..] => {
                        // What was before it was cut off.
                        self.sound = self.at;
                        self.begin_again();
                    }
                    [0xff, 0, ..] => self.begin_again(),
                    [0xff, marker, high, low, ..] => {
                        // A thumbnail within is a picture of its own, and passed over with its segment.
                        let length = usize::from(u16::from_be_bytes([high, low]));
                        if rest.len() < 2 + length {
                            return None;
                        }
                        self.sound = self.at + 2;
                        self.at += 2 + length;
                        if marker == START_OF_SCAN {
                            // No picture begins within the data, which may be long.
                            self.sound = self.at;
                            self.place = Place::Data;
                        }
                    }
                    [0xff, ..] | [] => return None,
                    // This was no picture. One may begin within what seemed to be its last segment.
                    _ => self.begin_again(),
                },
                Place::Data => {
                    let is_marker = |pair: &[u8]| pair[0] == 0xff && pair[1] != 0 && !RESTARTS.contains(&pair[1]);
                    match rest.windows(2).position(is_marker) {
                        Some(found) => {
                            self.at += found;
                            self.place = Place::Marker;
                        }
                        None => {
                            self.at += rest.len().saturating_sub(1);
                            return None;
                        }
                    }
                }
            }
        }
    }

    fn begin_again(&mut self) {
        self.at = self.sound;
        self.begin = self.at;
        self.place = Place::Between;
    }

    fn is_between(&self) -> bool {
        self.place == Place::Between
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A picture with a thumbnail in it, a filled marker, a restart, and an escaped 255.
    fn picture(number: u8) -> Vec<u8> {
        let thumbnail = [0xff, 0xd8, 0xff, 0xd9];
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1, 0, 2 + thumbnail.len() as u8];
        bytes.extend(thumbnail);
        bytes.extend([
            0xff, 0xff, 0xda, 0, 3, number, 1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xc4, 0, 3, 7,
        ]);
        bytes.extend([0xff, 0xda, 0, 2, 9, 0xff, 0xd9]);
        bytes
    }

    fn found(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut scanner = Scanner::default();
        let mut found = Vec::new();
        for piece in pieces {
            scanner.bytes.extend_from_slice(piece);
            while let Some(picture) = scanner.picture() {
                found.push(picture);
            }
        }
        found
    }

    #[test]
    fn every_picture_is_found_and_what_is_between_is_left_out() {
        let stream = [
            b"--b\r\n\r\n\xff".to_vec(),
            picture(1),
            picture(2),
            b"\xff\xd8 no".to_vec(),
            picture(3),
        ]
        .concat();
        assert_eq!(found(&[&stream]), [picture(1), picture(2), picture(3)]);
    }

    #[test]
    fn half_a_picture_is_none() {
        let whole = picture(1);
        for length in 0..whole.len() {
            assert_eq!(found(&[&whole[..length]]), Vec::<Vec<u8>>::new(), "{length}");
        }
    }

    #[test]
    fn what_only_begins_like_a_picture_hides_none() {
        let stream = [vec![0xff, 0xd8, 0xff, 0xd8, 0xff, 0xe0, 0, 2, 7, 7], picture(4)].concat();
        assert_eq!(found(&[&stream]), [picture(4)]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(numbers in prop::collection::vec(any::<u8>(), 0..4), cuts in prop::collection::vec(0usize..200, 0..6)) {
            let stream: Vec<u8> = numbers.iter().flat_map(|number| [b"between".to_vec(), picture(*number)].concat()).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.sort_unstable();
            let ends = cuts.iter().copied().chain([stream.len()]);
            let mut start = 0;
            let pieces: Vec<&[u8]> = ends.map(|end| &stream[std::mem::replace(&mut start, end)..end]).collect();
            let pictures: Vec<Vec<u8>> = numbers.iter().map(|number| picture(*number)).collect();
            prop_assert_eq!(found(&pieces), pictures);
        }

        #[test]
        fn no_bytes_make_it_panic_or_loop(bytes in prop::collection::vec(prop::sample::select(vec![0u8, 1, 0xd0, 0xd8, 0xd9, 0xda, 0xff]), 0..300)) {
            for picture in found(&[&bytes]) {
                prop_assert!(picture.starts_with(BEGINNING) && picture.ends_with(&[0xff, END_OF_IMAGE]));
            }
        }
    }
}
