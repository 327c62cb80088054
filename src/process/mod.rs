//! What the program asks of the system for itself: memory, its log, signals.

pub mod allocator;
pub mod logging;
pub mod signals;
