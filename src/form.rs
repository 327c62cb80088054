//! Form bodies: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578), whole and in memory.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream;

use crate::error::Error;

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
    /// Reads a `Content-Type`. A multipart type without a boundary is refused with 400.
    pub fn of(content_type: Option<&str>) -> Result<FormKind, Error> {
        let Some(content_type) = content_type else {
            return Ok(FormKind::Other);
        };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Ok(FormKind::UrlEncoded);
        }
        if !essence.eq_ignore_ascii_case("multipart/form-data") {
            return Ok(FormKind::Other);
        }
        let broken = |cause: &str| Error::refused(400, format!("The multipart content type is broken: {cause}."));
        match multer::parse_boundary(content_type) {
            Ok(boundary) if boundary.is_empty() => Err(broken("its boundary is empty")),
            Ok(boundary) => Ok(FormKind::Multipart(boundary)),
            Err(error) => Err(broken(&error.to_string())),
        }
    }
}

/// The first `limit` fields of an urlencoded form, in order.
pub fn urlencoded(body: &[u8], limit: usize) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().take(limit).collect()
}

/// The parts of a multipart form named `wanted`, in order; at most `limit` of them.
/// A body that does not parse is 400, one part too many is 413.
pub fn multipart(body: Bytes, boundary: &str, wanted: &[&str], limit: usize) -> Result<Vec<(String, Bytes)>, Error> {
    let broken = |error: multer::Error| Error::refused(400, format!("The multipart body does not parse: {error}."));
    let whole = stream::once(std::future::ready(Ok::<_, std::convert::Infallible>(body)));
    let mut form = multer::Multipart::new(whole, boundary);
    let mut fields = Vec::new();
    // The body is all there, so every future is ready at once and no executor is needed.
    while let Some(field) = now(form.next_field())?.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_string();
        let data = now(field.bytes())?.map_err(broken)?;
        if !wanted.contains(&name.as_str()) {
            continue;
        }
        if fields.len() == limit {
            return Err(Error::refused(
                413,
                format!("More than {limit} entries in one request (--max-batch)."),
            ));
        }
        fields.push((name, data));
    }
    Ok(fields)
}

fn now<F: Future>(future: F) -> Result<F::Output, Error> {
    future
        .now_or_never()
        .ok_or_else(|| Error::refused(400, "The multipart body ends too early."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(name: &str, value: &str) -> String {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n{value}\r\n")
    }

    fn parts(body: String, limit: usize) -> Result<Vec<(String, Bytes)>, Error> {
        multipart(Bytes::from(body), "B", &["entries"], limit)
    }

    #[test]
    fn wanted_parts_come_in_order_and_others_are_passed_over() {
        let body = part("entries", "one")
            + &part("other", "x")
            + &part("entries", "")
            + &part("entries", "three")
            + "--B--\r\n";
        let values: Vec<Bytes> = parts(body, 10).unwrap().into_iter().map(|(_, data)| data).collect();
        assert_eq!(values, ["one", "", "three"]);
    }

    #[test]
    fn what_does_not_parse_is_a_400_and_too_many_a_413() {
        for body in ["", "garbage", "--B\r\nno headers", &part("entries", "cut off")] {
            let status = parts(body.to_string(), 10).map_err(|error| error.status());
            assert_eq!(status, Err(400), "{body:?}");
        }
        let body = part("entries", "1") + &part("entries", "2") + "--B--\r\n";
        assert_eq!(parts(body, 1).map_err(|error| error.status()), Err(413));
    }

    #[test]
    fn content_types_are_told_apart() {
        let kind = |text| FormKind::of(Some(text));
        assert_eq!(
            kind("Multipart/Form-Data; boundary=\"a b\""),
            Ok(FormKind::Multipart("a b".into()))
        );
        assert_eq!(
            kind("application/x-www-form-urlencoded; charset=utf-8"),
            Ok(FormKind::UrlEncoded)
        );
        assert_eq!(kind("image/jpeg"), Ok(FormKind::Other));
        assert_eq!(FormKind::of(None), Ok(FormKind::Other));
        for broken in ["multipart/form-data", "multipart/form-data; boundary="] {
            assert_eq!(kind(broken).map_err(|error| error.status()), Err(400), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(body in prop::collection::vec(any::<u8>(), 0..200), boundary in "[a-z]{1,3}") {
            let _ = multipart(Bytes::from(body), &boundary, &["entries"], 3);
        }
    }
}
