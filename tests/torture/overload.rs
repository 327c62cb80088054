//! More connections than anybody should open: those that are signed in and connected go on, and all is well afterwards.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::wire::ping;
use crate::harness::{
    Footprint, Program, Redis, eventually, expect_end, read_answer, receive_reply, receive_text, send, send_binary,
};
use crate::report::figure;

/// Memory that the allocator keeps of thousands of threads: their stacks for reuse, and their arenas.
const SLACK: usize = 160 << 20;

/// Takes all the descriptors that the system grants this process; how many connections are to be opened.
fn connections() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, all).expect("to raise the limit of open files");
    let granted = maximum.map_or(usize::MAX, |maximum| maximum as usize);
    let connections = 5000.min(granted.saturating_sub(300));
    figure("overload: silent connections", connections);
    connections
}

fn started(redis: &Redis, flags: &[&str]) -> (Program, Footprint) {
    let url = redis.url();
    let flags = [&["--redis", url.as_str()], flags].concat();
    let store = Program::start_in(&std::env::temp_dir(), &flags, &[("RUST_LOG", "warn")]);
    (0..20).for_each(|_| store.assert_serves());
    let before = Footprint::of(&store);
    (store, before)
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn thousands_of_silent_connections_do_not_stop_those_that_are_signed_in() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--head-timeout", "10m", "--max-connections", "6000"]);
    crowd(&store, before, connections(), 6000);
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn beyond_max_connections_the_longest_idle_make_room_and_those_at_work_go_on() {
    let redis = Redis::start();
    let (store, before) = started(&redis, &["--head-timeout", "10m", "--max-connections", "1000"]);
    crowd(&store, before, connections(), 1000);
}

/// A push, a pull and a REST connection among so many silent connections.
fn crowd(store: &Program, before: Footprint, silent: usize, limit: usize) {
    let mut push = store.push("s", "ack=true");
    let mut pull = store.pull("s", "last_entry_id=0");
    let mut rest = store.raw();
    let mut slowest = Duration::ZERO;
    let mut rounds = 0;
    let mut serve = || {
        let begun = Instant::now();
        send_binary(&mut push, b"entry");
        let id = receive_text(&mut push);
        assert_eq!(receive_reply(&mut pull)[0].0, id);
        assert_eq!(ping(&mut push), []);
        send(&mut rest, store.head("GET", "/data/s", &[]));
        assert_eq!(read_answer(&mut rest).expect(200).body, b"entry");
        slowest = slowest.max(begun.elapsed());
        rounds += 1;
    };
    serve();
    let begun = Instant::now();
    let mut held = Vec::new();
    for number in 0..silent {
        held.push(TcpStream::connect(store.addr()).expect("a connection"));
        if number % 50 == 0 {
            serve();
        }
    }
    figure(
        "overload: seconds until they were there",
        format!("{:.1}", begun.elapsed().as_secs_f64()),
    );
    // Those inside wait in silence; those that made room for others see the end.
    let over = (silent + 3).saturating_sub(limit);
    let told = |stream: &&TcpStream| stream.set_nonblocking(true).is_ok() && stream.peek(&mut [0]).is_ok();
    eventually(Duration::from_secs(10), || held.iter().filter(told).count() >= over);
    let closed: Vec<&TcpStream> = held.iter().filter(told).collect();
    figure("overload: closed for others", closed.len());
    assert_eq!(closed.len(), over);
    for mut stream in closed {
        expect_end(&mut stream);
    }
    (0..200).for_each(|_| serve());
    let peak = Footprint::of(store);
    assert!(peak.threads >= silent - over, "{peak:?}");
    figure("overload: footprint among them", format!("{peak:?}"));
    figure(
        "overload: slowest round of the signed-in clients, in ms",
        slowest.as_millis(),
    );
    figure("overload: rounds of the signed-in clients", rounds);
    let begun = Instant::now();
    drop((push, pull, rest, held));
    eventually(Duration::from_secs(60), || {
        let answer = store.ask("GET", "/health", &[], None);
        answer.status == 200 && store.metric("ptg_connections_open") <= 2.0
    });
    figure(
        "overload: seconds until they were gone",
        format!("{:.1}", begun.elapsed().as_secs_f64()),
    );
    let after = before.is_back(store, SLACK);
    figure("overload: footprint afterwards", format!("{after:?}"));
}
