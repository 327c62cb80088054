//! `multipart/form-data` (RFC 7578): a body in memory becomes its parts, as slices of it. Called by `form`.
//!
//! Only whole lines part a body (RFC 2046, section 5.1.1). What two readers could read in two ways is refused: an entry that is
//! not what was sent is worse than none.

use bytes::Bytes;
use memchr::memmem;

use super::parameters::{Parameters, is_token};
use crate::words::error::Error;
use crate::words::units::Size;

/// The largest header block of one part, in bytes. Names of files are its longest, and have at most a few hundred.
pub const MAX_PART_HEAD: usize = 8 << 10;

const LINE_END: &[u8] = b"\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What its `Content-Disposition` calls it.
    pub name: Vec<u8>,
    /// Its content, a slice of the body.
    pub data: Bytes,
}

/// The parts of a body, one after the other. After an error there is nothing to be had.
pub struct Parts {
    body: Bytes,
    /// What the lines that part the body begin with: two dashes and the boundary.
    dashes: Vec<u8>,
    /// Where the next part begins; none before the first line with the boundary.
    begin: Option<usize>,
    /// How many there were.
    count: usize,
}

/// A line with the boundary.
struct Delimiter {
    /// Where what is before it ends: the line end before it is its own.
    before: usize,
    /// Where what is behind it begins.
    behind: usize,
    /// It is the last one.
    is_final: bool,
}

impl Parts {
    /// Those of a body with this boundary, which must have been checked.
    pub fn of(body: Bytes, boundary: &str) -> Parts {
        Parts {
            body,
            dashes: format!("--{boundary}").into_bytes(),
            begin: None,
            count: 0,
        }
    }

    /// The next part, none behind the last. What cannot be read is 400, and a header block that is too large 413.
    pub fn next(&mut self) -> Result<Option<Part>, Error> {
        let begin = match self.begin {
            Some(begin) => begin,
            None => {
                let first = self.delimiter(0)?.ok_or_else(|| broken("no line has the boundary"))?;
                if first.is_final {
                    return self.end(first.behind);
                }
                *self.begin.insert(first.behind)
            }
        };
        if begin > self.body.len() {
            return Ok(None);
        }
        self.count += 1;
        let count = self.count;
        let delimiter = self.delimiter(begin)?;
        let delimiter =
            delimiter.ok_or_else(|| broken(&format!("part {count} has no line with the boundary behind it")))?;
        // Two lines with the boundary may share a line end.
        let part = self.body.slice(begin..delimiter.before.max(begin));
        let part = part_of(&part).map_err(|cause| match cause {
            Cause::Broken(cause) => broken(&format!("part {count} {cause}")),
            Cause::TooLarge => Error::refused(
                413,
                format!(
                    "The headers of part {count} of the multipart body are larger than {}.",
                    Size(MAX_PART_HEAD)
                ),
            ),
        })?;
        self.begin = Some(delimiter.behind);
        if delimiter.is_final {
            self.end(delimiter.behind)?;
        }
        Ok(Some(part))
    }

    /// What is behind the last line with the boundary means nothing, unless it has such lines, too.
    fn end(&mut self, behind: usize) -> Result<Option<Part>, Error> {
        if self.delimiter(behind)?.is_some() {
            return Err(broken("more parts follow the final boundary"));
        }
        self.begin = Some(self.body.len() + 1);
        Ok(None)
    }

