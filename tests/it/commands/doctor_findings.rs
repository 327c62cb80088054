//! What `ptg-store doctor` finds wrong, and what it says mends it.

use std::io::{Read, Write};
use std::net::TcpListener;

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::commands::doctor::{Bed, doctor, report, undisturbed};
use crate::harness::{DEVELOPMENT_KEY, PATIENCE, Program, Redis, Running, Shell, Store, eventually, take_turn};

#[test]
fn a_redis_that_forgets_is_wrong_and_the_command_mends_it() {
    let bed = Bed::healthy();
    bed.redis
        .command::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let report = bed.examine(&[]);
    report.assert_code(1).assert("redis policy", "WRONG", "allkeys-lru");
    let prefix = format!("redis-cli -p {} ", bed.redis.port());
    let mend = report.mend("redis policy");
    let words: Vec<&str> = mend[0]
        .strip_prefix(&prefix)
        .expect("its redis-cli")
        .split(' ')
        .collect();
    assert_eq!(words, ["config", "set", "maxmemory-policy", "noeviction"]);
    bed.redis.command::<()>(&words);
    bed.examine(&[])
        .assert_code(0)
        .assert("redis policy", "ok", "noeviction");
}

#[test]
fn a_redis_that_keeps_nothing_or_has_no_limit_is_told() {
    let bed = Bed::on(Redis::start());
    let report = bed.examine(&[]);
    report
        .assert_code(0)
        .assert("redis persistence", "warning", "appendonly no")
        .assert("redis memory", "warning", "without a limit");
    assert!(report.mend("redis persistence")[0].ends_with("config set appendonly yes"));
}

#[test]
fn a_full_redis_is_wrong_and_is_not_filled_further() {
    let bed = Bed::healthy();
    // An idle Redis uses less than this in one version and more in another.
    bed.redis.command::<()>(&["SETRANGE", "ballast", "2000000", "x"]);
    bed.redis.command::<()>(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let report = report(&mut bed.doctor(&[]));
    report
        .assert_code(1)
        .assert("redis memory", "WRONG", "of 1.0 MiB used")
        .assert("round trip", "WRONG", "memory")
        .assert("throughput 1 kB", "-", "not checked");
}

#[test]
fn tokens_that_are_bad_foreign_or_old_are_told_apart() {
    let bed = Bed::healthy();
    let foreign = signed("another key", &json!({ "sub": "ada", "exp": 4_000_000_000u64 }));
    let early = signed(DEVELOPMENT_KEY, &json!({ "sub": "ada", "nbf": 4_000_000_000u64 }));
    for (token, words) in [
        ("nonsense", "no token of a store"),
        (&foreign, "another store"),
        (&early, "not good yet"),
    ] {
        let report = bed.examine(&["--token", token]);
        report
            .assert_code(1)
            .assert("token", "WRONG", words)
            .assert("round trip", "-", "no token that the store takes")
            .assert("redis policy", "ok", "noeviction");
        assert!(report.mend("token")[0].contains("ptg-store login"), "{}", report.text);
        assert!(!report.text.contains(token), "{}", report.text);
    }
    let old = signed(DEVELOPMENT_KEY, &json!({ "sub": "ada", "exp": 1_652_545_719 }));
    let report = bed.examine(&["--token", &old]);
    report
        .assert_code(0)
        .assert("token", "warning", "expired")
        .assert("round trip", "", "from push");
    bed.examine(&["--token", "a\nb"])
        .assert_code(1)
        .assert("token", "WRONG", "characters");
}

#[test]
fn development_mode_that_faces_other_machines_is_told() {
    let redis = Redis::start();
    let store = Store::on(&redis, &["--listen", "0.0.0.0:0", "--insecure-dev-auth"]);
    let url = format!("http://127.0.0.1:{}", store.addr().port());
    let report = report(&mut doctor(&["--url", &url, "--redis", &redis.url(), "--quick"]));
    report
        .assert_code(0)
        .assert("sign-in", "warning", "other machines can reach it");
}

#[test]
fn where_nothing_listens_it_says_how_to_start_and_checks_the_rest() {
    let bed = Bed::healthy();
    let host = closed_port();
    let report = bed.examine(&["--url", &format!("http://{host}")]);
    report
        .assert_code(1)
        .assert("address", "WRONG", &host)
        .assert("store", "-", "not checked")
        .assert("redis policy", "ok", "noeviction")
        .assert("open files", "", "granted");
    let program = env!("CARGO_BIN_EXE_ptg-store");
    assert_eq!(report.mend("address"), [format!("{program} --listen {host}")]);
}

#[test]
fn without_a_redis_at_the_address_it_says_so() {
    let bed = Bed::healthy();
    let nowhere = closed_port();
    let report = bed.examine(&["--redis", &format!("redis://{nowhere}")]);
    report
        .assert_code(1)
        .assert("store's Redis", "ok", "answers")
        .assert("redis", "WRONG", &nowhere)
        .assert("redis policy", "-", "was not reached")
        .assert("round trip", "", "from push to pull");
}

#[test]
fn what_takes_connections_and_is_no_store_is_told() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("its address"));
    let redis = Redis::start();
    let look = || report(&mut doctor(&["--url", &url, "--redis", &redis.url(), "--quick"]));
    look()
        .assert_code(1)
        .assert("address", "ok", "open")
        .assert("store", "WRONG", "does not answer")
        .assert("round trip", "-", "no store answers");
    std::thread::spawn(move || {
        for stream in silent.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nServer: printer\r\nContent-Length: 2\r\n\r\n{}");
        }
    });
    let report = look();
    report.assert_code(1).assert("store", "WRONG", "Server printer");
}

