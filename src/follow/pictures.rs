//! `multipart/x-mixed-replace`, by which one picture replaces the other in an `<img>` (RFC 2046, section 5.1): its text.

use aws_lc_rs::rand;

use crate::error::Error;

/// Bytes of chance in a boundary. Whoever pushes pictures must not guess it: behind a boundary of theirs a browser would take
/// whatever content type they say, such as a page with a script.
const CHANCE: usize = 16;

/// What separates the pictures of one reply.
pub struct Boundary(String);

impl Boundary {
    /// One that nobody knows beforehand.
    pub fn random() -> Result<Boundary, Error> {
        let mut chance = [0; CHANCE];
        rand::fill(&mut chance).map_err(|_| Error::refused(500, "The system gives no random numbers."))?;
        Ok(Boundary(format!("ptg-store-{:032x}", u128::from_be_bytes(chance))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_boundaries_are_alike_and_each_fits_rfc_2046() {
        let mut all: Vec<String> = (0..1000).map(|_| Boundary::random().unwrap().0).collect();
        assert!(all.iter().all(|boundary| (42..=70).contains(&boundary.len())));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 1000);
    }
}
