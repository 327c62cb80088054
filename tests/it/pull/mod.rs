//! Entries out, live and from any time: cursors, formats, pace, gaps, streams that begin anew (docs/protocol.md, sections 6 and 8).

pub mod cursors;
mod cursors_end;
pub mod gaps;
mod gaps_none;
pub mod generation_readers;
mod generations;
mod generations_none;
mod generations_resumed;
pub mod joined;
mod joined_refused;
mod later_dialect;
mod memory;
mod newest;
mod outages;
mod pace;
mod replies;
mod shapes;
mod slow_pullers;
