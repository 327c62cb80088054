//! Files that are read one after the other, standard input among them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use ptg_store::words::units::Size;

use crate::client::{Arrival, Failure, Input};

/// The path that stands for standard input.
pub const STDIN: &str = "/dev/stdin";

/// Files, of which one at most is open.
pub struct Inputs {
    paths: VecDeque<PathBuf>,
    /// The file that is read, or was last.
    path: PathBuf,
    open: Option<Input>,
}

impl Inputs {
    /// These files, or standard input if there is none.
    pub fn new(paths: Vec<PathBuf>) -> Inputs {
        let mut paths = VecDeque::from(paths);
        if paths.is_empty() {
            paths.push_back(STDIN.into());
        }
        Inputs {
            paths,
            path: PathBuf::new(),
            open: None,
        }
    }

    /// Appends what there is of the file that is due, which is opened; none if there is no file any more. One that has ended is left
    /// for the next.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Result<Option<Arrival>, Failure> {
        let input = match &mut self.open {
            Some(input) => input,
            closed => {
                let Some(path) = self.paths.pop_front() else {
                    return Ok(None);
                };
                self.path = path;
                closed.insert(open(&self.path).map_err(|error| failed(&self.path, &error))?)
            }
        };
        let arrival = input.read(buffer).map_err(|error| failed(&self.path, &error))?;
        if arrival == Arrival::End {
            self.open = None;
        }
        Ok(Some(arrival))
    }

    /// Whether it is standard input.
    pub fn is_stdin(&self) -> bool {
        self.path == Path::new(STDIN)
    }

    /// What to call the file that is read, or was last.
    pub fn name(&self) -> String {
        name(&self.path)
    }

    /// What to wait for when there is nothing yet.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.open.as_ref().map(Input::as_fd)
    }
}

/// The failure of an entry that is too large to be read.
pub fn too_large(what: &str, limit: Size) -> Failure {
    Failure::TooLarge(format!(
        "{what} is larger than {limit} (--max-entry; the store has a limit of its own, --max-message)"
    ))
}

fn open(path: &Path) -> io::Result<Input> {
    match path == Path::new(STDIN) {
        true => Input::stdin(),
        false => Input::open(path),
    }
}

fn name(path: &Path) -> String {
    match path == Path::new(STDIN) {
        true => "standard input".into(),
        false => path.display().to_string(),
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Here(format!("cannot read {}: {error}", name(path)))
}
