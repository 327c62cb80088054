//! What `GET /activity` judges: which streams are alive, by their own rhythm and whoever looks, and how Redis is.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{PATIENCE, Redis, Store, eventually};

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).expect("a time after 1970")
}

/// Adds entries as other programs do, so many seconds ago each.
fn add_at(redis: &Redis, stream: &str, seconds_ago: impl IntoIterator<Item = u64>) {
    let now = now_ms();
    let mut pipe = redis::pipe();
    for ago in seconds_ago {
        pipe.cmd("XADD")
            .arg(stream)
            .arg(format!("{}-*", now - ago * 1000))
            .arg("d")
            .arg("x")
            .ignore();
    }
    pipe.exec(&mut redis.connection())
        .expect("entries with ids of the past");
}

/// What `/activity` says of all streams, freshly looked at.
fn fresh(store: &Store) -> Value {
    let asked = jiff::Timestamp::now();
    let mut all = Value::Null;
    eventually(PATIENCE, || {
        all = store.get("/activity").expect(200).json();
        let time: jiff::Timestamp = all["time"].as_str().and_then(|time| time.parse().ok()).expect("a time");
        time >= asked
    });
    all
}

fn states(store: &Store, streams: &[&str]) -> Vec<String> {
    let all = fresh(store);
    let all = all["streams"].as_array().expect("a list");
    let state = |stream: &&str| {
        let found = all.iter().find(|one| one["id"] == *stream);
        found
            .map_or("none", |found| found["state"].as_str().expect("a state"))
            .to_string()
    };
    streams.iter().map(state).collect()
}

/// From this many seconds ago to another, an entry each second.
fn every_second(from: u64, to: u64) -> impl Iterator<Item = u64> {
    (to..=from).rev()
}

#[test]
fn a_store_that_never_looked_before_tells_who_is_live_late_and_silent() {
    let store = Store::start();
    let redis = &store.redis;
    add_at(redis, "live", every_second(20, 0));
    add_at(redis, "late", every_second(30, 8));
    add_at(redis, "silent", every_second(60, 30));
    add_at(redis, "overnight", every_second(12 * 3600, 12 * 3600 - 20));
    add_at(redis, "last week", every_second(7 * 24 * 3600, 7 * 24 * 3600 - 20));
    add_at(redis, "slow", (0..9).rev().map(|minute| minute * 60 + 120));
    add_at(redis, "by hand", [9000, 4000, 90]);
    add_at(redis, "just now", [0]);
    store.put("/streams/empty").expect(200);
    let expected = [
        ("live", "live"),
        ("late", "late"),
        ("silent", "silent"),
        ("overnight", "silent"),
        ("last week", "idle"),
        ("slow", "live"),
        ("by hand", "idle"),
        ("just now", "live"),
        ("empty", "idle"),
    ];
    let (streams, wanted): (Vec<&str>, Vec<&str>) = expected.into_iter().unzip();
    assert_eq!(states(&store, &streams), wanted);
    // Another store on the same Redis, or the same one after a restart, thinks the same.
    let other = Store::on(redis, &[]);
    assert_eq!(states(&other, &streams), wanted);
}

#[test]
fn ten_seconds_of_life_after_a_long_pause_count_by_their_own_rhythm() {
    let store = Store::start();
    let pause = 1200;
    add_at(
        &store.redis,
        "s",
        every_second(60 + pause, 40 + pause).chain(every_second(40, 31)),
    );
    add_at(
        &store.redis,
        "slow before",
        (1..10)
            .rev()
            .map(|minute| minute * 60 + pause)
            .chain(every_second(40, 31)),
    );
    assert_eq!(states(&store, &["s", "slow before"]), ["silent", "silent"]);
}

#[test]
fn a_stream_is_judged_while_it_is_looked_at_though_it_keeps_but_one_entry() {
    let store = Store::start();
    store.put("/streams/short?max_len=1").expect(200);
    let begun = Instant::now();
    // What trims it leaves nothing to look back on, so this rhythm is only known from looks.
    eventually(Duration::from_secs(20), || {
        store
            .redis
            .command::<String>(&["XADD", "short", "MAXLEN", "1", "*", "d", "x"]);
        assert_eq!(states(&store, &["short"]), ["live"]);
        begun.elapsed() > Duration::from_secs(7)
    });
    eventually(Duration::from_secs(12), || states(&store, &["short"]) == ["late"]);
    eventually(Duration::from_secs(20), || states(&store, &["short"]) == ["silent"]);
}

