//! Swagger UI, which shows `/openapi.json` and lets people try it. Its files come from a crate that ships them as a zip.
//!
//! Zip and gzip hold the same deflate data. So a member is served as gzip by putting another frame around it, and is only
//! unpacked for a client that does not take gzip. See APPNOTE.TXT 4.3 (zip) and RFC 1952 (gzip).

use miniz_oxide::inflate::decompress_to_vec_with_limit;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED as ARCHIVE;

use crate::pages::csp;

/// The members that are served, and their content types.
const ASSETS: [(&str, &str); 2] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
];

/// The page at `/docs`. Its one script is allowed by its digest. `ROOT` stands for the relative way to the store's root.
const INDEX: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>PTG Data Store: documentation</title>
<link rel="stylesheet" href="ROOTdocs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="ROOTdocs/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({
  url: "ROOTopenapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
</script>
</body>
</html>
"##;

const CENTRAL_HEADER: u32 = 0x0201_4b50;
const LOCAL_HEADER: u32 = 0x0403_4b50;
const END_OF_DIRECTORY: u32 = 0x0605_4b50;

/// The length of the end-of-directory record, without a comment.
const END_LENGTH: usize = 22;

/// The longest comment that may stand behind that record.
const LONGEST_COMMENT: usize = u16::MAX as usize;

/// The zip's number for the deflate method.
const DEFLATE: u16 = 8;

/// A gzip header: deflate, no name, no time, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The page at `/docs`, from where `root` leads to the store's root: nothing, or `../`.
pub fn index(root: &str) -> String {
    INDEX.replace("ROOT", root)
}

/// What that page may do. Swagger UI sets styles on its elements, so those are allowed.
pub fn policy(page: &str) -> String {
    let script = csp::sha256_of(csp::inline(page, "script"));
    format!(
        "default-src 'none'; script-src 'self' {script}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// A file of Swagger UI: its content type, and its bytes, as gzip or plain.
pub fn asset(name: &str, as_gzip: bool) -> Option<(&'static str, Vec<u8>)> {
    let (name, content_type) = ASSETS.iter().find(|(known, _)| *known == name)?;
    let member = find(ARCHIVE, &format!("/dist/{name}"))?;
    let bytes = if as_gzip { member.gzip() } else { member.plain()? };
    Some((content_type, bytes))
}

/// A file in the archive.
#[derive(Debug, PartialEq)]
struct Member<'a> {
    /// Its bytes as deflate makes them (RFC 1951).
    deflated: &'a [u8],
    /// Its CRC-32 and its length, as the archive and gzip write them.
    checksum: &'a [u8],
    length: &'a [u8],
}

impl Member<'_> {
    fn gzip(&self) -> Vec<u8> {
        [&GZIP_HEADER[..], self.deflated, self.checksum, self.length].concat()
    }

    fn plain(&self) -> Option<Vec<u8>> {
        let length = u32_at(self.length, 0)? as usize;
        let bytes = decompress_to_vec_with_limit(self.deflated, length).ok()?;
        (bytes.len() == length).then_some(bytes)
    }
}

/// The member whose path ends so; none if there is none, or if the archive is broken.
fn find<'a>(zip: &'a [u8], path_end: &str) -> Option<Member<'a>> {
    let end = zip.len().checked_sub(END_LENGTH)?;
    let end = (end.saturating_sub(LONGEST_COMMENT)..=end)
        .rev()
        .find(|at| u32_at(zip, *at) == Some(END_OF_DIRECTORY))?;
    let entries = u16_at(zip, end + 10)?;
    let mut at = u32_at(zip, end + 16)? as usize;
    for _ in 0..entries {
        if u32_at(zip, at)? != CENTRAL_HEADER {
            return None;
        }
        let lengths = [28, 30, 32].map(|field| u16_at(zip, at + field).map(usize::from));
        let [Some(name), Some(extra), Some(comment)] = lengths else {
            return None;
        };
        if zip.get(at + 46..at + 46 + name)?.ends_with(path_end.as_bytes()) {
            return member(zip, at);
        }
        at += 46 + name + extra + comment;
    }
    None
}

/// The member of a central header.
fn member(zip: &[u8], header: usize) -> Option<Member<'_>> {
    if u16_at(zip, header + 10)? != DEFLATE {
        return None;
    }
    let length = u32_at(zip, header + 20)? as usize;
    let local = u32_at(zip, header + 42)? as usize;
    if u32_at(zip, local)? != LOCAL_HEADER {
        return None;
    }
    // The local header has a name and an extra field of its own, between it and the data.
    let data = local + 30 + usize::from(u16_at(zip, local + 26)?) + usize::from(u16_at(zip, local + 28)?);
    Some(Member {
        deflated: zip.get(data..data + length)?,
        checksum: zip.get(header + 16..header + 20)?,
        length: zip.get(header + 24..header + 28)?,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_is_in_the_archive() {
        for (name, _) in ASSETS {
            let (_, gzip) = asset(name, true).unwrap();
            let (_, plain) = asset(name, false).unwrap();
            assert!(gzip.starts_with(&GZIP_HEADER) && gzip.len() < plain.len(), "{name}");
            // RFC 1952: behind the deflated bytes stand their checksum and their length before that.
            let checksum = crc32fast::hash(&plain).to_le_bytes();
            let length = (plain.len() as u32).to_le_bytes();
            assert!(gzip.ends_with(&[checksum, length].concat()), "{name}");
        }
        assert_eq!(asset("../Cargo.toml", false), None);
    }

    #[test]
    fn a_broken_archive_is_no_asset_and_no_panic() {
        for length in (0..ARCHIVE.len() - 200).step_by(ARCHIVE.len() / 50) {
            assert_eq!(find(&ARCHIVE[..length], "/dist/swagger-ui.css"), None);
        }
        let mut broken = ARCHIVE.to_vec();
        let end = broken.len() - 100;
        broken[end..].fill(0xff);
        assert_eq!(find(&broken, "/dist/swagger-ui.css"), None);
    }
}