#[test]
fn another_redis_than_the_stores_is_noticed_and_not_judged() {
    let bed = Bed::healthy();
    let other = Redis::start();
    let report = bed.examine(&["--redis", &other.url()]);
    report
        .assert_code(1)
        .assert("redis identity", "WRONG", "not the store's")
        .assert("redis policy", "-", "not the store's");
    bed.assert_clean();
    let keys: Vec<String> = other.command(&["KEYS", "*"]);
    assert!(keys.is_empty(), "{keys:?}");
}

#[test]
fn what_is_no_redis_is_called_so() {
    let bed = Bed::healthy();
    // A store speaks HTTP.
    let web = format!("redis://{}", bed.store.addr());
    bed.examine(&["--redis", &web])
        .assert("redis", "WRONG", "what listens there is no Redis");
}

#[test]
fn a_redis_of_the_stores_that_has_no_port_is_looked_for_in_its_folder() {
    // So that none is where doctor looks unless somebody names one.
    let _turn = take_turn();
    let bed = Bed::healthy();
    let nowhere = tempfile::tempdir().expect("a folder");
    let mut command = doctor(&["--quick", "--url", &bed.store.url(""), "--token", &bed.store.token]);
    command
        .env("PTG_STORE_DATA_DIR", nowhere.path())
        .env_remove("REDIS_URL");
    let report = report(&mut command);
    report.assert("redis", "-", "no port that doctor knows");
    report.assert("redis", "-", "ptg-store doctor --data-dir FOLDER finds");
    assert!(report.mend("redis")[0].starts_with("pgrep "), "{}", report.text);
}

#[test]
fn a_redis_that_hangs_is_wrong_and_ends_nothing() {
    let bed = Bed::healthy();
    bed.redis.pause();
    let report = bed.examine(&[]);
    bed.redis.resume();
    report
        .assert_code(1)
        .assert("store's Redis", "WRONG", "503")
        .assert("redis", "WRONG", "Redis")
        .assert("round trip", "-", "cannot work with its Redis");
}

#[test]
fn what_the_access_list_of_redis_hides_is_not_judged() {
    let bed = Bed::healthy();
    bed.redis.command::<()>(&[
        "ACL", "SETUSER", "guest", "on", ">guest", "~*", "+ping", "+time", "+xrange",
    ]);
    let url = format!("redis://guest:guest@127.0.0.1:{}", bed.redis.port());
    bed.examine(&["--redis", &url])
        .assert_code(0)
        .assert("redis", "warning", "does not allow INFO")
        .assert("redis identity", "ok", "in this Redis")
        .assert("redis policy", "-", "not checked")
        .assert("redis latency", "", "for a ping")
        .assert("clocks", "ok", "Redis agrees");
}

#[test]
fn few_open_files_are_told() {
    let bed = Bed::healthy();
    let mut arguments = bed.with_addresses(&["--quick"]);
    arguments.insert(0, "doctor".into());
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let with = |granted| report(undisturbed(&mut Program::with_open_files(granted, granted, &arguments)));
    let few = with(300);
    few.assert_code(0).assert("open files", "warning", "300 granted");
    assert!(few.mend("open files")[0].contains("prlimit --pid $$ "), "{}", few.text);
    with(64).assert_code(1).assert("open files", "WRONG", "64 open files");
}

#[test]
fn streams_that_will_not_fit_are_told_with_a_command_that_leaves_their_description_alone() {
    let bed = Bed::healthy();
    bed.store
        .put("/streams/cam%200?desc=the%20door&meta=%7B%22fps%22%3A30%7D&max_len=100000")
        .expect(200);
    bed.store.add("cam 0", &[&[7; 800_000]]);
    let report = bed.examine(&[]);
    report
        .assert_code(0)
        .assert("streams' memory", "warning", "cam 0 at 100000 × 781 KiB = 74.5 GiB");
    let mend = report.mend("streams' memory");
    assert!(mend[0].contains("describe --max-len "), "{mend:?}");
    let pasted = Running::start(Shell::of(&bed.store).script(mend[0])).wait();
    assert!(pasted.status.success(), "{pasted:?}");
    let meta = bed.store.get("/streams/cam%200").expect(200).json()["meta"].clone();
    assert_eq!(
        (&meta["description"], &meta["metadata"]),
        (&json!("the door"), &json!({ "fps": 30 }))
    );
    assert!(
        meta["max_len"].as_u64().is_some_and(|max_len| max_len < 2_000),
        "{meta}"
    );
    // What streams do is looked up about once a second.
    eventually(PATIENCE, || bed.examine(&[]).line("streams' memory").starts_with("ok"));
}

fn signed(key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&Header::default(), claims, &key).expect("a token")
}

fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").to_string()
}
