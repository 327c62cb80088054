//! The two waits of a store that starts: for its turn, and for Redis. Both end when somebody hangs, and neither while Redis loads
//! its data, which takes minutes where there is much of it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use log::info;
use redis::ConnectionAddr;

use super::data;
use super::folder::{Folder, Turn};
use super::process::Process;
use super::{INTERRUPTED, POLL, START_PATIENCE, connection};
use crate::words::info::Info;

/// How long Redis may take to begin an append-only file: it forks (fork(2)) before it answers, which takes the longer the more
/// memory it has.
const FORK_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for the right to start or join Redis. Another store may have it for so long, and for as long as its Redis loads.
pub fn await_turn(folder: &Folder, patience: Duration, interrupted: &AtomicBool) -> Result<Turn, String> {
    let path = folder.path().display();
    let (mut holder, mut moved) = (folder.turn_holder(), Instant::now());
    let mut told = false;
    loop {
        let turn = folder.take_turn();
        match turn.map_err(|error| folder.cannot("lock", &error))? {
            Some(turn) => return Ok(turn),
            None if interrupted.load(Relaxed) => return Err(INTERRUPTED.into()),
            None => {}
        }
        if !std::mem::replace(&mut told, true) {
            info!("another store starts or stops the Redis in {path}: waiting");
        }
        let now = folder.turn_holder();
        if now != holder || answer(folder) == Answer::Loading {
            (holder, moved) = (now, Instant::now());
        }
        if moved.elapsed() > patience {
            return Err(match holder {
                Some(pid) => format!(
                    "the process {pid} has held {path}/redis.lock for {patience:?}, and Redis loads nothing: if it hangs, end it \
                     (kill -9 {pid})"
                ),
                None => format!("something has held {path}/redis.lock for {patience:?}, and Redis loads nothing"),
            });
        }
        std::thread::sleep(POLL);
    }
}

/// What a Redis that starts says to a ping.
#[derive(PartialEq)]
enum Answer {
    None,
    Loading,
    Ready,
}

/// Waits until the Redis of this folder answers: as long as it likes while it loads its data.
pub fn await_answer(folder: &Folder, process: &mut Process, interrupted: &AtomicBool) -> Result<(), String> {
    let log = folder.log();
    let begun = Instant::now();
    loop {
        // In this order: what ended was not what answers.
        let answer = answer(folder);
        if process.has_ended() {
            let name = process
                .program()
                .map_or("redis-server".into(), |program| program.path.display().to_string());
            let ending = process.ending(folder);
            return Err(format!("{name} ended at once{ending}; see {}", log.display()));
        }
        match answer {
            Answer::Ready => return Ok(()),
            _ if interrupted.load(Relaxed) => return Err(INTERRUPTED.into()),
            Answer::None if begun.elapsed() > START_PATIENCE => {
                return Err(format!(
                    "Redis does not answer after {START_PATIENCE:?}; see {}",
                    log.display()
                ));
            }
            Answer::None | Answer::Loading => std::thread::sleep(POLL),
        }
    }
}