    /// The next line with the boundary that begins at `from` or behind it.
    fn delimiter(&self, from: usize) -> Result<Option<Delimiter>, Error> {
        for at in memmem::find_iter(&self.body[from..], &self.dashes) {
            let at = from + at;
            let before = match &self.body[..at] {
                [] => 0,
                [before @ .., b'\r', b'\n'] => before.len(),
                // Some readers end lines so, and would see a part where others see bytes of an entry.
                [.., b'\r' | b'\n'] => return Err(broken("the line before a boundary does not end with CR LF")),
                _ => continue,
            };
            let rest = &self.body[at + self.dashes.len()..];
            let (is_final, rest) = match rest.strip_prefix(b"--") {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            let padding = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
            let rest = &rest[padding..];
            let behind = match rest.strip_prefix(LINE_END) {
                Some(rest) => self.body.len() - rest.len(),
                None if is_final && rest.is_empty() => self.body.len(),
                None => return Err(broken("a line with the boundary has something else behind it")),
            };
            return Ok(Some(Delimiter {
                before,
                behind,
                is_final,
            }));
        }
        Ok(None)
    }
}

/// A name and its value.
type Header<'a> = (&'a [u8], &'a [u8]);

/// What is wrong with a part: the rest of a sentence that begins with it.
enum Cause {
    Broken(String),
    TooLarge,
}

impl<T: Into<String>> From<T> for Cause {
    fn from(cause: T) -> Cause {
        Cause::Broken(cause.into())
    }
}

/// A part out of its headers, an empty line and its content.
fn part_of(part: &Bytes) -> Result<Part, Cause> {
    if part.is_empty() || part.starts_with(LINE_END) {
        return Err("has no headers".into());
    }
    let longest = part.len().min(MAX_PART_HEAD + HEAD_END.len());
    let Some(end) = memmem::find(&part[..longest], HEAD_END) else {
        return Err(match longest < part.len() {
            true => Cause::TooLarge,
            false => "has no empty line behind its headers".into(),
        });
    };
    let headers = headers(&part[..end + LINE_END.len()])?;
    Ok(Part {
        name: name(&headers)?,
        data: part.slice(end + HEAD_END.len()..),
    })
}

/// The name of a part, if its content is what it seems to be.
fn name(headers: &[Header]) -> Result<Vec<u8>, Cause> {
    // A list of files in one part, as curl's `-F entries=@a,b` sends it, is nested (RFC 7578, section 4.3, forbids it).
    let content_type = one(headers, "Content-Type")?.unwrap_or_default();
    if content_type
        .get(..10)
        .is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"))
    {
        return Err("is a multipart itself; send each file as a part of its own".into());
    }
    // RFC 7578, section 4.7, gives these up for HTTP; some clients still name one.
    for (header, plain) in [
        ("Content-Transfer-Encoding", &["7bit", "8bit", "binary"][..]),
        ("Content-Encoding", &["identity"][..]),
    ] {
        let coding = one(headers, header)?;
        let is_plain = |coding: &[u8]| plain.iter().any(|plain| coding.eq_ignore_ascii_case(plain.as_bytes()));
        if coding.is_some_and(|coding| !is_plain(coding)) {
            return Err(format!("has a {header}; send its bytes as they are").into());
        }
    }
    let disposition = one(headers, "Content-Disposition")?.ok_or("has no Content-Disposition")?;
    let told = |fault: String| format!("has a Content-Disposition that {fault}");
    let (kind, parameters) = Parameters::of(disposition).map_err(told)?;
    if !kind.eq_ignore_ascii_case(b"form-data") {
        return Err("has a Content-Disposition that is not form-data".into());
    }
    // RFC 7578, section 4.2: names are not sent in these forms. Files' names often are, and mean nothing here.
    if parameters.has_extended("name") {
        return Err("has its name in an extended form".into());
    }
    let name = parameters.get("name").ok_or("has no name")?;
    Ok(name.to_vec())
}

/// The headers of a block in which every line ends with CR LF.
fn headers(block: &[u8]) -> Result<Vec<Header<'_>>, Cause> {
    let mut headers = Vec::new();
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        let line = line
            .strip_suffix(LINE_END)
            .ok_or("has a header that does not end with CR LF")?;
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or_default());
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err("has a line among its headers that is not name: value".into());
        }
        let value = value[1..].trim_ascii();
        if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err("has a control character in a header".into());
        }
        headers.push((name, value));
    }
    Ok(headers)
}

/// The only header of this name.
fn one<'a>(headers: &[Header<'a>], name: &str) -> Result<Option<&'a [u8]>, Cause> {
    let mut found = headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| *value);
    match (found.next(), found.next()) {
        (value, None) => Ok(value),
        _ => Err(format!("has more than one {name}").into()),
    }
}

fn broken(cause: &str) -> Error {
    Error::refused(400, format!("The multipart body cannot be read: {cause}."))
}

#[cfg(test)]
mod tests;
