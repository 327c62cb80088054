//! `recording.json`: what the folder is, and which stream is in which files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{at, show, stem};
use crate::recording::files;
use crate::words::ids::StreamId;

/// Its name.
pub const ABOUT: &str = "recording.json";

/// What it is called until it is whole.
pub(super) const UNFINISHED: &str = "recording.json.new";

/// The value of `format`.
const FORMAT: &str = "ptg-store recording";

/// The only version yet.
const VERSION: u64 = 1;

/// The largest that is read, in bytes: a hundred thousand streams with long names.
const MAX_ABOUT: u64 = 64 << 20;

/// What `recording.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    format: String,
    version: u64,
    /// The URL of the store that was recorded, without a token.
    pub store: String,
    /// When the recording was begun: RFC 3339, UTC.
    pub begun: String,
    /// Each stream's name, and what its two files are called without their ends.
    streams: BTreeMap<String, String>,
}

impl About {
    /// Reads and checks it; none if there is no such file.
    pub(super) fn read(folder: &Path) -> Result<Option<About>, String> {
        let path = folder.join(ABOUT);
        let file = match files::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path, error)),
        };
        let mut text = Vec::new();
        let read = file.take(MAX_ABOUT + 1).read_to_end(&mut text);
        read.map_err(|error| at(&path, error))?;
        if text.len() as u64 > MAX_ABOUT {
            return Err(format!("{} is larger than {MAX_ABOUT} bytes", show(&path)));
        }
        let about = About::parse(&text);
        about.map(Some).map_err(|fault| format!("{}: {fault}", show(&path)))
    }

    /// Writes the first one of a new recording.
    pub(super) fn begin(folder: &Path, store: &str) -> Result<About, String> {
        let about = About {
            format: FORMAT.into(),
            version: VERSION,
            store: store.into(),
            begun: jiff::Timestamp::now().to_string(),
            streams: BTreeMap::new(),
        };
        about.write(folder)?;
        Ok(about)
    }

    /// Its streams, sorted.
    pub(super) fn streams(&self) -> Vec<StreamId> {
        // They were checked when it was read.
        self.streams
            .keys()
            .filter_map(|name| StreamId::new(name).ok())
            .collect()
    }

    /// Whether it knows this stream.
    pub fn has(&self, stream: &StreamId) -> bool {
        self.streams.contains_key(stream.as_str())
    }

    /// Adds a stream, and writes it.
    pub(super) fn add(&mut self, folder: &Path, stream: &StreamId) -> Result<(), String> {
        self.streams.insert(stream.as_str().into(), stem(stream));
        self.write(folder)
    }

    fn parse(text: &[u8]) -> Result<About, String> {
        let about: About = serde_json::from_slice(text).map_err(|error| format!("not a recording's: {error}"))?;
        if about.format != FORMAT {
            return Err(format!("its format is {:?}, not {FORMAT:?}", about.format));
        }
        if about.version != VERSION {
            let version = about.version;
            return Err(format!(
                "its version is {version}, this program reads version {VERSION}"
            ));
        }
        for (name, files) in &about.streams {
            let stream = StreamId::new(name).map_err(|fault| format!("the stream {name:?}: {fault}"))?;
            // Elsewhere they would be files of somebody else.
            if *files != stem(&stream) {
                return Err(format!(
                    "the files of the stream {name:?} are called {:?}, not {files:?}",
                    stem(&stream)
                ));
            }
        }
        Ok(about)
    }

    /// Replaces the file at once: a reader sees the old one or the new one.
    fn write(&self, folder: &Path) -> Result<(), String> {
        let (path, unfinished) = (folder.join(ABOUT), folder.join(UNFINISHED));
        let text = serde_json::to_string_pretty(self).map_err(|error| at(&path, error.into()))?;
        let write = || -> io::Result<()> {
            // What a recorder left that was killed here. Whatever it is, it is removed and not written to.
            match fs::remove_file(&unfinished) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = files::create(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(|error| at(&unfinished, error))
    }
}
