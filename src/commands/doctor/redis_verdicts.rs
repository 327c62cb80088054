//! What to think of what Redis says about itself. Pure: the asking is done elsewhere.

use std::path::Path;

use ptg_store::store::NEARLY_FULL;
use ptg_store::words::info::Info;

use super::finding::{Finding, Mend};
use super::shell::{RedisCli, as_root};
use crate::client::figures::{bytes, share};
use crate::client::shell::{program, quote};

/// The oldest Redis that has every command the store uses, and the oldest that tells a slow puller what it missed.
const OLDEST: (u32, u32) = (6, 2);
const OLDEST_THAT_COUNTS: (u32, u32) = (7, 0);

/// From which share of its limit on, in percent, memory or connections are short, and when they are as good as used up.
const SHORT: u64 = 80;
const USED_UP: u64 = NEARLY_FULL;

/// The cap that the store gives a Redis of its own: 8 GiB or half of the machine's memory, whichever is less.
const MOST_MEMORY: u64 = 8 << 30;

/// Redis's own default of `maxclients`.
const MANY_CLIENTS: u64 = 10_000;

/// Settings that `INFO` does not show; each is none where `CONFIG GET` is not allowed.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub dir: Option<String>,
    pub appendfsync: Option<String>,
    pub save: Option<String>,
    pub stop_writes_on_bgsave_error: Option<String>,
}

/// Whether it is one that the store can use.
pub fn version(info: &Info) -> Finding {
    let Some((product, version)) = info.version() else {
        return Finding::warning("it does not tell its version; the store needs Redis 6.2 or newer, or Valkey");
    };
    let found = format!("{product} {version}");
    if info.number("loading") == Some(1) {
        let done = info.text("loading_loaded_perc").unwrap_or("?");
        return Finding::wrong(format!(
            "{found} still reads its data ({done} % done), and refuses everything until it has"
        ));
    }
    if info.text("role") == Some("slave") {
        let host = info.text("master_host").unwrap_or("PRIMARY");
        let port = info.text("master_port").unwrap_or("6379");
        let primary = format!("redis://{host}:{port}");
        return Finding::wrong(format!(
            "{found}, a read-only replica of {host}:{port}: nothing can be pushed"
        ))
        .mend_for(
            "instead of the store that runs",
            format!("{} --redis {}", program(), quote(&primary)),
        );
    }
    if info.text("redis_mode") == Some("cluster") {
        return Finding::warning(format!(
            "{found} in cluster mode: one node with all slots serves, but not pulls and batches of several streams, unless \
             all are in one slot; streams on other nodes are out of reach"
        ));
    }
    match numbers(version) {
        // Every Valkey descends from Redis 7.2.
        _ if product == "Valkey" => Finding::ok(found),
        None => Finding::warning(format!("{found}: unknown to the doctor; the store needs 6.2 or newer")),
        Some(numbers) if numbers < OLDEST => {
            Finding::wrong(format!("{found} is too old: the store needs 6.2 or newer"))
                .mend(as_root("apt-get install redis-server"))
        }
        Some(numbers) if numbers < OLDEST_THAT_COUNTS => Finding::warning(format!(
            "{found} cannot tell what slow pullers missed: gaps are not counted before 7.0"
        ))
        .mend(as_root("apt-get install redis-server")),
        Some(_) => Finding::ok(found),
    }
}

/// Whether there is room for more.
pub fn memory(info: &Info, cli: &RedisCli) -> Finding {
    let (Some(used), Some(limit)) = (info.number("used_memory"), info.number("maxmemory")) else {
        return Finding::not_checked("INFO shows no used_memory and maxmemory");
    };
    let machine = info.number("total_system_memory").filter(|total| *total > 0);
    let sane = machine.map(|total| MOST_MEMORY.min(total / 2));
    let raise = |finding: Finding| match sane.filter(|sane| *sane > limit.max(used)) {
        Some(sane) => finding.mend_all(set(cli, info, "maxmemory", &mebibytes(sane))),
        None => finding,
    };
    if limit == 0 {
        let all = machine.map_or("the machine's memory".into(), |total| {
            format!("the machine's {}", bytes(total))
        });
        return raise(Finding::warning(format!(
            "{} used, without a limit: it may take all of {all}, and is killed then",
            bytes(used)
        )));
    }
    let found = format!("{} of {} used ({})", bytes(used), bytes(limit), share(used, limit));
    match used.saturating_mul(100) / limit {
        USED_UP.. => raise(Finding::wrong(format!("{found}: pushes are refused, or soon will be"))),
        SHORT.. => raise(Finding::warning(format!("{found}: little is left"))),
        _ => match machine.filter(|total| limit > *total) {
            Some(total) => Finding::warning(format!("{found}, but the machine has only {}", bytes(total)))
                .mend_all(set(cli, info, "maxmemory", &mebibytes(total / 2))),
            None => Finding::ok(found),
        },
    }
}

/// Whether a Redis that is full refuses, or forgets.
pub fn policy(info: &Info, cli: &RedisCli) -> Finding {
    let Some(policy) = info.text("maxmemory_policy") else {
        return Finding::not_checked("INFO shows no maxmemory_policy");
    };
    let evicted = info.number("evicted_keys").unwrap_or(0);
    let mended = || set(cli, info, "maxmemory-policy", "noeviction");
    match policy {
        "noeviction" if evicted > 0 => Finding::warning(format!(
            "noeviction now, but {evicted} keys were evicted since Redis started: whole streams may have been"
        ))
        .mend_for("once you know", cli.command("config resetstat")),
        "noeviction" => Finding::ok("noeviction: a full Redis refuses and forgets nothing"),
        _ if policy.starts_with("allkeys-") => {
            let so_far = match evicted {
                0 => String::new(),
                count => format!("; {count} keys were evicted so far"),
            };
            Finding::wrong(format!("{policy}: when memory is full, whole streams vanish silently{so_far}")).mend_all(mended())
        }
        _ => Finding::warning(format!(
            "{policy}: when memory is full, keys with an expiry vanish silently, which streams only have if somebody sets it"
        ))
        .mend_all(mended()),
    }
}

