//! Memory that large entries used goes back to the system.
//!
//! glibc's malloc raises the size from which it maps memory of its own, and gives it back when it is freed, to the size of
//! whatever was freed last, up to 32 MiB; then every thread's heap keeps what large entries once took. 24 uploads of 16 MiB
//! with `--max-bodies 64MiB` left 378 MiB resident; with a fixed size 8 MiB, and a peak of 85.
//! malloc reads its setting when a process begins (`man 3 mallopt`), so the program begins anew, once, with it set.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// The environment variable of glibc, in which a user may choose another size.
const VARIABLE: &str = "MALLOC_MMAP_THRESHOLD_";

/// From how many bytes on memory is mapped by itself: so large that the page faults of fresh memory do not count.
const THRESHOLD: usize = 4 << 20;

/// Begins the program anew with the setting, unless it is there. If that fails, the program goes on as it is.
pub fn settle() {
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next();
    if let Ok(program) = std::env::current_exe() {
        let mut anew = Command::new(program);
        if let Some(name) = name {
            anew.arg0(name);
        }
        // It only returns when it fails.
        let _ = anew.args(arguments).env(VARIABLE, THRESHOLD.to_string()).exec();
    }
}
