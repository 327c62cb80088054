//! Stands between a store and its Redis, as a bad network would: delays, throttles, holds, swallows or cuts what Redis says.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::Redis;

/// What happens to a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Manner {
    Pass,
    /// Whatever Redis says comes so much later.
    Delay(Duration),
    /// Redis says so many bytes a second.
    Throttle(usize),
    /// Nothing passes, either way, until the manner changes.
    Hold,
    /// What the store says passes, what Redis says is lost; so are these connections when the manner changes.
    Swallow,
    /// A connection is cut after so many bytes of replies, those to the store's first words not counted.
    CutAfter(usize),
}

/// Passes everything at first.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    /// Where connections lead that are made from now on.
    redis: AtomicU16,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    manner: Manner,
    /// Both ends of every connection.
    open: Vec<TcpStream>,
    /// Replies broken off by CutAfter.
    broken: usize,
    /// Connections made so far, and the one of them that is held.
    made: usize,
    held: Option<usize>,
    ended: bool,
}

impl Proxy {
    pub fn to(redis: &Redis) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let shared = Arc::new(Shared {
            redis: AtomicU16::new(redis.port()),
            state: Mutex::new(State {
                manner: Manner::Pass,
                open: Vec::new(),
                broken: 0,
                made: 0,
                held: None,
                ended: false,
            }),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&listener, &accepting));
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// How many replies it has broken off.
    pub fn broken(&self) -> usize {
        self.shared.state().broken
    }

    /// From now on, also for connections that are open.
    pub fn set(&self, manner: Manner) {
        let mut state = self.shared.state();
        if state.manner == Manner::Swallow && manner != Manner::Swallow {
            state.cut();
        }
        state.manner = manner;
        self.shared.changed.notify_all();
    }

    /// Nothing passes over the connection that was made last, until `release`.
    pub fn hold_newest(&self) {
        let mut state = self.shared.state();
        state.held = state.made.checked_sub(1);
    }

    pub fn release(&self) {
        self.shared.state().held = None;
        self.shared.changed.notify_all();
    }

    /// Connections that are made from now on lead to another Redis; those that are open stay.
    pub fn lead_to(&self, redis: &Redis) {
        self.shared.redis.store(redis.port(), Ordering::SeqCst);
    }

    /// Cuts every connection that is open now, and what comes after goes on in this manner.
    pub fn cut_and(&self, manner: Manner) {
        let mut state = self.shared.state();
        state.cut();
        state.manner = manner;
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.ended = true;
        state.cut();
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the thread that accepts, which then ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn cut(&mut self) {
        for stream in self.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the proxy's state")
    }

    /// The manner for a connection, once it is not held.
    fn manner(&self, number: usize) -> Manner {
        let held = |state: &mut State| (state.manner == Manner::Hold || state.held == Some(number)) && !state.ended;
        let state = self.changed.wait_while(self.state(), held).expect("the proxy's state");
        state.manner
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for store in listener.incoming().flatten() {
        if shared.state().ended {
            return;
        }
        // While Redis is gone this connection is closed at once.
        let Ok(redis) = TcpStream::connect(("127.0.0.1", shared.redis.load(Ordering::SeqCst))) else {
            continue;
        };
        let twice = |stream: &TcpStream| stream.try_clone().expect("a second handle");
        let _ = (store.set_nodelay(true), redis.set_nodelay(true));
        let mut state = shared.state();
        state.open.retain(|stream| stream.peer_addr().is_ok());
        state.open.extend([twice(&store), twice(&redis)]);
        let number = state.made;
        state.made += 1;
        drop(state);
        let (asking, answering) = ((twice(&store), twice(&redis)), (redis, store));
        let introduced = Arc::new(AtomicBool::new(false));
        let (sharing, sees) = (Arc::clone(shared), Arc::clone(&introduced));
        std::thread::spawn(move || ask(asking.0, asking.1, (&sharing, number), &sees));
        let sharing = Arc::clone(shared);
        std::thread::spawn(move || answer(answering.0, answering.1, (&sharing, number), &introduced));
    }
}

/// What the store says. It introduces itself in one piece, and goes on when that is answered.
fn ask(mut store: TcpStream, mut redis: TcpStream, (shared, number): (&Shared, usize), introduced: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    let mut pieces = 0;
    while let Ok(read @ 1..) = store.read(&mut buffer) {
        pieces += 1;
        introduced.store(pieces > 1, Ordering::SeqCst);
        shared.manner(number);
        if redis.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    end(&store, &redis);
}

/// What Redis says.
fn answer(mut redis: TcpStream, mut store: TcpStream, (shared, number): (&Shared, usize), introduced: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    let mut said = 0;
    while let Ok(read @ 1..) = redis.read(&mut buffer) {
        let bytes = &buffer[..read];
        let counted = if introduced.load(Ordering::SeqCst) { read } else { 0 };
        let passed = match shared.manner(number) {
            Manner::Pass | Manner::Hold => store.write_all(bytes),
            Manner::Delay(time) => {
                std::thread::sleep(time);
                store.write_all(bytes)
            }
            Manner::Throttle(rate) => throttle(&mut store, bytes, rate),
            Manner::Swallow => Ok(()),
            Manner::CutAfter(most) if counted > 0 && said + counted >= most => {
                let _ = store.write_all(&bytes[..most.saturating_sub(said)]);
                shared.state().broken += 1;
                break;
            }
            Manner::CutAfter(_) => store.write_all(bytes),
        };
        said += counted;
        if passed.is_err() {
            break;
        }
    }
    end(&store, &redis);
}

fn throttle(store: &mut TcpStream, bytes: &[u8], rate: usize) -> std::io::Result<()> {
    const PIECES_A_SECOND: usize = 20;
    for piece in bytes.chunks(rate.div_ceil(PIECES_A_SECOND)) {
        std::thread::sleep(Duration::from_secs(1) / PIECES_A_SECOND as u32);
        store.write_all(piece)?;
    }
    Ok(())
}

fn end(store: &TcpStream, redis: &TcpStream) {
    let _ = store.shutdown(Shutdown::Both);
    let _ = redis.shutdown(Shutdown::Both);
}
