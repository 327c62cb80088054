//! The chunked transfer coding (RFC 9112, section 7.1): what a reader of a body finds of its size in the chunks themselves.
//! Every line ends with CR LF and holds neither of the two alone: where others see an end that we do not, or the other way
//! round, a request could be hidden.

use super::body::{Body, Reader, STEP};
use super::head::has_bare_line_end;
use crate::words::error::Error;

/// The longest line that frames a chunk, and the longest trailer section, in bytes.
const MAX_CHUNK_LINE: usize = 256;
const MAX_TRAILERS: usize = 4 << 10;

impl Reader<'_> {
    /// Reads a body up to its last chunk.
    pub fn by_chunks(mut self) -> Result<Body, Error> {
        let mut body = Body::empty(self.context);
        loop {
            let size = self.chunk_size()?;
            if size == 0 {
                break;
            }
            if size > (self.limit.bytes - body.bytes.len()) as u64 {
                return Err(self.limit.error());
            }
            let most = self.limit.bytes;
            self.copy(&mut body, size as usize, most)?;
            if !self.line(2)?.is_empty() {
                return Err(broken());
            }
        }
        self.skip_trailers()?;
        Ok(body)
    }

    /// Reads the line before a chunk.
    fn chunk_size(&mut self) -> Result<u64, Error> {
        loop {
            let bytes = self.inbox.bytes();
            // httparse takes a line without a digit for a size of 0.
            if bytes.first().is_some_and(|first| !first.is_ascii_hexdigit()) {
                return Err(broken());
            }
            match httparse::parse_chunk_size(bytes) {
                // httparse also takes a lone line feed for a part of an extension.
                Ok(httparse::Status::Complete((length, size)))
                    if length <= MAX_CHUNK_LINE && !has_bare_line_end(&bytes[..length]) =>
                {
                    self.inbox.skip(length);
                    return Ok(size);
                }
                Ok(httparse::Status::Partial) if bytes.len() <= MAX_CHUNK_LINE => self.wait(STEP)?,
                _ => return Err(broken()),
            }
        }
    }

    /// Reads trailers and drops them; an empty line ends them.
    fn skip_trailers(&mut self) -> Result<(), Error> {
        let mut left = MAX_TRAILERS;
        loop {
            let line = self.line(left)?;
            if line.is_empty() {
                return Ok(());
            }
            if !is_field(&line) {
                return Err(broken());
            }
            left -= line.len();
        }
    }

    /// The next line, without the CR LF that ends it, if it is at most `longest` bytes with it.
    fn line(&mut self, longest: usize) -> Result<Vec<u8>, Error> {
        loop {
            let bytes = self.inbox.bytes();
            if let Some(end) = bytes.iter().take(longest).position(|b| *b == b'\n') {
                let whole = &bytes[..=end];
                if has_bare_line_end(whole) {
                    return Err(broken());
                }
                let line = whole[..end - 1].to_vec();
                self.inbox.skip(end + 1);
                return Ok(line);
            }
            if bytes.len() >= longest {
                return Err(broken());
            }
            self.wait(longest - bytes.len())?;
        }
    }
}

/// Whether a line looks like a header: a name without white space, and a colon.
fn is_field(line: &[u8]) -> bool {
    let name = line.split(|b| *b == b':').next().unwrap_or_default();
    !name.is_empty() && name.len() < line.len() && name.iter().all(u8::is_ascii_graphic)
}

fn broken() -> Error {
    Error::refused(400, "The chunked body is broken.")
}
