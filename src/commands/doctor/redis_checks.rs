//! The checks of the Redis behind the store, asked directly.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ptg_store::words::info::Info;

use super::clocks::{self, Asked, Skew};
use super::examination::{Examination, Redis};
use super::finding::{Finding, Verdict};
use super::redis_verdicts::{self as verdicts, Settings};
use crate::client::TICK;
use crate::client::figures::time;
use crate::client::shell::program;
use crate::commands::bench::direct::sentence;

/// What starts a Redis in the folder of the sources.
const START_REDIS: &str = "./scripts/redis-start.sh";

/// What shows each Redis that runs here, with its port or its socket.
const LIST_REDIS: &str = "pgrep -a 'redis-server|valkey-server'";
const WHICH_REDIS: &str = "it is one of these, if it runs here; --redis names it, or --data-dir its folder";

/// How many pings are timed, and from which median on Redis is slow: on one machine it takes a tenth of a millisecond.
const PINGS: usize = 20;
const SLOW_PING: Duration = Duration::from_millis(5);

/// How long an entry may take from the store's Redis to the one that is asked, which may be a replica of it.
const REPLICATION: Duration = Duration::from_secs(1);

/// Connections of a store besides those of its WebSockets and workers: the watch, and whoever asks with redis-cli.
const SPARE_CLIENTS: usize = 8;

/// Whether there is one, and which.
pub fn version(examination: &Examination) -> Result<Finding, String> {
    let address = examination.redis.address();
    let asked = examination.redis.converse(|connection| {
        match redis::cmd("INFO").query::<String>(connection) {
            // Nothing of what it would say is known then, but it is there.
            Err(error) if error.code() == Some("NOPERM") => Ok(None),
            said => said.map(Some).map_err(sentence),
        }
    });
    let (info, finding) = match asked {
        Ok(Some(text)) => {
            let info = Info::parse(&text);
            let finding = verdicts::version(&info);
            (info, finding)
        }
        Ok(None) => {
            let silent = "it answers, but its access list does not allow INFO: little can be checked";
            (Info::default(), Finding::warning(silent))
        }
        Err(sentence) => return unreachable(examination, sentence),
    };
    let _ = examination.known.info.set(info);
    Ok(Finding {
        found: format!("at {address}: {}", finding.found),
        ..finding
    })
}

/// Whether it is the store's: what goes in there must be here.
pub fn identity(examination: &Examination) -> Result<Finding, String> {
    examination.info()?;
    let probe = examination.probe()?;
    let path = format!("/data/{}", probe.name);
    let ids = probe
        .store
        .post(&path, "application/octet-stream", b"through the store");
    let ids = ids.map_err(|failure| format!("nothing can be pushed: {failure}"))?;
    let id = ids[0].as_str().ok_or("the reply to a push has no id")?;
    let until = Instant::now() + REPLICATION;
    let mut same = has_entry(&examination.redis, &probe.name, id)?;
    while !same && Instant::now() < until {
        let slept = examination.interrupted.sleep(TICK);
        slept.map_err(|failure| failure.to_string())?;
        same = has_entry(&examination.redis, &probe.name, id)?;
    }
    let _ = examination.known.same_redis.set(same);
    let address = examination.redis.address();
    Ok(match same {
        true => Finding::ok("what is pushed through the store is in this Redis"),
        false => Finding::wrong(format!(
            "the Redis at {address} is not the store's: what is pushed through the store is not in it"
        ))
        .mend_for(WHICH_REDIS, LIST_REDIS),
    })
}

/// Whether it has room.
pub fn memory(examination: &Examination) -> Result<Finding, String> {
    let finding = verdicts::memory(examination.info()?, &examination.redis.cli);
    if finding.verdict == Verdict::Wrong {
        examination.spare_redis("Redis has too little memory left for it");
    }
    Ok(finding)
}

/// What it does when it is full.
pub fn policy(examination: &Examination) -> Result<Finding, String> {
    let finding = verdicts::policy(examination.info()?, &examination.redis.cli);
    if finding.verdict == Verdict::Wrong {
        examination.spare_redis("Redis might forget streams to make room for it");
    }
    Ok(finding)
}

/// What a crash of it costs.
pub fn persistence(examination: &Examination) -> Result<Finding, String> {
    let info = examination.info()?;
    let [appendfsync, save, stop_writes_on_bgsave_error, dir] = settings(
        examination,
        ["appendfsync", "save", "stop-writes-on-bgsave-error", "dir"],
    );
    let settings = Settings {
        dir,
        appendfsync,
        save,
        stop_writes_on_bgsave_error,
    };
    Ok(verdicts::persistence(info, &settings, &examination.redis.cli))
}

