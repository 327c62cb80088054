//! docs/pulling.md, pictures: `GET /mjpeg/{id}` as an `<img>` reads it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use crate::harness::wire::{add, numbers};
use crate::harness::{End, Followed, PATIENCE, Store};

/// What begins every picture, and makes it a JPEG.
const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0];

fn picture(number: usize, size: usize) -> Vec<u8> {
    let mut picture = [JPEG, number.to_string().as_bytes()].concat();
    picture.resize(picture.len().max(size), b'.');
    picture
}

/// The boundary that a reply of pictures announces.
#[track_caller]
fn boundary(pictures: &Followed) -> String {
    let kind = pictures.head.header("content-type").expect("a content type");
    let boundary = kind.strip_prefix("multipart/x-mixed-replace; boundary=");
    boundary.unwrap_or_else(|| panic!("{kind}")).to_owned()
}

/// A reply of pictures up to its first boundary.
#[track_caller]
pub fn open(store: &Store, path: &str) -> Followed {
    let mut pictures = store.follow(path, &[]);
    let first = format!("--{}\r", boundary(&pictures));
    assert_eq!(pictures.line(), first);
    pictures
}

/// The next picture, and the boundary behind it: only then does a browser show it.
#[track_caller]
pub fn next(pictures: &mut Followed) -> Vec<u8> {
    assert_eq!(pictures.line(), "Content-Type: image/jpeg\r");
    let line = pictures.line();
    let length = line
        .strip_prefix("Content-Length: ")
        .and_then(|rest| rest.trim().parse().ok());
    let length: usize = length.unwrap_or_else(|| panic!("no length: {line:?}"));
    assert_eq!(pictures.line(), "\r");
    let picture = pictures.bytes(length);
    let behind = format!("--{}\r", boundary(pictures));
    assert_eq!((pictures.line(), pictures.line()), ("\r".into(), behind));
    picture
}

#[test]
fn each_picture_comes_with_the_boundary_right_behind_it() {
    let store = Store::start();
    store.add("cam", &[&picture(0, 0), &picture(1, 0)]);
    let mut pictures = open(&store, "/mjpeg/cam");
    assert_eq!(next(&mut pictures), picture(1, 0));
    for (n, size) in [0, 3, 16_383, 16_384, 100_000, 3 << 20, 5].into_iter().enumerate() {
        store.add("cam", &[&picture(n, size)]);
        assert!(next(&mut pictures) == picture(n, size), "{size}");
    }
}

#[test]
fn what_is_no_jpeg_is_left_out() {
    let store = Store::start();
    let mut pictures = open(&store, "/mjpeg/cam?last_entry_id=$");
    for (n, odd) in [&b""[..], b"\xff\xd8", b"\x89PNG", b"{\"n\":1}", b"--ptg-store-frame"]
        .into_iter()
        .enumerate()
    {
        store.add("cam", &[odd]);
        store.add("cam", &[&picture(n, 0)]);
        assert_eq!(next(&mut pictures), picture(n, 0));
    }
}

#[test]
fn a_browser_that_is_slow_sees_fewer_pictures_and_never_older_ones() {
    let store = Store::start();
    let mut pictures = open(&store, "/mjpeg/cam?last_entry_id=first");
    let number = |picture: &[u8]| -> usize {
        let digits = picture[JPEG.len()..]
            .split(|byte| *byte == b'.')
            .next()
            .expect("digits");
        std::str::from_utf8(digits).expect("digits").parse().expect("a number")
    };
    // 40 MB, far more than the network takes ahead.
    for n in 0..400 {
        store.add("cam", &[&picture(n, 100_000)]);
    }
    let mut seen = vec![number(&next(&mut pictures))];
    while seen.last() != Some(&399) {
        seen.push(number(&next(&mut pictures)));
    }
    assert!(seen.is_sorted() && seen.len() < 200, "{seen:?}");
}

#[test]
fn where_it_begins_and_how_fast_it_goes_can_be_said() {
    let store = Store::start();
    let pictures: Vec<Vec<u8>> = (0..5).map(|n| picture(n, 0)).collect();
    let added = add(&store.redis, "cam", &pictures);
    for from in [
        "",
        "&last_entry_id=first",
        "&last_entry_id=-1h",
        &format!("&last_entry_id={}", added[1].0),
        "&max_rate=5",
    ] {
        let mut shown = open(&store, &format!("/mjpeg/cam?timeout=300{from}"));
        assert_eq!(next(&mut shown), picture(4, 0), "{from}");
        shown.ends(End::Whole);
    }
    for from in ["$", &added[4].0] {
        open(&store, &format!("/mjpeg/cam?timeout=300&last_entry_id={from}")).ends(End::Whole);
    }
}

#[test]
fn a_plus_is_a_part_of_the_cameras_name() {
    let store = Store::start();
    store.add("a+b", &[&picture(7, 0)]);
    for path in ["/mjpeg/a+b", "/mjpeg/a%2Bb", "/mjpeg/a+b/", "/v2/mjpeg/a+b"] {
        assert_eq!(next(&mut open(&store, path)), picture(7, 0), "{path}");
    }
}

#[test]
fn a_camera_that_is_not_there_yet_is_waited_for() {
    let store = Store::start();
    let mut pictures = open(&store, "/mjpeg/cam");
    add(&store.redis, "cam", &numbers(0..10));
    store.add("cam", &[&picture(1, 0)]);
    assert_eq!(next(&mut pictures), picture(1, 0));
}

#[test]
fn a_name_that_is_none_is_422() {
    let store = Store::start();
    for bad in ["XMETA:a", "a%00", "a%2Fb", "%ff"] {
        assert_eq!(store.get(&format!("/mjpeg/{bad}")).faults()[0].0, "stream_id", "{bad}");
    }
    store.get("/mjpeg").expect(404);
    store.get("/mjpeg/").expect(404);
}

#[test]
fn a_stream_without_pictures_is_as_silent_as_none_and_costs_no_picture_its_turn() {
    let store = Store::start();
    let (over, begun) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) && begun.elapsed() < 2 * PATIENCE {
                store.add("cam", &[b"no picture"]);
            }
        });
        open(&store, "/mjpeg/cam?timeout=300").ends(End::Whole);
        open(&store, "/mjpeg/cam?timeout=300&max_rate=0.5").ends(End::Whole);
        over.store(true, Relaxed);
    });
}

#[test]
fn until_ends_the_pictures() {
    let store = Store::start();
    let nothing = store.get("/mjpeg/cam?until=latest").expect(200);
    assert!(!nothing.text().contains("image/jpeg"), "{nothing:?}");
    store.add("cam", &[&picture(0, 0), &picture(1, 0)]);
    let newest = store.get("/mjpeg/cam?until=latest").expect(200);
    let holds = |wanted: &[u8]| newest.body.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(&picture(1, 0)) && !holds(&picture(0, 0)), "{newest:?}");
}
