//! A thread that looks after a Redis of ours: starts it again when it ends by itself, and leaves it when we end.
//! Every store that uses the Redis has one; whose turn it is acts, and the others see that it was done.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use log::{error, info, warn};

use super::folder::{Folder, Share, Turn};
use super::process::Process;
use super::program::remember;
use super::ready::make_ready;
use super::waiting::AppendOnly;
use super::{POLL, START_PATIENCE, STOP_PATIENCE, tell};
use crate::words::log_line;

/// How often a running Redis is looked at.
const CHECK: Duration = Duration::from_millis(500);

/// What the thread works with.
pub struct Keeper {
    folder: Folder,
    process: Process,
    share: Share,
    /// Where Redis listens besides its socket; nowhere if it is 0.
    port: u16,
    /// Gives the time by which Redis is to have stopped.
    stopped: Receiver<Instant>,
    starting: Option<Starting>,
    /// It was said that Redis ended.
    told: bool,
    /// Why it could not be started again, as it was last said.
    complaint: Option<String>,
    /// What was said of its data.
    notes: Vec<String>,
}

/// A Redis that is on its way: until it listens, and what it read is in its append-only file.
struct Starting {
    /// None if it cannot keep one, which others that come are told by Redis itself.
    turn: Option<Turn>,
    /// By when it is to listen.
    until: Instant,
    append_only: AppendOnly,
}

impl Keeper {
    /// Looks after this process.
    pub fn new(folder: Folder, process: Process, share: Share, port: u16, stopped: Receiver<Instant>) -> Keeper {
        Keeper {
            folder,
            process,
            share,
            port,
            stopped,
            starting: None,
            told: false,
            complaint: None,
            notes: Vec::new(),
        }
    }

    /// The thread's work, until it is told to stop.
    pub fn keep(mut self) {
        let deadline = loop {
            match self.stopped.recv_timeout(CHECK) {
                Ok(deadline) => break deadline,
                Err(RecvTimeoutError::Disconnected) => break Instant::now() + STOP_PATIENCE,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.process.has_ended() {
                self.see_to_another();
            } else if self.starting.is_some() {
                self.see_to_start();
            } else if !self.folder.has_socket() {
                self.stop_without_socket();
            }
        };
        self.leave(deadline);
    }

    /// Looks how far a Redis is that was started again.
    fn see_to_start(&mut self) {
        let Some(starting) = &mut self.starting else { return };
        if self.folder.connect().is_err() {
            if starting.until < Instant::now() {
                // Its socket may have been removed. Where it is stopped, it is started again.
                self.process.stop(Instant::now() + STOP_PATIENCE);
            }
            return;
        }
        match starting.append_only.is_kept(&self.folder, &mut self.process) {
            Ok(true) => {
                self.starting = None;
                if let Some(program) = self.process.program() {
                    remember(&self.folder, program);
                }
                self.is_back();
            }
            Ok(false) => {}
            // It has what was stored since, so it stays, and is asked again.
            Err(sentence) => {
                starting.turn = None;
                self.complain(sentence);
            }
        }
    }

    /// Stops a Redis whose socket somebody removed: nobody can reach it there. It is started again like one that ended.
    fn stop_without_socket(&mut self) {
        // Who has the turn starts or stops it.
        if let Ok(Some(_turn)) = self.folder.take_turn()
            && !self.process.has_ended()
        {
            warn!("the socket of Redis was removed; it is stopped, to be started again");
            self.told = true;
            self.process.stop(Instant::now() + STOP_PATIENCE);
        }
    }

    /// Starts Redis again, unless another store has the turn, or has done it.
    fn see_to_another(&mut self) {
        let ending = self.process.ending(&self.folder);
        if self.starting.take().is_some() {
            let log = self.folder.log();
            self.complain(format!("Redis does not start{ending}; see {}", log.display()));
        } else if !std::mem::replace(&mut self.told, true) {
            warn!("Redis ended by itself{ending}; it is started again");
        }
        let turn = match self.folder.take_turn() {
            Ok(Some(turn)) => turn,
            Ok(None) => return,
            Err(error) => return self.complain(format!("cannot lock the data folder: {error}")),
        };
        match Process::listening_in(&self.folder) {
            // Who started it may have been killed since.
            Ok(Some(process)) => return self.begin_with(process, turn),
            // Two must not write to one folder.
            Ok(None) => {
                let folder = self.folder.path().display();
                return self.complain(format!(
                    "a Redis that is not ours listens in {folder} now: it is left alone"
                ));
            }
            Err(_) => {}
        }
        let started = make_ready(&self.folder).and_then(|ready| {
            if ready.notes != self.notes {
                tell(&ready.notes);
                self.notes.clone_from(&ready.notes);
            }
            Process::start(&self.folder, ready, self.port)
        });
        match started {
            Ok(process) => self.begin_with(process, turn),
            Err(sentence) => self.complain(sentence),
        }
    }

    fn begin_with(&mut self, process: Process, turn: Turn) {
        self.process = process;
        self.starting = Some(Starting {
            turn: Some(turn),
            until: Instant::now() + START_PATIENCE,
            append_only: AppendOnly::default(),
        });
    }

    fn is_back(&mut self) {
        (self.told, self.complaint) = (false, None);
        self.notes.clear();
    }

    /// Says it, unless it was the last that was said.
    fn complain(&mut self, sentence: String) {
        if self.complaint.as_ref() != Some(&sentence) {
            error!("{}", log_line::sentence(&sentence));
            self.complaint = Some(sentence);
        }
    }

    /// Leaves Redis to the others that use it, and stops it if there is nobody else.
    fn leave(mut self, deadline: Instant) {
        let Some(_turn) = self
            .starting
            .take()
            .and_then(|starting| starting.turn)
            .or_else(|| self.turn_by(deadline))
        else {
            error!("another store is busy with Redis: it is left running");
            return;
        };
        if !self.share.is_last() {
            info!("Redis stays: other stores use it");
            return;
        }
        // Another store may have started it since, and left.
        if self.process.has_ended()
            && let Ok(Some(process)) = Process::listening_in(&self.folder)
        {
            self.process = process;
        }
        info!("stopping Redis");
        self.process.stop(deadline);
    }

    fn turn_by(&self, deadline: Instant) -> Option<Turn> {
        loop {
            match self.folder.take_turn() {
                Ok(Some(turn)) => return Some(turn),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
                _ => return None,
            }
        }
    }
}