/// Whether the store's connections fit.
pub fn clients(examination: &Examination) -> Result<Finding, String> {
    let info = examination.info()?;
    let [limit] = settings(examination, ["maxclients"]);
    let limit = limit.and_then(|limit| limit.parse().ok());
    let defaults = &examination.defaults;
    let needed = defaults.limits.max_sockets + defaults.rest_workers + SPARE_CLIENTS;
    Ok(verdicts::clients(info, limit, needed as u64, &examination.redis.cli))
}

/// How long a ping takes, over one connection.
pub fn latency(examination: &Examination) -> Result<Finding, String> {
    examination.info()?;
    let mut times = examination.redis.converse(|connection| {
        let mut times = Vec::with_capacity(PINGS);
        for _ in 0..PINGS {
            let begun = Instant::now();
            redis::cmd("PING").exec(connection).map_err(sentence)?;
            times.push(begun.elapsed());
        }
        Ok(times)
    })?;
    times.sort_unstable();
    let (median, most) = (times[PINGS / 2], times[PINGS - 1]);
    let found = format!("{} for a ping, {} at most", time(median), time(most));
    Ok(match median > SLOW_PING {
        true => {
            let look = examination.redis.cli.command("slowlog get 10");
            Finding::warning(format!("{found}: every entry waits for it")).mend_for("what keeps it busy", look)
        }
        false => Finding::ok(found),
    })
}

/// This machine's clock beside those of the store and of Redis.
pub fn clocks(examination: &Examination) -> Result<Finding, String> {
    let redis = examination.info().and_then(|_| redis_skew(examination)).ok();
    Ok(clocks::judge(examination.known.skew.get().copied(), redis))
}

fn redis_skew(examination: &Examination) -> Result<Skew, String> {
    examination.redis.converse(|connection| {
        let before = SystemTime::now();
        let told: (u64, u32) = redis::cmd("TIME").query(connection).map_err(sentence)?;
        let asked = Asked {
            before,
            after: SystemTime::now(),
        };
        let told = Duration::from_secs(told.0).checked_add(Duration::from_micros(told.1.into()));
        let told = told.and_then(|told| UNIX_EPOCH.checked_add(told));
        Ok(Skew::of_redis(told.ok_or("Redis tells a time that is none")?, asked))
    })
}

/// Whether this entry is in this stream.
fn has_entry(redis: &Redis, stream: &str, id: &str) -> Result<bool, String> {
    let found: redis::Value = redis.ask(&["XRANGE", stream, id, id])?;
    Ok(matches!(&found, redis::Value::Array(entries) if entries.len() == 1))
}

/// These settings, as far as they may be asked for.
fn settings<const COUNT: usize>(examination: &Examination, names: [&'static str; COUNT]) -> [Option<String>; COUNT] {
    let asked = examination.redis.converse(move |connection| {
        Ok(names.map(|name| {
            let reply: Result<Vec<String>, _> = redis::cmd("CONFIG").arg("GET").arg(name).query(connection);
            reply.ok()?.into_iter().nth(1)
        }))
    });
    asked.unwrap_or([const { None }; COUNT])
}

/// What to say when it does not answer, or not us.
fn unreachable(examination: &Examination, sentence: String) -> Result<Finding, String> {
    let redis = &examination.redis;
    let store_has_one = examination.known.ping.get() == Some(&true);
    // Redis's words, and those of its client, for: a password is needed, or it is wrong.
    let locked = ["NOAUTH", "WRONGPASS", "AuthenticationFailed"];
    let is_locked = locked.iter().any(|word| sentence.contains(word));
    if !redis.named && store_has_one {
        let address = redis.address();
        return match is_locked {
            // It may well be the store's, which knows the password.
            true => Err(format!(
                "the Redis at {address} needs the password that the store has: it is taken from REDIS_URL"
            )),
            false => Ok(Finding::not_checked(format!(
                "the store's Redis has no port that doctor knows (it looked at {address}: {sentence}); \
                 ptg-store doctor --data-dir FOLDER finds the one that a store keeps in that folder, and --redis names any"
            ))
            .mend_for(WHICH_REDIS, LIST_REDIS)),
        };
    }
    if !redis.named && examination.known.address.get().is_some() && !examination.store_is_here() {
        return Err("the store runs on another machine; --redis names its Redis".into());
    }
    let finding = Finding::wrong(sentence);
    Ok(if is_locked {
        finding.mend(redis.with_password(&examination.store.command("doctor --quick")))
    } else if !redis.named && examination.known.address.get().is_none() {
        finding.mend_for("it starts a Redis, too", program())
    } else if !redis.named && Path::new(START_REDIS).is_file() {
        finding.mend(format!("{START_REDIS} --daemonize yes"))
    } else {
        finding.mend_for("whether it can be reached", redis.cli.command("ping"))
    })
}