#[test]
fn streams_with_chosen_ids_live_by_when_their_entries_came() {
    let store = Store::start();
    let far = now_ms() + 3_600_000;
    let ids = |step: u64| {
        [
            format!("{step}-0"),
            format!("{}-0", 1_650_000_000_000 + step),
            format!("{}-0", far + step),
        ]
    };
    let streams = ["counts", "replayed", "ahead"];
    let add = |step: u64| {
        for (stream, id) in streams.iter().zip(ids(step)) {
            store.redis.command::<String>(&["XADD", stream, &id, "d", "x"]);
        }
    };
    add(20);
    assert_eq!(states(&store, &streams), ["idle", "idle", "idle"]);
    add(21);
    assert_eq!(states(&store, &streams), ["live", "live", "live"]);
    eventually(Duration::from_secs(15), || {
        states(&store, &streams) == ["idle", "idle", "idle"]
    });
}

#[test]
fn a_stream_that_began_anew_has_no_rhythm_of_before() {
    let store = Store::start();
    add_at(&store.redis, "s", every_second(60, 30));
    assert_eq!(states(&store, &["s"]), ["silent"]);
    store.delete("/streams/s").expect(200);
    assert_eq!(states(&store, &["s"]), ["none"]);
    add_at(&store.redis, "s", [50]);
    assert_eq!(states(&store, &["s"]), ["idle"]);
    // Deleted and begun anew between two looks.
    add_at(&store.redis, "t", every_second(60, 30));
    assert_eq!(states(&store, &["t"]), ["silent"]);
    store.redis.command::<()>(&["DEL", "t"]);
    add_at(&store.redis, "t", [50]);
    assert_eq!(states(&store, &["t"]), ["idle"]);
}

#[test]
fn deleting_the_newest_entry_is_no_sign_of_life() {
    let store = Store::start();
    add_at(&store.redis, "s", every_second(60, 30));
    assert_eq!(states(&store, &["s"]), ["silent"]);
    let newest = fresh(&store)["streams"][0]["newest_id"]
        .as_str()
        .expect("an id")
        .to_string();
    assert_eq!(store.redis.command::<u64>(&["XDEL", "s", &newest]), 1);
    assert_eq!(states(&store, &["s"]), ["silent"]);
}

#[test]
fn looking_for_a_rhythm_copies_few_large_entries() {
    let store = Store::start();
    let large = "x".repeat(3 << 20);
    let now = now_ms();
    for ago in every_second(40, 20) {
        let id = format!("{}-*", now - ago * 1000);
        store.redis.command::<String>(&["XADD", "film", &id, "d", &large]);
    }
    store.redis.command::<()>(&["CONFIG", "RESETSTAT"]);
    fresh(&store);
    let stats: String = store.redis.command(&["INFO", "commandstats"]);
    let looked = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_xrevrange:calls="));
    let looked: u64 = looked
        .and_then(|rest| rest.split(',').next()?.parse().ok())
        .unwrap_or(0);
    assert_eq!(looked, 1, "{stats}");
}

#[test]
fn a_look_says_as_of_when_it_is_and_how_long_it_serves() {
    let store = Store::start();
    let first = fresh(&store);
    let time =
        |value: &Value| -> jiff::Timestamp { value.as_str().and_then(|time| time.parse().ok()).expect("a time") };
    assert!(time(&first["now"]) >= time(&first["time"]));
    let max_age = first["max_age"].as_f64().expect("seconds");
    assert!((0.9..=5.0).contains(&max_age), "{max_age}");
    // The same look, told later.
    let second = store.get("/activity").expect(200).json();
    assert_eq!(second["time"], first["time"]);
    assert!(time(&second["now"]) > time(&first["now"]));
}

