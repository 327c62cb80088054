//! Every file is one entry.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use ptg_store::words::units::Size;

use super::Next;
use super::inputs::{Inputs, too_large};
use crate::client::{Arrival, Batch, Failure};

/// Files, of which one at most is in memory.
pub struct Files {
    inputs: Inputs,
    /// What was read of the file that is open.
    entry: Vec<u8>,
    limit: Size,
}

impl Files {
    /// These files, or standard input if there is none.
    pub fn new(paths: Vec<PathBuf>, limit: Size) -> Files {
        Files {
            inputs: Inputs::new(paths),
            entry: Vec::new(),
            limit,
        }
    }

    /// The next file, once it is read to its end.
    pub fn next(&mut self) -> Result<Next, Failure> {
        loop {
            match self.inputs.read(&mut self.entry)? {
                Some(Arrival::Bytes(_)) if self.entry.len() > self.limit.0 => {
                    return Err(too_large(&self.inputs.name(), self.limit));
                }
                Some(Arrival::Bytes(_)) => {}
                Some(Arrival::NotYet) => return Ok(Next::NotYet),
                // Whoever wrote into the pipe may have failed.
                Some(Arrival::End) if self.entry.is_empty() && self.inputs.is_stdin() => {
                    return Err(Failure::Nothing(
                        "nothing came on standard input, so nothing of it is pushed; an empty entry is the file /dev/null".into(),
                    ));
                }
                Some(Arrival::End) => {
                    let entry = std::mem::take(&mut self.entry);
                    return Ok(Next::Batch(Batch::single(entry.into(), self.inputs.name())));
                }
                None => return Ok(Next::End),
            }
        }
    }

    /// What to wait for when there is nothing yet.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inputs.fd()
    }
}
