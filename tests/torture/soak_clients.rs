//! The clients of a soak: writers and readers of every kind, which come, go, and come again after an outage.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tungstenite::protocol::WebSocketConfig;
use tungstenite::{ClientRequestBuilder, Message};

use crate::harness::{Client, Redis, Socket, slice};
use crate::soak_books::{Books, SMALLEST, STREAMS, View, WRITERS, name};

/// What all clients share.
pub struct Scene<'a> {
    pub client: &'a Client,
    pub redis: &'a Redis,
    pub books: &'a Books,
    /// Writers and visitors come no more.
    pub over: &'a AtomicBool,
    /// The last writer has left.
    pub written: &'a AtomicBool,
}

/// What one visit of a writer brings: how many entries, of which sizes, how far apart; and what its stream keeps.
pub struct Diet {
    entries: usize,
    smallest: f64,
    largest: f64,
    pause: Duration,
    pub keeps: u64,
}

pub fn diet(stream: usize) -> Diet {
    let (entries, smallest, largest, pause, keeps) = match stream % 10 {
        9 => (10, 64 << 10, 2 << 20, 300, 60),
        6..9 => (50, 2 << 10, 64 << 10, 20, 400),
        _ => (200, SMALLEST, 2 << 10, 4, 5000),
    };
    Diet {
        entries,
        smallest: smallest as f64,
        largest: largest as f64,
        pause: Duration::from_millis(pause),
        keeps,
    }
}

/// xorshift: enough to be various, and the same in each run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    /// Evenly over the orders of magnitude.
    fn size(&mut self, diet: &Diet) -> usize {
        let part = self.roll(1 << 20) as f64 / (1 << 20) as f64;
        (diet.smallest * (diet.largest / diet.smallest).powf(part)) as usize
    }
}

type Trouble = Box<dyn std::error::Error>;