/// What a crash costs, and whether writing to disk works.
pub fn persistence(info: &Info, settings: &Settings, cli: &RedisCli) -> Finding {
    let Some(aof) = info.number("aof_enabled") else {
        return Finding::not_checked("INFO shows nothing of persistence");
    };
    let snapshots = settings.save.as_deref().is_some_and(|save| !save.is_empty());
    if aof == 1 && info.text("aof_last_write_status").is_some_and(|status| status != "ok") {
        let dir = settings.dir.as_deref();
        // A store has its Redis write its log there.
        let own = dir
            .map(|dir| Path::new(dir).join("redis.log"))
            .filter(|log| log.exists());
        let log = own.map_or("the log of Redis".into(), |log| log.display().to_string());
        return Finding::wrong("its last write to the append-only file failed, so it refuses pushes (MISCONF)")
            .mend_for(
                format!("make room, or see to the disk; {log} names the error"),
                format!("df -h{}", dir.map_or(String::new(), |dir| format!(" {}", quote(dir)))),
            );
    }
    if info.text("rdb_last_bgsave_status").is_some_and(|status| status != "ok") && snapshots {
        return snapshot_failed(info, settings, cli);
    }
    if aof == 0 {
        let loss = match settings.save.as_deref() {
            Some("") => "a crash or restart of Redis costs all streams".to_string(),
            Some(save) => format!("a crash costs what came after the last snapshot (save {save})"),
            None => "a crash costs what came after the last snapshot, if there are any".to_string(),
        };
        return Finding::warning(format!("appendonly no: {loss}")).mend_all(set(cli, info, "appendonly", "yes"));
    }
    if info
        .text("aof_last_bgrewrite_status")
        .is_some_and(|status| status != "ok")
    {
        return Finding::warning("the last rewrite of the append-only file failed, so it grows without end")
            .mend_for("after making room on its disk", cli.command("bgrewriteaof"));
    }
    match settings.appendfsync.as_deref() {
        Some("no") => {
            Finding::warning("appendonly yes, appendfsync no: a crash of the machine costs about half a minute")
                .mend_all(set(cli, info, "appendfsync", "everysec"))
        }
        Some("always") => Finding::ok("appendonly yes, appendfsync always: what was acknowledged survives"),
        Some("everysec") => Finding::ok("appendonly yes, appendfsync everysec: a crash costs a second at most"),
        other => Finding::ok(format!("appendonly yes, appendfsync {}", other.unwrap_or("unknown"))),
    }
}

/// Whether the store's connections fit, of which it needs up to so many.
pub fn clients(info: &Info, limit: Option<u64>, needed: u64, cli: &RedisCli) -> Finding {
    let limit = info.number("maxclients").or(limit).filter(|limit| *limit > 0);
    let (Some(connected), Some(limit)) = (info.number("connected_clients"), limit) else {
        return Finding::not_checked("neither INFO nor CONFIG GET shows maxclients");
    };
    let rejected = match info.number("rejected_connections") {
        None | Some(0) => String::new(),
        Some(count) => format!("; {count} were turned away since it started"),
    };
    let found = format!("{connected} connected, of at most {limit}{rejected}");
    let raise = |finding: Finding| finding.mend_all(set(cli, info, "maxclients", &MANY_CLIENTS.to_string()));
    match connected.saturating_mul(100) / limit {
        USED_UP.. => raise(Finding::wrong(format!("{found}: sockets are refused, or soon will be"))),
        SHORT.. => raise(Finding::warning(format!("{found}: few are left"))),
        _ if limit < needed => raise(Finding::warning(format!(
            "{found}: with its default limits a store takes up to {needed}"
        ))),
        _ => Finding::ok(found),
    }
}

fn snapshot_failed(info: &Info, settings: &Settings, cli: &RedisCli) -> Finding {
    let stops = settings.stop_writes_on_bgsave_error.as_deref() != Some("no");
    let consequence = match stops {
        true => "so it refuses pushes (MISCONF)",
        false => "so a crash costs all that came after the one before",
    };
    let finding = match stops {
        true => Finding::wrong(format!("its last snapshot failed, {consequence}")),
        false => Finding::warning(format!("its last snapshot failed, {consequence}")),
    };
    match info.number("aof_enabled") {
        // The append-only file has everything already.
        Some(1) => finding.mend_all(set(cli, info, "save", "''")),
        _ => finding.mend_for(
            "after making room on its disk; the log of Redis names the error",
            cli.command("bgsave"),
        ),
    }
}

/// Sets it now, and in its file if it has one, for its next start.
fn set(cli: &RedisCli, info: &Info, name: &str, value: &str) -> Vec<Mend> {
    let mut commands = vec![Mend::new(cli.command(&format!("config set {name} {value}")))];
    if info.text("config_file").is_some() {
        commands.push(Mend::new(cli.command("config rewrite")).why("keeps it for the next start"));
    }
    commands
}

/// A size as Redis's settings take it.
fn mebibytes(bytes: u64) -> String {
    format!("{}mb", bytes >> 20)
}

/// The first two numbers of a version.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests;
