//! The flags of `ptg-store doctor`.

use std::path::PathBuf;

use argh::{ArgsInfo, FromArgs};

/// Examines a store and the Redis behind it from this machine, and says of everything whether it is fine; if not, what is
/// wrong and the command that mends it. Exits with 1 if something is wrong, with 0 if there are warnings at most.
/// It pushes into a stream of its own, named doctor-…, and removes it.
#[derive(FromArgs, ArgsInfo, Debug)]
pub struct Flags {
    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    pub url: Option<String>,

    /// token for the store (default: the environment's PTG_STORE_TOKEN if it is for this store, else that of ptg-store login)
    #[argh(option)]
    pub token: Option<String>,

    /// the Redis behind the store, as it is reached from here (default: the environment's PTG_STORE_REDIS
    /// or REDIS_URL, else the one that stores run in --data-dir, else redis://127.0.0.1:6789)
    #[argh(option)]
    pub redis: Option<String>,

    /// process id of a store on this machine, to look at its open files
    #[argh(option)]
    pub pid: Option<u32>,

    /// folder with the data of a Redis that the store starts itself (default: the environment's PTG_STORE_DATA_DIR, else
    /// ptg-data)
    #[argh(option)]
    pub data_dir: Option<PathBuf>,

    /// leave out the throughput, which takes two seconds and pushes up to 128 MB
    #[argh(switch)]
    pub quick: bool,

    /// print a JSON object a line instead
    #[argh(switch)]
    pub json: bool,
}
