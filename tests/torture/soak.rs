//! Half an hour of everything at once, with Redis killed now and then: nothing grows, and every entry is accounted for.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::harness::{Program, Redis, descriptors, eventually, threads};
use crate::process::{MIB, memory, redis_info, show};
use crate::report::{figure, for_about};
use crate::soak_books::{Books, Label, STREAMS, View, WRITERS, name};
use crate::soak_clients::{Scene, audit, browse, diet, visit, write};

const VISITORS: usize = 4;

/// By how much the most after the first part may be above the most in it: clients come and go by chance.
const MORE_THREADS: u64 = 16;
const MORE_DESCRIPTORS: u64 = 32;
/// The allocator keeps some of what many threads have freed. A leak of 50 bytes an entry still shows in the full length.
const MORE_RESIDENT: u64 = 48 * MIB;

/// What there is of it at one moment.
#[derive(Clone, Copy, Default)]
struct State {
    threads: u64,
    descriptors: u64,
    resident: u64,
}

#[test]
#[ignore = "long: scripts/torture.sh"]
fn soak_nothing_grows_and_every_entry_is_accounted_for() {
    let length = for_about(Duration::from_secs(1800), Duration::from_secs(120));
    let between_crashes = for_about(Duration::from_secs(300), Duration::from_secs(20));
    let first_part = for_about(Duration::from_secs(300), length / 3);
    let between_lines = for_about(Duration::from_secs(60), Duration::from_secs(20));

    let redis = Redis::start_durable();
    let store = Program::start(&["--redis", &redis.url()]);
    for stream in 0..STREAMS {
        let keeps = diet(stream).keeps;
        store
            .put(&format!("/streams/{}?max_len={keeps}", name(stream)))
            .expect(200);
    }
    let books = Books::new();
    let (over, written) = (AtomicBool::new(false), AtomicBool::new(false));
    let scene = Scene {
        client: &store,
        redis: &redis,
        books: &books,
        over: &over,
        written: &written,
    };
    let (mut early, mut late) = (State::default(), State::default());
    let views: Vec<View> = std::thread::scope(|scope| {
        let scene = &scene;
        let auditors: Vec<_> = (0..STREAMS)
            .map(|stream| scope.spawn(move || audit(scene, stream)))
            .collect();
        let visitors: Vec<_> = (0..VISITORS)
            .map(|reader| scope.spawn(move || visit(scene, reader)))
            .collect();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write(scene, writer)))
            .collect();
        scope.spawn(move || browse(scene));

        let begun = Instant::now();
        let (mut crash, mut line) = (between_crashes, between_lines);
        let mut before = Traffic::now(&store);
        while begun.elapsed() < length {
            std::thread::sleep(Duration::from_millis(250));
            let most = if begun.elapsed() < first_part {
                &mut early
            } else {
                &mut late
            };
            most.raise_to(State::now(store.pid()));
            if begun.elapsed() > line {
                line += between_lines;
                before = print_line(&store, &redis, begun, before, &books);
            }
            if begun.elapsed() > crash && begun.elapsed() + between_crashes / 2 < length {
                crash += between_crashes;
                let lost = Instant::now();
                redis.kill();
                redis.restart();
                figure(
                    "Redis killed; back with its data after",
                    format!("{:.1?}", lost.elapsed()),
                );
            }
        }
        over.store(true, Relaxed);
        writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
        // Only now is there a last entry for the auditors to see.
        written.store(true, Relaxed);
        let audited = auditors.into_iter().map(|auditor| auditor.join().expect("an auditor"));
        let audited: Vec<View> = audited.collect();
        let visited = visitors
            .into_iter()
            .flat_map(|visitor| visitor.join().expect("a visitor"));
        audited.into_iter().chain(visited).collect()
    });
    print_growth(early, late);
    check_books(&store, &books, &views);
    eventually(Duration::from_secs(30), || {
        store.metric("ptg_sockets_open{kind=\"pull\"}") + store.metric("ptg_sockets_open{kind=\"push\"}") == 0.0
    });
    store.assert_serves();
    assert!(late.threads <= early.threads + MORE_THREADS, "threads grow");
    assert!(
        late.descriptors <= early.descriptors + MORE_DESCRIPTORS,
        "descriptors grow"
    );
    assert!(late.resident <= early.resident + MORE_RESIDENT, "memory grows");
}

