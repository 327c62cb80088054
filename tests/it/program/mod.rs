//! The program as a whole: its end, its log, and what its documents say.

mod architecture;
mod documentation;
mod ending;
mod log;
