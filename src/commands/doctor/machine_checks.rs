//! The checks of what this machine grants a store.

use std::path::Path;

use super::examination::Examination;
use super::finding::{Finding, Verdict};
use super::machine;

/// The open files that a store may have which is started from this shell.
pub fn shell(examination: &Examination) -> Result<Finding, String> {
    Ok(machine::shell_descriptors(&examination.defaults))
}

/// Those of the process that `--pid` names.
pub fn process(examination: &Examination) -> Result<Finding, String> {
    let pid = examination.flags.pid.ok_or("--pid names no process")?;
    machine::process_descriptors(pid, &examination.defaults)
}

/// The disk with the append-only file, if Redis runs here.
pub fn redis_disk(examination: &Examination) -> Result<Finding, String> {
    let redis = &examination.redis;
    examination.info()?;
    if !redis.is_here() {
        return Err("Redis runs on another machine".into());
    }
    let folder: Vec<String> = redis.ask(&["CONFIG", "GET", "dir"])?;
    let folder = folder.get(1).ok_or("CONFIG GET shows no dir")?;
    room(examination, Path::new(folder))
}

/// The disk with the data folder of a store that starts its own Redis.
pub fn data_disk(examination: &Examination) -> Result<Finding, String> {
    let Some(folder) = &examination.flags.data_dir else {
        let folder = &examination.defaults.data_dir;
        return match folder.is_dir() {
            true => room(examination, folder),
            false => Err(format!("there is no {}; --data-dir names another", folder.display())),
        };
    };
    // A folder that is not there yet will be made where its nearest parent is.
    let there = folder
        .ancestors()
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new("."));
    room(examination, there)
}

fn room(examination: &Examination, folder: &Path) -> Result<Finding, String> {
    let held = examination.info().ok().and_then(|info| info.number("used_memory"));
    let finding = machine::room(folder, held)?;
    if finding.verdict == Verdict::Wrong {
        examination.spare_redis("the disk has too little room for it");
    }
    Ok(finding)
}