fn check_books(store: &Program, books: &Books, views: &[View]) {
    let missed = store.metric("ptg_pull_entries_missed_total") as usize;
    let (written, acknowledged, seen, lost) = books.close();
    let stepped = views.iter().flat_map(|view| &view.stepped_over);
    let stepped: Vec<&Label> = stepped.filter(|label| books.is_acknowledged(**label)).collect();
    figure(
        "entries",
        format!("{written} written, {acknowledged} acknowledged, {seen} seen by the auditors"),
    );
    figure("acknowledged, and seen by no auditor", lost.len());
    figure(
        "acknowledged, and stepped over by some reader",
        format!("{}; counted as missed by the store: {missed}", stepped.len()),
    );
    figure("remarks", books.remarks());
    let faults = books.faults();
    assert!(
        faults.is_empty(),
        "{} faults, such as {:?}",
        faults.len(),
        &faults[..faults.len().min(10)]
    );
    assert!(
        stepped.len() <= missed,
        "missed and not counted: {:?}",
        &stepped[..stepped.len().min(10)]
    );
    assert!(lost.len() <= missed, "lost: {:?}", &lost[..lost.len().min(10)]);
    assert!(acknowledged * 2 > written, "most of it failed");
}

impl State {
    fn now(pid: u32) -> State {
        State {
            threads: threads(pid) as u64,
            descriptors: descriptors(pid) as u64,
            resident: memory(pid).resident,
        }
    }

    fn raise_to(&mut self, now: State) {
        self.threads = self.threads.max(now.threads);
        self.descriptors = self.descriptors.max(now.descriptors);
        self.resident = self.resident.max(now.resident);
    }
}

/// Counters of the store: entries in and out, bytes in and out, and when.
struct Traffic([f64; 4], Instant);

impl Traffic {
    fn now(store: &Program) -> Traffic {
        let both = |name: &str, socket: &str| {
            let of = |via: &str| store.metric(&format!("{name}{{via=\"{via}\"}}"));
            of(socket) + of("rest")
        };
        let counters = [
            both("ptg_entries_in_total", "push"),
            both("ptg_entries_out_total", "pull"),
            both("ptg_bytes_in_total", "push"),
            both("ptg_bytes_out_total", "pull"),
        ];
        Traffic(counters, Instant::now())
    }
}

fn print_line(store: &Program, redis: &Redis, begun: Instant, before: Traffic, books: &Books) -> Traffic {
    let now = Traffic::now(store);
    let seconds = (now.1 - before.1).as_secs_f64();
    let rate = |index: usize| (now.0[index] - before.0[index]) / seconds;
    let state = State::now(store.pid());
    figure(
        &format!("after {:.0} s", begun.elapsed().as_secs_f64()),
        format!(
            "entries/s {:.0} in {:.0} out, MB/s {:.1} in {:.1} out, {} threads, {} descriptors, {} resident, Redis {}, {}",
            rate(0),
            rate(1),
            rate(2) / 1e6,
            rate(3) / 1e6,
            state.threads,
            state.descriptors,
            show(state.resident),
            show(redis_info(redis, "used_memory_rss")),
            books.remarks(),
        ),
    );
    now
}

fn print_growth(early: State, late: State) {
    figure(
        "most threads, first part and later",
        format!("{}, {}", early.threads, late.threads),
    );
    figure(
        "most descriptors",
        format!("{}, {}", early.descriptors, late.descriptors),
    );
    figure(
        "most resident",
        format!("{}, {}", show(early.resident), show(late.resident)),
    );
}
