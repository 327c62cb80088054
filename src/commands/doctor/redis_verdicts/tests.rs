//! Verdicts over what real servers said (`samples/`), and over what none should say.

use super::*;
use crate::client::shell::program;
use crate::commands::doctor::finding::Verdict::{self, NotChecked, Ok, Warning, Wrong};
use proptest::prelude::*;
use redis::IntoConnectionInfo;

const REDIS_6_2: &str = include_str!("../samples/redis-6.2.txt");
const REDIS_7_0: &str = include_str!("../samples/redis-7.0.txt");
const VALKEY_8_1: &str = include_str!("../samples/valkey-8.1.txt");

/// What Redis 7.2 says otherwise than 7.0, as far as it matters here.
const REDIS_7_2: &str = "redis_version:7.2.4\nlistener0:name=tcp,bind=127.0.0.1,bind=-::1,port=6789\n";

/// `CONFIG GET` of the Redis that the store starts.
fn durable() -> Settings {
    Settings {
        dir: None,
        appendfsync: Some("everysec".into()),
        save: Some(String::new()),
        stop_writes_on_bgsave_error: Some("yes".into()),
    }
}

fn cli() -> RedisCli {
    RedisCli::new(&"redis://127.0.0.1:6789".into_connection_info().unwrap())
}

/// A real reply in which some values are others.
fn info(sample: &str, changes: &[(&str, &str)]) -> Info {
    let mut text = sample.to_string();
    for (name, value) in changes {
        text += &format!("{name}:{value}\r\n");
    }
    Info::parse(&text)
}

fn of_7_0(changes: &[(&str, &str)]) -> Info {
    info(REDIS_7_0, changes)
}

fn of_7_2(changes: &[(&str, &str)]) -> Info {
    info(&format!("{REDIS_7_0}\n{REDIS_7_2}"), changes)
}

#[track_caller]
fn assert_found(finding: &Finding, verdict: Verdict, words: &str) {
    assert_eq!(finding.verdict, verdict, "{finding:?}");
    assert!(finding.found.contains(words), "no {words:?}: {finding:?}");
}

fn commands(finding: &Finding) -> Vec<&str> {
    finding.commands().collect()
}

#[test]
fn versions_from_7_on_are_fine_and_6_2_does_not_count_gaps() {
    assert_found(&version(&info(REDIS_6_2, &[])), Warning, "6.2.5");
    assert_found(&version(&of_7_0(&[])), Ok, "Redis 7.0.15");
    assert_found(&version(&of_7_2(&[])), Ok, "Redis 7.2.4");
    assert_found(&version(&info(VALKEY_8_1, &[])), Ok, "Valkey 8.1.8");
    for old in ["2.8.1", "5.0.14", "6.0.16", "6.1"] {
        assert_found(&version(&of_7_0(&[("redis_version", old)])), Wrong, "too old");
    }
    for new in ["8.0.0", "10.4.1", "255.255.255"] {
        assert_found(&version(&of_7_0(&[("redis_version", new)])), Ok, new);
    }
    for odd in ["unstable", "7", "", "7.x"] {
        assert_eq!(version(&of_7_0(&[("redis_version", odd)])).verdict, Warning, "{odd:?}");
    }
}

#[test]
fn a_redis_that_loads_or_follows_another_cannot_be_pushed_to() {
    let loading = of_7_0(&[("loading", "1"), ("loading_loaded_perc", "43.20")]);
    assert_found(&version(&loading), Wrong, "43.20 %");
    let replica = of_7_0(&[("role", "slave"), ("master_host", "10.0.0.2"), ("master_port", "6379")]);
    assert_found(&version(&replica), Wrong, "10.0.0.2:6379");
    let mend = format!("{} --redis redis://10.0.0.2:6379", program());
    assert_eq!(commands(&version(&replica)), [mend]);
}

#[test]
fn memory_is_held_against_its_limit() {
    let of = |used: &str, limit: &str| memory(&of_7_0(&[("used_memory", used), ("maxmemory", limit)]), &cli());
    assert_found(&of("300000000", "1073741824"), Ok, "28 %");
    assert_found(&of("900000000", "1073741824"), Warning, "little is left");
    assert_found(&of("1073741824", "1073741824"), Wrong, "refused");
    assert_found(&of("9000000000", "1"), Wrong, "refused");
    // The sample's machine has 23.5 GiB.
    assert_eq!(
        commands(&of("1073741824", "1073741824")),
        ["redis-cli -p 6789 config set maxmemory 8192mb"]
    );
    assert_found(&of("1", "99999999999999"), Warning, "the machine has only 23.5 GiB");
    for sample in [REDIS_6_2, REDIS_7_0, VALKEY_8_1] {
        assert_found(&memory(&info(sample, &[]), &cli()), Warning, "without a limit");
    }
}

#[test]
fn whoever_does_not_refuse_forgets() {
    let of = |value: &str| policy(&of_7_0(&[("maxmemory_policy", value)]), &cli());
    for value in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
        assert_found(&of(value), Wrong, value);
        assert_eq!(
            commands(&of(value)),
            ["redis-cli -p 6789 config set maxmemory-policy noeviction"]
        );
    }
    assert_found(&of("volatile-ttl"), Warning, "expiry");
    for sample in [REDIS_6_2, REDIS_7_0, VALKEY_8_1] {
        assert_found(&policy(&info(sample, &[]), &cli()), Ok, "noeviction");
    }
    let late = of_7_0(&[("evicted_keys", "12")]);
    assert_found(&policy(&late, &cli()), Warning, "12 keys");
    assert_found(&of(""), NotChecked, "maxmemory_policy");
}

