//! The processes of this machine, from `/proc` (proc(5)), as far as we may look into them. Who wants to know which process has a
//! port (`listeners`), or writes to a data folder (`redis_server`), looks through them here.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::words::visible;

/// A process that runs.
#[derive(Debug, PartialEq)]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// The name of its program, which may be anything.
    pub name: String,
}

/// The first process of which this is so; it is told the process's folder in `/proc`.
pub fn find(is_it: impl Fn(&Path) -> bool) -> Option<Running> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut processes = processes.filter_map(|one| Some((one.file_name().to_str()?.parse().ok()?, one.path())));
    let (pid, folder) = processes.find(|(_, folder)| is_it(folder))?;
    let name = name_of(&folder);
    Some(Running { pid, name })
}

/// What the program of a process is called (proc_pid_comm(5)).
pub fn name_of(process: &Path) -> String {
    let name = fs::read(process.join("comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end().to_owned()
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} (process {})", visible::line(&self.name), self.pid)
    }
}
