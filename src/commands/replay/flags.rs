//! The flags of `ptg-store replay`.

use std::path::PathBuf;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use crate::client::{Failure, Patience};

/// For how long a store that is away is tried again, unless `--retry` says otherwise.
const RETRY: Duration = Duration::from_secs(60);

/// Pushes what ptg-store record recorded, with the spacing that it had: all streams together on one time line.
#[derive(FromArgs, ArgsInfo, Debug)]
pub struct Flags {
    /// the folder
    #[argh(positional)]
    pub folder: PathBuf,

    /// replay only this stream; NAME=OTHER replays it into another. More than once: several
    #[argh(option)]
    pub stream: Vec<String>,

    /// put this before the name of every stream that is pushed to
    #[argh(option, default = "String::new()")]
    pub prefix: String,

    /// how many times as fast as it was (default 1); 0: as fast as possible
    #[argh(option, default = "1.0")]
    pub speed: f64,

    /// as fast as possible
    #[argh(switch)]
    pub fast: bool,

    /// begin again at the end, until Ctrl-C
    #[argh(switch, long = "loop")]
    pub repeat: bool,

    /// push the entries with the ids that they had, and so their times, instead of new ones
    #[argh(switch)]
    pub keep_times: bool,

    /// begin behind this entry id, or at this time: -1w, 2026-11-25T10:00:00Z, or by this machine's clock 10:00,
    /// '2026-11-25 10:00', 2026-11-25
    #[argh(option)]
    pub from: Option<String>,

    /// end with the last entry up to this entry id or time, as with --from
    #[argh(option)]
    pub until: Option<String>,

    /// let the streams that are pushed to keep as many entries as there are, if they would keep fewer
    #[argh(switch)]
    pub raise_max_len: bool,

    /// push nothing: read everything, compare the checksums, and say what is damaged or torn
    #[argh(switch)]
    pub check: bool,

    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    pub url: Option<String>,

    /// token for the store (default: the environment's PTG_STORE_TOKEN if it is for this store, else that of ptg-store login)
    #[argh(option)]
    pub token: Option<String>,

    /// for how long to try again while the store cannot be reached: 10s, 1h, forever; 0: never (default 60s)
    #[argh(option, default = "Patience::For(RETRY)")]
    pub retry: Patience,

    /// say nothing but what went wrong
    #[argh(switch)]
    pub quiet: bool,
}

impl Flags {
    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), Failure> {
        let wrong = |sentence: &str| Err(Failure::Usage(sentence.into()));
        if !(self.speed.is_finite() && self.speed >= 0.0) {
            return wrong("--speed is a number such as 2 or 0.5; 0 is as fast as possible");
        }
        if self.keep_times && self.repeat {
            return wrong("--keep-times and --loop contradict each other: an entry id can be stored once only");
        }
        Ok(())
    }

    /// How many times as fast as it was; none if as fast as possible.
    pub fn factor(&self) -> Option<f64> {
        (!self.fast && self.speed > 0.0).then_some(self.speed)
    }
}
