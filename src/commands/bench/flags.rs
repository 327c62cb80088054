//! The flags of `ptg-store bench`.

use argh::{ArgsInfo, FromArgs};
use ptg_store::words::units::Span;

/// Measures a running store and the Redis behind it side by side: the same work through the store and straight to Redis, in turns.
/// It uses streams of its own, named bench-…, and removes them.
#[derive(FromArgs, ArgsInfo, Debug)]
pub struct Flags {
    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    pub url: Option<String>,

    /// token for the store (default: the environment's PTG_STORE_TOKEN if it is for this store, else that of ptg-store login; else
    /// it signs in with --user and --password)
    #[argh(option)]
    pub token: Option<String>,

    /// who signs in (default bench)
    #[argh(option, default = "String::from(\"bench\")")]
    pub user: String,

    /// the user's password (default: the user's name, as development mode has it)
    #[argh(option)]
    pub password: Option<String>,

    /// the Redis behind the store, as it is reached from here (default redis://127.0.0.1:6789)
    #[argh(option, default = "String::from(\"redis://127.0.0.1:6789\")")]
    pub redis: String,

    /// how often each operation is measured on each side; medians are shown (default 5)
    #[argh(option, default = "5")]
    pub rounds: usize,

    /// how long one measurement takes (default 1s; those of live streams take twice as long)
    #[argh(option, default = "Span(std::time::Duration::from_secs(1))")]
    pub seconds: Span,

    /// measure only operations whose name contains this; more than once: any of them
    #[argh(option)]
    pub only: Vec<String>,

    /// print JSON with the figures of every round
    #[argh(switch)]
    pub json: bool,

    /// list the operations and exit
    #[argh(switch)]
    pub list: bool,

    /// process id of a store on this machine, to see what an idle pull costs it in memory
    #[argh(option)]
    pub pid: Option<u32>,
}

impl Flags {
    /// Refuses what cannot be measured.
    pub fn check(&self) -> Result<(), String> {
        if self.rounds == 0 {
            return Err("--rounds must be at least 1".into());
        }
        if self.seconds.0.is_zero() {
            return Err("--seconds must be more than 0".into());
        }
        Ok(())
    }
}