#[test]
fn what_is_mended_is_also_kept_where_there_is_a_file() {
    let info = of_7_0(&[
        ("maxmemory_policy", "allkeys-lru"),
        ("config_file", "/etc/redis/redis.conf"),
    ]);
    let mend = policy(&info, &cli());
    assert_eq!(commands(&mend)[1..], ["redis-cli -p 6789 config rewrite"]);
}

#[test]
fn persistence_tells_what_a_crash_costs() {
    let with = |changes: &[(&str, &str)], settings: &Settings| persistence(&of_7_0(changes), settings, &cli());
    for sample in [REDIS_6_2, REDIS_7_0, VALKEY_8_1] {
        assert_found(&persistence(&info(sample, &[]), &durable(), &cli()), Ok, "a second");
    }
    let settings = |appendfsync: &str, save: &str| Settings {
        appendfsync: Some(appendfsync.into()),
        save: Some(save.into()),
        ..durable()
    };
    assert_found(&with(&[], &settings("always", "")), Ok, "survives");
    assert_found(&with(&[], &settings("no", "")), Warning, "half a minute");
    assert_found(&with(&[], &Settings::default()), Ok, "unknown");
    let off = with(&[("aof_enabled", "0")], &settings("everysec", ""));
    assert_found(&off, Warning, "appendonly no");
    assert!(off.found.contains("all streams"), "{off:?}");
    assert_eq!(commands(&off), ["redis-cli -p 6789 config set appendonly yes"]);
    assert_found(
        &with(&[("aof_enabled", "0")], &settings("everysec", "3600 1")),
        Warning,
        "save 3600 1",
    );
}

#[test]
fn a_disk_that_cannot_be_written_to_is_wrong() {
    let with = |changes: &[(&str, &str)], settings: &Settings| persistence(&of_7_0(changes), settings, &cli());
    assert_found(&with(&[("aof_last_write_status", "err")], &durable()), Wrong, "MISCONF");
    assert_found(
        &with(&[("aof_last_bgrewrite_status", "err")], &durable()),
        Warning,
        "rewrite",
    );
    let failed = [("rdb_last_bgsave_status", "err")];
    let snapshots = Settings {
        save: Some("3600 1".into()),
        ..durable()
    };
    assert_found(&with(&failed, &snapshots), Wrong, "MISCONF");
    let lenient = Settings {
        stop_writes_on_bgsave_error: Some("no".into()),
        ..snapshots
    };
    assert_found(&with(&failed, &lenient), Warning, "snapshot");
    // Nobody relies on snapshots that are not wanted any more.
    assert_eq!(with(&failed, &durable()).verdict, Ok);
}

#[test]
fn connections_are_held_against_what_a_store_may_need() {
    let of = |connected: &str, most: &str| {
        clients(
            &of_7_0(&[("connected_clients", connected), ("maxclients", most)]),
            None,
            1040,
            &cli(),
        )
    };
    assert_found(&of("9", "10000"), Ok, "9 connected, of at most 10000");
    assert_found(&of("9", "1000"), Warning, "1040");
    assert_found(&of("8500", "10000"), Warning, "few are left");
    assert_found(&of("10000", "10000"), Wrong, "refused");
    let turned_away = of_7_0(&[("rejected_connections", "3")]);
    assert_found(&clients(&turned_away, None, 1040, &cli()), Ok, "3 were turned away");
    let silent = Info::parse("connected_clients:9\n");
    assert_eq!(clients(&silent, None, 1040, &cli()).verdict, NotChecked);
    assert_eq!(clients(&silent, Some(10_000), 1040, &cli()).verdict, Ok);
    assert_eq!(clients(&silent, Some(0), 1040, &cli()).verdict, NotChecked);
}

#[test]
fn a_server_that_tells_nothing_is_not_judged() {
    for info in [Info::default(), Info::parse("HTTP/1.1 400 Bad Request\r\n\r\n<html>")] {
        assert_eq!(version(&info).verdict, Warning);
        assert_eq!(memory(&info, &cli()).verdict, NotChecked);
        assert_eq!(policy(&info, &cli()).verdict, NotChecked);
        assert_eq!(persistence(&info, &durable(), &cli()).verdict, NotChecked);
        assert_eq!(clients(&info, None, 1040, &cli()).verdict, NotChecked);
    }
}

proptest! {
    #[test]
    fn no_values_make_a_judge_panic(
        values in proptest::collection::vec((0usize..14, "[0-9]{0,21}|-?[a-z.]{0,9}"), 0..14)
    ) {
        const NAMES: [&str; 14] = [
            "redis_version", "valkey_version", "loading", "role", "used_memory", "maxmemory", "total_system_memory",
            "maxmemory_policy", "evicted_keys", "aof_enabled", "rdb_last_bgsave_status", "connected_clients", "maxclients",
            "rejected_connections",
        ];
        let changes: Vec<(&str, &str)> = values.iter().map(|(name, value)| (NAMES[*name], value.as_str())).collect();
        let info = of_7_0(&changes);
        version(&info);
        memory(&info, &cli());
        policy(&info, &cli());
        persistence(&info, &durable(), &cli());
        clients(&info, None, 1040, &cli());
    }
}
