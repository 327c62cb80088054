//! Who is waited for, and whose word counts.

use super::*;

fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

fn known(retentions: &Retentions, stream: &StreamId) -> Option<u64> {
    let known = lock(&retentions.of_streams);
    known.get(stream)?.max_len.map(|(max_len, _)| max_len)
}

#[test]
fn whoever_writes_with_what_was_known_before_a_change_is_waited_for_and_nobody_else() {
    let retentions = Retentions::default();
    let streams = [stream("a"), stream("b")];
    let before = retentions.begin(&streams);
    for (stream, version) in streams.iter().zip(&before) {
        retentions.learn(stream, *version, 5, Instant::now());
    }
    assert_eq!(retentions.take(&streams, &before), Some(vec![5, 5]));
    let begun = retentions.begin_change(&streams[0]);
    retentions.end_change(&streams[0], begun, Change::To(9));
    let after = retentions.begin(&streams);
    assert_eq!(retentions.take(&streams, &after), Some(vec![9, 5]));
    std::thread::scope(|scope| {
        let settled = scope.spawn(|| retentions.settle(&streams[0]));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!settled.is_finished());
        retentions.end(&streams, &before, true);
        assert!(settled.join().unwrap());
    });
    assert!(retentions.settle(&streams[1]));
    retentions.end(&streams, &after, true);
    let known = lock(&retentions.of_streams);
    assert!(
        known
            .values()
            .all(|retention| retention.writers + retention.outdated + retention.holders == 0)
    );
}

#[test]
fn whoever_still_asks_is_not_waited_for_and_does_not_write_with_what_was_before() {
    let retentions = Retentions::default();
    let streams = [stream("a")];
    let asking = retentions.begin(&streams);
    retentions.learn(&streams[0], asking[0], 5, Instant::now());
    let begun = retentions.begin_change(&streams[0]);
    retentions.end_change(&streams[0], begun, Change::To(9));
    let waited = Instant::now();
    assert!(retentions.settle(&streams[0]) && waited.elapsed() < Duration::from_secs(1));
    assert_eq!(retentions.take(&streams, &asking), None);
    retentions.end(&streams, &asking, false);
    let anew = retentions.begin(&streams);
    assert_eq!(retentions.take(&streams, &anew), Some(vec![9]));
}

#[test]
fn what_was_asked_before_a_change_is_not_learned_after_it() {
    let retentions = Retentions::default();
    let streams = [stream("a")];
    for (change, then) in [(Change::To(9), Some(9)), (Change::Unknown, None)] {
        let asked = Instant::now();
        let version = retentions.begin(&streams)[0];
        let begun = retentions.begin_change(&streams[0]);
        retentions.end_change(&streams[0], begun, change);
        retentions.learn(&streams[0], version, 1, asked);
        assert_eq!(known(&retentions, &streams[0]), then);
        retentions.end(&streams, &[version], false);
    }
    // Nor what was asked before something that is known.
    let asked = Instant::now();
    let version = retentions.begin(&streams)[0];
    retentions.learn(&streams[0], version, 2, Instant::now());
    retentions.learn(&streams[0], version, 1, asked);
    assert_eq!(known(&retentions, &streams[0]), Some(2));
}

#[test]
fn of_two_changes_at_once_only_redis_knows_which_was_last() {
    let retentions = Retentions::default();
    let stream = stream("a");
    let (first, second) = (retentions.begin_change(&stream), retentions.begin_change(&stream));
    retentions.end_change(&stream, second, Change::To(2));
    retentions.end_change(&stream, first, Change::To(1));
    assert_eq!(known(&retentions, &stream), None);
    let third = retentions.begin_change(&stream);
    retentions.end_change(&stream, third, Change::To(3));
    let refused = retentions.begin_change(&stream);
    retentions.end_change(&stream, refused, Change::Nothing);
    assert_eq!(known(&retentions, &stream), Some(3));
    assert_eq!(lock(&retentions.of_streams)[&stream].holders, 0);
}

#[test]
fn what_is_remembered_has_a_limit_whoever_asks_and_whoever_changes() {
    let retentions = Retentions::default();
    let kept = [stream("kept")];
    let version = retentions.begin(&kept);
    for number in 0..3 * MOST_REMEMBERED {
        let streams = [stream(&number.to_string())];
        let versions = retentions.begin(&streams);
        retentions.learn(&streams[0], versions[0], 1, Instant::now());
        retentions.end(&streams, &versions, false);
    }
    for number in 0..3 * MOST_REMEMBERED {
        let stream = stream(&format!("changed {number}"));
        let begun = retentions.begin_change(&stream);
        retentions.end_change(&stream, begun, Change::To(1));
    }
    let known = lock(&retentions.of_streams);
    assert!(known.len() <= MOST_REMEMBERED + 1 && known.contains_key(&kept[0]));
    drop(known);
    retentions.end(&kept, &version, false);
}

#[test]
fn nothing_stays_of_what_nobody_learned_anything_about() {
    let retentions = Retentions::default();
    let streams = [stream("a")];
    for change in [Change::Nothing, Change::Unknown] {
        let begun = retentions.begin_change(&streams[0]);
        retentions.end_change(&streams[0], begun, change);
        assert!(lock(&retentions.of_streams).is_empty());
    }
    let versions = retentions.begin(&streams);
    retentions.end(&streams, &versions, false);
    assert!(lock(&retentions.of_streams).is_empty());
}
