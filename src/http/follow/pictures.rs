//! `multipart/x-mixed-replace`, by which one picture replaces the other in an `<img>` (RFC 2046, section 5.1): its text.

use crate::request::random;
use crate::words::error::Error;

/// What separates the pictures of one reply. Whoever pushes pictures must not guess it: behind a boundary of theirs a browser would
/// take whatever content type they say, such as a page with a script.
pub struct Boundary(String);

impl Boundary {
    /// One that nobody knows beforehand.
    pub fn random() -> Result<Boundary, Error> {
        let random = random::hex().ok_or_else(|| Error::refused(500, "The system gives no random numbers."))?;
        Ok(Boundary(format!("ptg-store-{random}")))
    }

    /// The content type of the reply.
    pub fn content_type(&self) -> String {
        format!("multipart/x-mixed-replace; boundary={}", self.0)
    }

    /// What begins the reply.
    pub fn first(&self) -> String {
        format!("--{}\r\n", self.0)
    }

    /// What stands before a picture of so many bytes.
    pub fn before(&self, length: usize) -> String {
        format!("Content-Type: image/jpeg\r\nContent-Length: {length}\r\n\r\n")
    }

    /// What stands behind it. A browser shows a picture when it sees this, so it goes with it.
    pub fn behind(&self) -> String {
        format!("\r\n--{}\r\n", self.0)
    }
}
