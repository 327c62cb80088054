//! Memory and disk of Redis: how much is used, and whether it can save, as `INFO` tells. `GET /activity` asks.
//! See <https://redis.io/docs/latest/commands/info/>.

use redis::Value;

use super::{Nobody, Session, value};
use crate::words::error::StoreError;
use crate::words::info::Info;

/// From which share of its memory on, in percent, Redis is nearly full.
pub const NEARLY_FULL: u64 = 95;

/// What Redis says about where it keeps things. Each field is none where it does not tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Storage {
    /// Bytes of memory that count against the limit.
    pub used_memory: Option<u64>,
    /// The limit, in bytes; none if there is none.
    pub maxmemory: Option<u64>,
    /// Whether it refuses what would take more than that. Otherwise it forgets something.
    pub refuses: bool,
    /// Why it does not save; none as long as it does, or is not to.
    pub failure: Option<Failure>,
    /// Changes since it last saved.
    pub changes: Option<u64>,
    /// When it last saved, in seconds since 1970.
    pub saved: Option<u64>,
}

/// What of saving failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The last snapshot.
    Snapshot,
    /// The last write to the append-only file.
    AppendOnlyFile,
}

impl Session {
    /// What Redis says about its memory and its saving; nothing if it does not let us ask. One round trip.
    pub fn storage(&mut self) -> Result<Storage, StoreError> {
        let mut packed = redis::cmd("INFO").arg("memory").get_packed_command();
        redis::cmd("INFO").arg("persistence").write_packed_command(&mut packed);
        let replies = self.exchange(&packed, 2, &mut Nobody)?;
        let texts = replies.iter().map(|reply| match reply {
            Value::VerbatimString { text, .. } => text,
            reply => value::text(reply).unwrap_or_default(),
        });
        Ok(Storage::read(&texts.collect::<Vec<_>>().join("\n")))
    }
}

impl Storage {
    /// Out of the text of `INFO`.
    fn read(info: &str) -> Storage {
        let info = Info::parse(info);
        let number = |name: &str| info.number(name);
        let failed = |name: &str| info.text(name).is_some_and(|status| status != "ok");
        let failure = if number("aof_enabled") == Some(1) && failed("aof_last_write_status") {
            Some(Failure::AppendOnlyFile)
        } else {
            failed("rdb_last_bgsave_status").then_some(Failure::Snapshot)
        };
        // Buffers for replicas and the append-only file are not held against the limit.
        let uncounted = number("mem_not_counted_for_evict").unwrap_or(0);
        Storage {
            used_memory: number("used_memory").map(|used| used.saturating_sub(uncounted)),
            maxmemory: number("maxmemory").filter(|limit| *limit > 0),
            refuses: info.text("maxmemory_policy") == Some("noeviction"),
            failure,
            changes: number("rdb_changes_since_last_save"),
            saved: number("rdb_last_save_time"),
        }
    }

    /// How much of the limit is used, in percent; none without a limit.
    pub fn percent(&self) -> Option<u64> {
        self.used_memory?.saturating_mul(100).checked_div(self.maxmemory?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INFO: &str = "# Memory\r\nused_memory:1100\r\nused_memory_human:1.1K\r\nmaxmemory:1000\r\nmaxmemory_human:1K\r\n\
                        maxmemory_policy:noeviction\r\nmem_not_counted_for_evict:40\r\n\r\n# Persistence\r\n\
                        rdb_changes_since_last_save:53\r\nrdb_last_save_time:1795000000\r\nrdb_last_bgsave_status:ok\r\n\
                        aof_enabled:0\r\naof_last_write_status:ok\r\n";

    #[test]
    fn memory_is_what_counts_against_the_limit() {
        let storage = Storage::read(INFO);
        assert_eq!((storage.used_memory, storage.maxmemory), (Some(1060), Some(1000)));
        assert_eq!((storage.percent(), storage.refuses), (Some(106), true));
        let endless = Storage::read(&INFO.replace("maxmemory:1000", "maxmemory:0"));
        assert_eq!((endless.maxmemory, endless.percent()), (None, None));
        assert!(!Storage::read(&INFO.replace("noeviction", "allkeys-lru")).refuses);
    }

    #[test]
    fn what_of_saving_failed_is_told_with_what_is_at_stake() {
        let storage = Storage::read(INFO);
        assert_eq!(
            (storage.failure, storage.changes, storage.saved),
            (None, Some(53), Some(1_795_000_000))
        );
        let snapshot = INFO.replace("bgsave_status:ok", "bgsave_status:err");
        assert_eq!(Storage::read(&snapshot).failure, Some(Failure::Snapshot));
        // Without an append-only file its status says nothing.
        let write = INFO.replace("write_status:ok", "write_status:err");
        assert_eq!(Storage::read(&write).failure, None);
        let write = write.replace("aof_enabled:0", "aof_enabled:1");
        assert_eq!(Storage::read(&write).failure, Some(Failure::AppendOnlyFile));
    }

    #[test]
    fn who_may_not_ask_knows_nothing() {
        assert_eq!(Storage::read(""), Storage::default());
        assert_eq!(Storage::default().percent(), None);
    }

    proptest! {
        #[test]
        fn no_reply_makes_the_parser_panic(info in ".*", used: u64, limit: u64) {
            let _ = Storage::read(&info).percent();
            let _ = Storage { used_memory: Some(used), maxmemory: Some(limit), ..Storage::default() }.percent();
        }
    }
}
