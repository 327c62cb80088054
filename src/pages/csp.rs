//! Content-Security-Policy headers (<https://www.w3.org/TR/CSP3/>): what a page of ours may do.
//! Its one inline script and style are allowed by their digests, so nothing that a stream contains can ever run.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The source expression for one inline script or style: `'sha256-…'`.
pub fn sha256_of(inline: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, inline.as_bytes())))
}

/// What stands between the first `<tag>` and its end; empty if there is none.
pub fn inline<'a>(html: &'a str, tag: &str) -> &'a str {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let inside = html.split_once(&open).map(|(_, rest)| rest);
    inside
        .and_then(|rest| rest.split_once(&close))
        .map_or("", |(inside, _)| inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_one_that_browsers_compute() {
        // The example of CSP Level 3, section 8.3.
        let digest = sha256_of("alert('Hello, world.');");
        assert_eq!(digest, "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='");
    }

    #[test]
    fn the_inline_part_is_found() {
        assert_eq!(inline("<p><script>a < b</script>", "script"), "a < b");
        assert_eq!(inline("<p>", "script"), "");
    }
}