#[test]
fn whoever_changes_something_sees_it_at_once_and_a_flood_costs_no_more_looks_than_before() {
    let store = Store::start();
    let lists = |stream: &str| -> Option<u64> {
        let all = store.get("/activity").expect(200).json();
        let all = all["streams"].as_array().expect("a list").clone();
        let found = all.iter().find(|one| one["id"] == stream)?;
        Some(found["entries"].as_u64().expect("a number"))
    };
    assert_eq!(lists("s"), None);
    store.put("/streams/s").expect(200);
    assert_eq!(lists("s"), Some(0));
    store.add("s", &[b"x", b"y"]);
    assert_eq!(lists("s"), Some(2));
    store.delete("/streams/s").expect(200);
    assert_eq!(lists("s"), None);
    // Both kinds of changes in turn, each of them asked after.
    let begun = Instant::now();
    let mut times = std::collections::BTreeSet::new();
    for _ in 0..60 {
        store.add("t", &[b"x"]);
        store.put("/streams/t?override=true&desc=x").expect(200);
        let told = store.get("/activity").expect(200).json();
        times.insert(told["time"].as_str().expect("a time").to_owned());
    }
    let most = 12 + 2 * begun.elapsed().as_millis() as usize / 900;
    assert!(
        times.len() > 1 && times.len() <= most && most < 60,
        "{} of {most}",
        times.len()
    );
}

#[test]
fn a_redis_that_hangs_is_told_within_two_seconds_with_when_it_last_answered() {
    let store = Store::start();
    store.add("s", &[b"entry"]);
    assert_eq!(fresh(&store)["redis"]["state"], "well");
    let stopped = jiff::Timestamp::now();
    store.redis.pause();
    let begun = Instant::now();
    let mut answer = store.get("/activity");
    eventually(PATIENCE, || {
        answer = store.get("/activity");
        answer.status == 503
    });
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let told = answer.json();
    assert_eq!(told["redis"]["state"], "away", "{told}");
    assert_eq!(told["redis"]["detail"], told["detail"]);
    let since = |told: &Value| -> jiff::Timestamp {
        let since = told["redis"]["since"].as_str();
        since.and_then(|since| since.parse().ok()).expect("a time")
    };
    // Once a second it is asked, and the last answer counts, not when it was missed.
    let apart = since(&told).duration_since(stopped).as_millis();
    assert!((-2000..300).contains(&apart), "{apart} ms");
    // It stays that time, however long it lasts, and whoever finds out.
    eventually(PATIENCE, || store.get("/ping").status == 503);
    let later = store.get("/activity").expect(503).json();
    let apart = since(&later).duration_since(stopped).as_millis();
    assert!((-2000..300).contains(&apart), "{apart} ms");
    assert_eq!(later["redis"]["state"], "away");
    store.redis.resume();
    eventually(PATIENCE, || store.get("/activity").status == 200);
    eventually(PATIENCE, || fresh(&store)["redis"]["state"] == "well");
}

#[test]
fn a_full_redis_is_told_with_its_numbers_and_still_answers() {
    let store = Store::start();
    store.add("s", &[b"entry"]);
    let redis = |word: &str| {
        let mut told = Value::Null;
        eventually(PATIENCE, || {
            told = fresh(&store)["redis"].clone();
            told["state"] == word
        });
        told
    };
    let well = redis("well");
    assert_eq!(
        (&well["detail"], &well["since"], &well["maxmemory"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let used = well["used_memory"].as_u64().expect("a number");
    let limit = (used / 2).to_string();
    store.redis.command::<()>(&["CONFIG", "SET", "maxmemory", &limit]);
    let full = redis("full");
    let detail = full["detail"].as_str().expect("a sentence");
    assert!(
        detail.starts_with("Redis is full: ") && detail.contains(" MiB are used ("),
        "{detail}"
    );
    assert!(full["since"].is_string() && full["maxmemory"] == used / 2, "{full}");
    // Answering is what a ping is about, and reads are served.
    store.get("/ping").expect(200);
    store.get("/data/s").expect(200);
    assert_eq!(store.metric("ptg_redis_up"), 0.0);
    let nearly = (used * 103 / 100).to_string();
    store.redis.command::<()>(&["CONFIG", "SET", "maxmemory", &nearly]);
    redis("nearly_full");
    store
        .redis
        .command::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    redis("well");
    store.redis.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    redis("well");
    assert_eq!(store.metric("ptg_redis_up"), 1.0);
}

#[test]
fn a_redis_that_may_not_be_asked_about_itself_has_no_numbers() {
    let redis = Redis::start();
    let url = redis.url_of_lab(&["~*", "+@all", "-info"]);
    let store = Store::at(&url, &redis, &[]);
    let told = fresh(&store)["redis"].clone();
    assert_eq!((&told["state"], &told["used_memory"]), (&"well".into(), &Value::Null));
}