/// Visits its streams in turn until the end.
pub fn write(scene: &Scene, writer: usize) {
    let mut dice = Dice(writer as u64 * 7919 + 1);
    while !scene.over.load(Relaxed) {
        // Two writers share each stream.
        let own = dice.roll(STREAMS / WRITERS) * WRITERS + writer;
        let stream = (own + 3 * dice.roll(2)) % STREAMS;
        let (mode, outcome) = match dice.roll(5) {
            0 => ("POST", write_by_rest(scene, writer, stream, &mut dice)),
            mode => ("push", write_by_socket(scene, writer, stream, mode, &mut dice)),
        };
        if let Err(trouble) = outcome {
            scene.books.remark(format!("{mode}: {trouble}"));
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn write_by_rest(scene: &Scene, writer: usize, stream: usize, dice: &mut Dice) -> Result<(), Trouble> {
    let diet = diet(stream);
    for _ in 0..5 {
        let (sequence, entry) = scene.books.write(stream, writer, dice.size(&diet));
        let answer = scene
            .client
            .post(&format!("/data/{}", name(stream)), "application/octet-stream", &entry);
        if answer.status != 200 {
            return Err(answer.status.to_string().into());
        }
        scene.books.acknowledge(stream, writer, &[sequence]);
        std::thread::sleep(diet.pause);
    }
    Ok(())
}

fn write_by_socket(scene: &Scene, writer: usize, stream: usize, mode: usize, dice: &mut Dice) -> Result<(), Trouble> {
    let (batch, ack) = (mode & 1 == 1, mode & 2 == 2);
    let diet = diet(stream);
    let path = format!("/data/{}/push?batch={batch}&ack={ack}", name(stream));
    let mut socket = open(scene.client, &path)?;
    let mut sent = Vec::new();
    while sent.len() < diet.entries {
        let many = if batch { 1 + dice.roll(5) } else { 1 };
        let entries: Vec<_> = (0..many)
            .map(|_| scene.books.write(stream, writer, dice.size(&diet)))
            .collect();
        let sequences: Vec<usize> = entries.iter().map(|(sequence, _)| *sequence).collect();
        if batch {
            let starts = entries.iter().scan(0, |end, (_, entry)| {
                *end += entry.len();
                Some((*end - entry.len()).to_string())
            });
            socket.send(Message::text(starts.collect::<Vec<_>>().join(",")))?;
        }
        let bytes: Vec<u8> = entries.into_iter().flat_map(|(_, entry)| entry).collect();
        socket.send(Message::binary(bytes))?;
        if ack {
            let ids = next(&mut socket)?.into_text()?;
            if ids.split(',').count() != many {
                scene.books.fault(format!("{many} entries were acknowledged as {ids}"));
            }
            scene.books.acknowledge(stream, writer, &sequences);
        }
        sent.extend(sequences);
        std::thread::sleep(diet.pause * many as u32);
    }
    // An answered close says that everything before it is stored.
    socket.close(None)?;
    loop {
        match socket.read() {
            Ok(Message::Close(Some(frame))) if u16::from(frame.code) >= 1001 && u16::from(frame.code) != 1005 => {
                return Err(format!("{}: {}", frame.code, frame.reason).into());
            }
            Ok(Message::Close(_)) => break,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    scene.books.acknowledge(stream, writer, &sent);
    Ok(())
}

/// Sees every entry of one stream, over many sockets, until nothing more is written and it has seen the last.
pub fn audit(scene: &Scene, stream: usize) -> View {
    let mut view = View::new(stream);
    let mut dice = Dice(stream as u64 * 104_729 + 1);
    loop {
        let count = [1, 10, 100][dice.roll(3)];
        let query = format!("last_entry_id={}&count={count}", view.last_id());
        let outcome = open(scene.client, &format!("/data/{}/pull?{query}", name(stream)));
        let until = Instant::now() + Duration::from_secs(5 + dice.roll(30) as u64);
        let outcome = outcome.and_then(|socket| follow(scene, &mut view, socket, stream, until, true));
        match outcome {
            Ok(()) if scene.written.load(Relaxed) && newest(scene.redis, stream) == view.last_id() => return view,
            Ok(()) => {}
            Err(trouble) => {
                scene.books.remark(format!("auditor: {trouble}"));
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

/// Looks into one stream after another: some live, some from far behind.
pub fn visit(scene: &Scene, reader: usize) -> Vec<View> {
    let mut dice = Dice(reader as u64 * 15_485_863 + 1);
    let mut views = Vec::new();
    while !scene.over.load(Relaxed) {
        let stream = dice.roll(STREAMS);
        let (from, count) = [("$", 1), ("$", 100), ("0", 100), ("*", 1)][dice.roll(4)];
        let mut view = View::new(stream);
        let outcome = open(
            scene.client,
            &format!("/data/{}/pull?last_entry_id={from}&count={count}", name(stream)),
        );
        let until = Instant::now() + Duration::from_secs(1 + dice.roll(8) as u64);
        let outcome = outcome.and_then(|socket| follow(scene, &mut view, socket, stream, until, false));
        if let Err(trouble) = outcome {
            scene.books.remark(format!("visitor: {trouble}"));
            std::thread::sleep(Duration::from_millis(100));
        }
        views.push(view);
    }
    views
}

/// Reads over REST, and looks at the activity as an open live page does.
pub fn browse(scene: &Scene) {
    let mut dice = Dice(99);
    let look = |path: &str| {
        let answer = scene.client.get(path);
        if answer.status != 200 {
            scene.books.remark(format!(
                "GET {}: {}",
                path.split(['?', 's']).next().unwrap_or(path),
                answer.status
            ));
        }
        (answer.status == 200).then_some(answer)
    };
    while !scene.over.load(Relaxed) {
        look("/activity");
        for _ in 0..5 {
            let stream = dice.roll(STREAMS);
            if let Some(answer) = look(&format!("/data/{}?count=3", name(stream))) {
                let offsets: Vec<(String, usize)> =
                    serde_json::from_str(answer.header("entry-offset").unwrap_or("[]")).expect("offsets");
                let mut view = View::new(stream);
                for (id, entry) in slice(&offsets, &answer.body) {
                    view.take(scene.books, &id, &entry);
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Takes what comes until then, or, once nothing is written any more, until nothing comes for a while.
fn follow(
    scene: &Scene,
    view: &mut View,
    mut socket: Socket,
    stream: usize,
    until: Instant,
    audits: bool,
) -> Result<(), Trouble> {
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut offsets: Option<Vec<(String, usize)>> = None;
    while Instant::now() < until {
        let message = match socket.read() {
            Ok(message) => message,
            Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if scene.written.load(Relaxed) && (!audits || newest(scene.redis, stream) == view.last_id()) {
                    break;
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match (message, offsets.take()) {
            (Message::Text(text), None) => offsets = Some(serde_json::from_str(&text)?),
            (Message::Binary(blob), Some(offsets)) => {
                for (id, entry) in slice(&offsets, &blob) {
                    let label = view.take(scene.books, &id, &entry);
                    label
                        .filter(|_| audits)
                        .into_iter()
                        .for_each(|label| scene.books.see(label));
                }
            }
            (Message::Close(frame), _) => return Err(format!("closed: {frame:?}").into()),
            (Message::Ping(_) | Message::Pong(_), kept) => offsets = kept,
            (other, _) => scene.books.fault(format!("{} came out of turn", other.len())),
        }
    }
    // Some close, some only go.
    if view.last_id().ends_with(['0', '2', '4']) {
        let _ = socket.close(None).and_then(|()| socket.flush());
    }
    Ok(())
}

fn newest(redis: &Redis, stream: usize) -> String {
    let found: Vec<(String, Vec<(String, redis::Value)>)> =
        redis.command(&["XREVRANGE", &name(stream), "+", "-", "COUNT", "1"]);
    found.into_iter().next().map_or("0-0".into(), |(id, _)| id)
}

fn next(socket: &mut Socket) -> Result<Message, Trouble> {
    loop {
        match socket.read()? {
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(Some(frame)) => return Err(format!("{}: {}", frame.code, frame.reason).into()),
            message => return Ok(message),
        }
    }
}

/// Like `Client::socket`, for a time when the store may refuse.
fn open(client: &Client, path: &str) -> Result<Socket, Trouble> {
    let uri = format!("ws://{}{path}", client.addr()).parse()?;
    let request = ClientRequestBuilder::new(uri).with_header("Authorization", client.bearer().as_str());
    let stream = client.raw();
    // A push is held back for up to ten seconds before it is refused.
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    match tungstenite::client::client_with_config(request, stream, Some(config)) {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
            Err(format!("{} instead of a socket", answer.status()).into())
        }
        Err(error) => Err(error.to_string().into()),
    }
}
