//! Fault injection: what can befall Redis and the way to it, and how it is brought about.

use std::time::Duration;

use redis::streams::StreamRangeReply;

use crate::books::Account;
use crate::dice::Dice;
use crate::harness::{Manner, PATIENCE, Proxy, Redis, eventually};

/// What can befall Redis, or the way to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    Killed,
    SlowToLoad,
    Stopped,
    OutOfMemory,
    ReadOnly,
    CannotSave,
    NoMoreConnections,
    ConnectionsKilled,
    Flushed,
    Deleted,
    AnotherType,
    Slow,
    Throttled,
    Silent,
    RepliesLost,
    RepliesBrokenOff,
    Cut,
}

use Fault::*;

pub const FAULTS: [Fault; 17] = [
    Killed,
    SlowToLoad,
    Stopped,
    OutOfMemory,
    ReadOnly,
    CannotSave,
    NoMoreConnections,
    ConnectionsKilled,
    Flushed,
    Deleted,
    AnotherType,
    Slow,
    Throttled,
    Silent,
    RepliesLost,
    RepliesBrokenOff,
    Cut,
];

/// Where faults strike.
pub struct Scene<'a> {
    pub redis: &'a Redis,
    pub proxy: &'a Proxy,
    pub accounts: &'a [Account],
    pub dice: Dice,
    /// How long a fault that lasts lasts at the most.
    pub longest: Duration,
}

impl Scene<'_> {
    /// Lets it happen; returns when Redis is as it should be again.
    pub fn strike(&mut self, fault: Fault) {
        let redis = self.redis;
        let time = Duration::from_millis(100 + self.dice.below(self.longest.as_millis() as u64));
        match fault {
            Killed => {
                redis.kill();
                std::thread::sleep(time);
                redis.restart();
            }
            SlowToLoad => {
                // Without what was there before, which would be read slowly, too.
                redis.command::<()>(&["BGREWRITEAOF"]);
                info_says(redis, &["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"]);
                redis.restart_slowly();
            }
            Stopped => {
                redis.pause();
                std::thread::sleep(time);
                redis.resume();
            }
            OutOfMemory => self.configure("maxmemory", "1", "0", time),
            ReadOnly => {
                redis.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
                std::thread::sleep(time);
                redis.command::<()>(&["REPLICAOF", "NO", "ONE"]);
            }
            CannotSave => self.cannot_save(time),
            NoMoreConnections => self.configure("maxclients", "1", "10000", time),
            ConnectionsKilled => redis.command::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]),
            Flushed => {
                let all: Vec<_> = self.accounts.iter().collect();
                self.wipe(&all, &["FLUSHALL"]);
            }
            Deleted => {
                let one = &self.accounts[self.dice.below(self.accounts.len() as u64) as usize];
                self.wipe(&[one], &["DEL", &one.stream]);
            }
            AnotherType => {
                let one = &self.accounts[self.dice.below(self.accounts.len() as u64) as usize];
                self.wipe(&[one], &["SET", &one.stream, "no stream"]);
                std::thread::sleep(time);
                redis.command::<()>(&["DEL", &one.stream]);
            }
            Slow => self.pass_in_manner(Manner::Delay(time / 10), time),
            Throttled => self.pass_in_manner(Manner::Throttle(1 << 20), time),
            Silent => self.pass_in_manner(Manner::Hold, time),
            RepliesLost => self.pass_in_manner(Manner::Swallow, time),
            RepliesBrokenOff => {
                for _ in 0..10 {
                    self.proxy.cut_and(Manner::CutAfter(self.dice.below(2000) as usize));
                    std::thread::sleep(time / 10);
                }
                self.proxy.set(Manner::Pass);
            }
            Cut => self.proxy.cut_and(Manner::Pass),
        }
    }

    fn pass_in_manner(&self, manner: Manner, time: Duration) {
        self.proxy.set(manner);
        std::thread::sleep(time);
        self.proxy.set(Manner::Pass);
    }

    fn configure(&self, name: &str, bad: &str, good: &str, time: Duration) {
        // With one connection: there may be no other to get. The others go, so that there is something to want.
        let mut connection = self.redis.connection();
        let mut set = |value: &str| redis::cmd("CONFIG").arg(&["SET", name, value]).exec(&mut connection);
        set(bad).expect("to set");
        std::thread::sleep(time / 2);
        if name == "maxclients" {
            self.proxy.cut_and(Manner::Pass);
        }
        std::thread::sleep(time / 2);
        set(good).expect("to set");
    }

    fn cannot_save(&self, time: Duration) {
        let redis = self.redis;
        let file = redis.directory().join("dump.rdb");
        // An earlier save, or where the file should be a directory, which stops root, too.
        let _ = std::fs::remove_file(&file);
        std::fs::create_dir(&file).expect("a directory in its way");
        redis.command::<()>(&["CONFIG", "SET", "save", "3600 100000000"]);
        redis.command::<()>(&["BGSAVE"]);
        info_says(redis, &["rdb_bgsave_in_progress:0", "rdb_last_bgsave_status:err"]);
        std::thread::sleep(time);
        redis.command::<()>(&["CONFIG", "SET", "save", ""]);
        std::fs::remove_dir(&file).expect("to clear the way");
    }

    /// Notes what is in these streams and ends them, at once; then a moment passes, because entries of the same
    /// millisecond would get the same ids again.
    fn wipe(&self, accounts: &[&Account], by: &[&str]) {
        let mut all = redis::pipe();
        all.atomic();
        for account in accounts {
            all.cmd("XRANGE").arg(&[&account.stream, "-", "+"]);
        }
        all.cmd(by[0]).arg(&by[1..]).ignore();
        all.cmd("EVAL")
            .arg(&["local n = 0 for i = 1, 1000000 do n = n + i end", "0"])
            .ignore();
        let entries: Vec<StreamRangeReply> = all.query(&mut self.redis.connection()).expect("to wipe");
        for (account, entries) in accounts.iter().zip(entries) {
            account.wipe(entries);
        }
    }
}

fn info_says(redis: &Redis, lines: &[&str]) {
    eventually(3 * PATIENCE, || {
        let info: String = redis.command(&["INFO", "persistence"]);
        lines.iter().all(|line| info.contains(line))
    });
}