/// Waits until the Redis of this folder keeps an append-only file: see `AppendOnly`.
pub fn await_append_only(folder: &Folder, process: &mut Process, interrupted: &AtomicBool) -> Result<(), String> {
    let mut append_only = AppendOnly::default();
    while !append_only.is_kept(folder, process)? {
        if interrupted.load(Relaxed) {
            return Err(INTERRUPTED.into());
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Sees to it that a Redis keeps an append-only file, whoever started it: one that reads `dump.rdb` is started without, and who
/// started it may be killed before it tells it to. Until all that it read is in that file, a Redis that ends begins with
/// `dump.rdb` again. See <https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/>.
#[derive(Default)]
pub struct AppendOnly {
    /// We told it to.
    told: bool,
}

impl AppendOnly {
    /// Whether all is in the file; tells Redis to keep one if it does not. To be asked again while that is not so.
    pub fn is_kept(&mut self, folder: &Folder, process: &mut Process) -> Result<bool, String> {
        self.look(folder).map_err(|cause| {
            format!(
                "the Redis in {} does not keep an append-only file, so its data would be lost with it: {cause}{}; see {}",
                folder.path().display(),
                process.ending(folder),
                folder.log().display()
            )
        })
    }

    fn look(&mut self, folder: &Folder) -> Result<bool, String> {
        let failed = |error: redis::RedisError| error.to_string();
        let mut connection = connection(ConnectionAddr::Unix(folder.socket())).map_err(failed)?;
        let about: String = redis::cmd("INFO")
            .arg("persistence")
            .query(&mut connection)
            .map_err(failed)?;
        let about = Info::parse(&about);
        if about.number("loading") == Some(1) {
            return Ok(false);
        }
        if about.number("aof_enabled") == Some(0) {
            connection.set_read_timeout(Some(FORK_TIMEOUT)).map_err(failed)?;
            redis::cmd("CONFIG")
                .arg(&["SET", "appendonly", "yes"])
                .exec(&mut connection)
                .map_err(failed)?;
            info!("Redis begins an append-only file in {}", folder.path().display());
            self.told = true;
            return Ok(false);
        }
        // One that writes its file anew, as it does from time to time, has the old one until then.
        if !self.told && data::has_append_only(folder.path()) {
            return Ok(true);
        }
        if about.text("aof_last_bgrewrite_status") == Some("err") {
            return Err("it cannot write it".into());
        }
        let is_over = |name| about.number(name) == Some(0);
        Ok(is_over("aof_rewrite_in_progress") && is_over("aof_rewrite_scheduled"))
    }
}

/// Whether the Redis of this folder answers, with all of its data.
pub fn answers(folder: &Folder) -> bool {
    answer(folder) == Answer::Ready
}

fn answer(folder: &Folder) -> Answer {
    let Ok(mut connection) = connection(ConnectionAddr::Unix(folder.socket())) else {
        return Answer::None;
    };
    match redis::cmd("PING").exec(&mut connection) {
        Ok(()) => Answer::Ready,
        Err(error) => match error.code() {
            Some("LOADING") => Answer::Loading,
            // It cannot save to its disk: it takes no writes, but it is there.
            Some("MISCONF") => Answer::Ready,
            _ => Answer::None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};

    const LOADS: Duration = Duration::from_millis(2500);
    const TURN: Duration = Duration::from_secs(1);

    /// Says that it loads its data, until that is done and nothing more comes.
    fn load(listener: &UnixListener) {
        let begun = Instant::now();
        for stream in listener.incoming() {
            if begun.elapsed() > LOADS {
                return;
            }
            let _ = answer_loading(stream.unwrap());
        }
    }

    fn answer_loading(mut stream: UnixStream) -> std::io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let asked = match stream.read(&mut buffer)? {
                0 => return Ok(()),
                length => String::from_utf8_lossy(&buffer[..length]).into_owned(),
            };
            let names = asked.matches("SETINFO").count();
            let pings = asked.matches("PING").count();
            stream.write_all("+OK\r\n".repeat(names).as_bytes())?;
            stream.write_all(
                "-LOADING Redis is loading the dataset in memory\r\n"
                    .repeat(pings)
                    .as_bytes(),
            )?;
        }
    }

    /// Answers like a Redis without an append-only file that takes its time to begin one.
    fn fork_slowly(listener: &UnixListener, slow: Duration) {
        let mut enabled = false;
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                let asked = String::from_utf8_lossy(&buffer[..length]).into_owned();
                let mut reply = "+OK\r\n".repeat(asked.matches("SETINFO").count());
                if asked.contains("appendonly") {
                    std::thread::sleep(slow);
                    enabled = true;
                    reply += "+OK\r\n";
                } else if asked.contains("persistence") {
                    let fields = format!(
                        "aof_enabled:{}\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0",
                        u8::from(enabled)
                    );
                    reply += &format!("${}\r\n{fields}\r\n", fields.len());
                }
                if stream.write_all(reply.as_bytes()).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_redis_with_much_memory_may_take_its_time_to_begin_an_append_only_file() {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(super::super::folder::SOCKET)).unwrap();
        std::thread::spawn(move || fork_slowly(&listener, 2 * super::super::CONNECT_TIMEOUT));
        let folder = Folder::open(directory.path()).unwrap();
        let mut append_only = AppendOnly::default();
        assert_eq!(append_only.look(&folder), Ok(false));
        assert!(append_only.told);
        assert_eq!(append_only.look(&folder), Ok(true));
    }

    #[test]
    fn a_turn_is_awaited_for_as_long_as_redis_loads_and_then_for_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let busy = Folder::open(directory.path()).unwrap();
        let turn = busy.take_turn().unwrap().unwrap();
        let listener = UnixListener::bind(directory.path().join(super::super::folder::SOCKET)).unwrap();
        std::thread::spawn(move || load(&listener));
        let folder = Folder::open(directory.path()).unwrap();
        let begun = Instant::now();
        let sentence = await_turn(&folder, TURN, &AtomicBool::new(false))
            .map(drop)
            .unwrap_err();
        assert!(begun.elapsed() > LOADS + TURN / 2, "{:?}: {sentence}", begun.elapsed());
        for word in ["redis.lock", &std::process::id().to_string(), "1s"] {
            assert!(sentence.contains(word), "{word} in {sentence}");
        }
        drop(turn);
        await_turn(&folder, TURN, &AtomicBool::new(false)).unwrap();
    }
}
