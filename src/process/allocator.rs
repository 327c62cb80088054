//! Memory that entries used goes back to the system.
//!
//! glibc's malloc raises the size from which it maps memory of its own, and gives it back when it is freed, to the size of
//! whatever was freed last, up to 32 MiB; then every thread's heap keeps what large entries once took. 24 uploads of 16 MiB
//! with `--max-bodies 64MiB` left 378 MiB resident; with fixed sizes 39 MiB, and a peak of 120.
//! malloc reads its settings when a process begins (`man 3 mallopt`), so the program begins anew, once, with them set.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// From how many bytes on memory is mapped by itself: so large that the page faults of fresh memory hardly count.
const MAPPED: (&str, usize) = ("MALLOC_MMAP_THRESHOLD_", 4 << 20);

/// How much a heap may keep at its end. It does keep that, for later: a time of mixed clients left 89 MiB in sixteen heaps with
/// 8 MiB, 50 with 4 and 21 with 2. With 2 MiB an entry of a megabyte often gets fresh memory, and costs a tenth more.
const KEPT: (&str, usize) = ("MALLOC_TRIM_THRESHOLD_", 4 << 20);

/// How many heaps there are, which threads use by turns; as it is without this on two cores, where more cores have eight each.
/// Not fewer: a heap gives back its end only, and when threads that stay share it with those that come and go, something of
/// theirs is in the way. 400 pushes of a megabyte at once left 331 MiB in four heaps, 11 MiB in sixteen.
const HEAPS: (&str, usize) = ("MALLOC_ARENA_MAX", 16);

/// Begins the program anew with the settings that a user did not choose. If that fails, the program goes on as it is.
pub fn settle() {
    let unset = |(name, _): &(&str, usize)| std::env::var_os(name).is_none();
    let settings: Vec<_> = [MAPPED, KEPT, HEAPS].into_iter().filter(unset).collect();
    if settings.is_empty() {
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
        let settings = settings.into_iter().map(|(name, value)| (name, value.to_string()));
        let _ = anew.args(arguments).envs(settings).exec();
    }
}
