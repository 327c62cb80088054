//! Bodies that are forms, `application/x-www-form-urlencoded` or `multipart/form-data`, whole and in memory; and which bodies
//! can be read at all. Called by `call`, for what the head says, and by the handlers that take bodies.

mod multipart;
mod parameters;
mod urlencoded;

use bytes::Bytes;

use crate::words::error::Error;
use crate::words::http::Head;
use multipart::Parts;
use parameters::Parameters;

pub use urlencoded::{Pair, pairs};

/// The longest boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The most parts of a form that nobody asked for. They cost time, and browsers send a few at most.
const MAX_OTHER_PARTS: usize = 1024;

/// Which kind of form a content type announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormKind {
    /// Pairs, percent-encoded.
    UrlEncoded,
    /// Parts, between lines with this boundary.
    Multipart(String),
    /// No form at all.
    Other,
}

impl FormKind {
    /// Reads the `Content-Type`. One that cannot be read in one way only is refused with 400, and a multipart of another kind
    /// with 415: its parts are no entries, and the whole of it is none either.
    pub fn of(head: &Head) -> Result<FormKind, Error> {
        let mut types = head.all("Content-Type");
        let (content_type, another) = (types.next().unwrap_or_default(), types.next());
        if another.is_some() {
            return Err(Error::refused(400, "Content-Type is given more than once."));
        }
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(FormKind::UrlEncoded);
        }
        let (kind, _) = essence.split_once('/').unwrap_or_default();
        if !kind.trim().eq_ignore_ascii_case("multipart") {
            return Ok(FormKind::Other);
        }
        if !essence.eq_ignore_ascii_case("multipart/form-data") {
            return Err(Error::refused(
                415,
                "Of multipart bodies only multipart/form-data is understood here.",
            ));
        }
        let broken = |fault: String| Error::refused(400, format!("The multipart Content-Type {fault}."));
        let (_, parameters) = Parameters::of(content_type.as_bytes()).map_err(broken)?;
        let boundary = parameters
            .get("boundary")
            .ok_or_else(|| broken("has no boundary".into()))?;
        boundary_of(boundary).map(FormKind::Multipart).map_err(broken)
    }
}

/// Checks a boundary: 1 to 70 characters, some of ASCII, and no space at its end.
fn boundary_of(bytes: &[u8]) -> Result<String, String> {
    if bytes.is_empty() || bytes.len() > MAX_BOUNDARY {
        return Err(format!(
            "has a boundary of {} characters; 1 to {MAX_BOUNDARY} are allowed",
            bytes.len()
        ));
    }
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
    let text = std::str::from_utf8(bytes).ok();
    let text = text.filter(|text| text.as_bytes().iter().all(is_allowed) && !text.ends_with(' '));
    text.map(str::to_string)
        .ok_or_else(|| "has a boundary with characters that RFC 2046 does not allow".into())
}

/// Refuses a body in a content coding with 415 (RFC 9110, section 8.4): stored as it came, no reader could know.
pub fn check_coding(head: &Head) -> Result<(), Error> {
    let mut codings = head.items("Content-Encoding");
    match codings.find(|coding| !coding.eq_ignore_ascii_case("identity")) {
        Some(_) => Err(Error::ContentCoding),
        None => Ok(()),
    }
}

/// The parts of a multipart form named `wanted`, in order; at most `limit` of them, which `limit_name` limits.
/// A body that cannot be read exactly as it was sent is 400, one part too many is 413.
pub fn multipart(
    body: Bytes,
    boundary: &str,
    wanted: &[&str],
    limit: usize,
    limit_name: &str,
) -> Result<Vec<(String, Bytes)>, Error> {
    let mut parts = Parts::of(body, boundary);
    let (mut fields, mut others) = (Vec::new(), 0);
    while let Some(part) = parts.next()? {
        let too_many = match wanted.iter().find(|name| name.as_bytes() == part.name) {
            Some(name) => {
                fields.push((name.to_string(), part.data));
                (fields.len() > limit).then(|| format!("More than {limit} {limit_name}."))
            }
            None => {
                others += 1;
                (others > MAX_OTHER_PARTS)
                    .then(|| format!("More than {MAX_OTHER_PARTS} parts of other names in one form."))
            }
        };
        if let Some(sentence) = too_many {
            return Err(Error::refused(413, sentence));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(content_type: &str) -> Result<FormKind, u16> {
        FormKind::of(&Head::with(&[("content-type", content_type)])).map_err(|error| error.status())
    }

    fn part(name: &str, value: &str) -> String {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n{value}\r\n")
    }

    fn parts(body: String, limit: usize) -> Result<Vec<(String, Bytes)>, u16> {
        multipart(Bytes::from(body), "B", &["entries"], limit, "entries").map_err(|error| error.status())
    }

    #[test]
    fn wanted_parts_come_in_order_and_others_are_passed_over() {
        let body =
            part("entries", "one") + &part("other", "x") + &part("entries", "") + &part("entries", "3") + "--B--";
        let values: Vec<Bytes> = parts(body, 3).unwrap().into_iter().map(|(_, data)| data).collect();
        assert_eq!(values, ["one", "", "3"]);
    }

    #[test]
    fn one_part_too_many_is_413() {
        assert_eq!(parts(part("entries", "").repeat(2) + "--B--", 1), Err(413));
        assert!(parts(part("x", "").repeat(MAX_OTHER_PARTS) + "--B--", 1).is_ok());
        assert_eq!(parts(part("x", "").repeat(MAX_OTHER_PARTS + 1) + "--B--", 1), Err(413));
    }

    #[test]
    fn content_types_are_told_apart() {
        for content_type in [
            "Multipart/Form-Data; boundary=\"a b\"",
            "multipart/form-data ; charset=utf-8;; BOUNDARY=a b ;",
        ] {
            assert_eq!(
                kind(content_type),
                Ok(FormKind::Multipart("a b".into())),
                "{content_type}"
            );
        }
        let form = "application/x-www-form-urlencoded";
        assert_eq!(kind(form), Ok(FormKind::UrlEncoded));
        assert_eq!(kind(&format!("{form} ; charset=utf-8")), Ok(FormKind::UrlEncoded));
        for other in [
            "image/jpeg",
            "",
            "nonsense; x",
            "multipart",
            "multipartx/y",
            "text/plain; boundary",
        ] {
            assert_eq!(kind(other), Ok(FormKind::Other), "{other}");
        }
        assert_eq!(FormKind::of(&Head::with(&[])), Ok(FormKind::Other));
    }

    #[test]
    fn a_multipart_type_that_is_not_a_form_or_whose_boundary_cannot_be_read_is_refused() {
        for other in [
            "multipart/mixed; boundary=b",
            "Multipart/Related; boundary=b",
            "multipart/form-data boundary=b",
            "multipart/; boundary=b",
            "multipart /form-data; boundary=b",
            "multipart/form-data, multipart/form-data; boundary=b",
        ] {
            assert_eq!(kind(other), Err(415), "{other}");
        }
        let long = "b".repeat(71);
        for boundary in [
            "",
            "=",
            "=\"\"",
            "=\" \"",
            "=\"a \"",
            "=\"a",
            "=a; boundary=b",
            "=ä",
            "=\"a\tb\"",
            "=a@b",
            "*=a",
            &format!("={long}"),
        ] {
            assert_eq!(
                kind(&format!("multipart/form-data; boundary{boundary}")),
                Err(400),
                "{boundary}"
            );
        }
        assert_eq!(kind("multipart/form-data"), Err(400));
        assert!(kind(&format!("multipart/form-data; boundary={}", &long[1..])).is_ok());
        let twice = Head::with(&[("Content-Type", "image/png"), ("content-type", "image/png")]);
        assert_eq!(FormKind::of(&twice).map_err(|error| error.status()), Err(400));
    }

    #[test]
    fn no_content_coding_but_identity_is_taken() {
        let coded = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| ("Content-Encoding", *value)).collect();
            check_coding(&Head::with(&headers))
        };
        for plain in [
            &[][..],
            &[""],
            &["identity"],
            &["Identity, ,IDENTITY"],
            &["", "identity"],
        ] {
            assert_eq!(coded(plain), Ok(()), "{plain:?}");
        }
        for other in [
            &["gzip"][..],
            &["gzip, identity"],
            &["identity,br"],
            &["identity", "x-gzip"],
            &["identity;q=1"],
            &["\u{fffd}"],
        ] {
            assert_eq!(coded(other), Err(Error::ContentCoding), "{other:?}");
        }
    }
}
