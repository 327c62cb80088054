//! The two shapes of HTTP that the rest of the program sees: a request's `Head` and a `Reply`.
//! How they look on the wire is the business of `door` and `rest`.

use serde_json::Value;

/// A request line and its headers, as RFC 9112 frames them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The method, as sent.
    pub method: String,
    /// The path, still percent-encoded, without the query.
    pub path: String,
    /// The query without its `?`; empty if there is none.
    pub query: String,
    /// HTTP/1.0 or 1.1: the minor version.
    pub minor_version: u8,
    /// Names as sent, and values with a character for each byte (ISO-8859-1).
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// A head of these headers and nothing else.
    #[cfg(test)]
    pub fn with(headers: &[(&str, &str)]) -> Head {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        Head {
            headers: headers.collect(),
            ..Head::default()
        }
    }

    /// Splits what a request asks for, which begins with a slash or is `*`, into path and query.
    pub fn set_resource(&mut self, resource: &str) {
        let (path, query) = resource.split_once('?').unwrap_or((resource, ""));
        self.path = path.to_string();
        self.query = query.to_string();
    }

    /// The first header of this name, in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Every header of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The items of a header that is a comma-separated list (RFC 9110, 5.6.1).
    pub fn items<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let items = self.all(name).flat_map(|value| value.split(','));
        items.map(str::trim).filter(|item| !item.is_empty())
    }

    /// The only header of this name; none if there are several.
    pub fn only<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The host, and perhaps port, that the request was sent to. Whoever sends an empty one names none (RFC 9112, 3.2).
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.all(HOST).filter(|host| !host.is_empty())
    }

    /// The hosts that proxies in front were asked for, as far as they tell.
    pub fn forwarded_hosts(&self) -> impl Iterator<Item = &str> {
        self.items("X-Forwarded-Host")
    }

    /// Whether a header that is a comma-separated list has this word, in any letter case.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        self.items(name).any(|item| item.eq_ignore_ascii_case(word))
    }

    /// Whether the client names this media type among those that it accepts (RFC 9110, 12.5.1).
    pub fn accepts(&self, kind: &str) -> bool {
        self.weight("Accept", kind).is_some_and(|weight| weight > 0)
    }

    /// Whether the client wants gzip (RFC 9110, 12.5.3). One that says nothing of codings may have it by that rule, but those
    /// who decode it say so; the others are people with curl.
    pub fn wants_gzip(&self) -> bool {
        let weight = |coding| self.weight("Accept-Encoding", coding);
        let gzip = ["gzip", "x-gzip", "*"].into_iter().find_map(weight).unwrap_or(0);
        gzip > 0 && gzip >= weight("identity").unwrap_or(0)
    }

    /// How much a client wants something that it names in a header, in thousandths (RFC 9110, 12.4.2).
    fn weight(&self, header: &str, name: &str) -> Option<u32> {
        self.items(header).find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|given| given.eq_ignore_ascii_case(name));
            let quality = parts.find_map(|part| part.strip_prefix(['q', 'Q'])?.strip_prefix('='));
            named.then(|| quality.map_or(Some(1000), thousandths))?
        })
    }
}

/// A weight, which has three digits behind its point at most; none if it is none.
fn thousandths(quality: &str) -> Option<u32> {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits = format!("{fraction:0<3}");
    let right = matches!(whole, "0" | "1") && digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let weight = format!("{whole}{digits}").parse().ok()?;
    (right && weight <= 1000).then_some(weight)
}

/// An answer, before it is written.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Headers besides those that every reply has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The header that names the host which a request is for.
pub const HOST: &str = "Host";

/// The `Server` header.
pub const SERVER: &str = concat!("ptg-store/", env!("CARGO_PKG_VERSION"));

/// On every reply: whatever it holds of what clients have sent is what its content type says, and nothing else
/// (<https://fetch.spec.whatwg.org/#x-content-type-options-header>).
pub const NOSNIFF: (&str, &str) = ("X-Content-Type-Options", "nosniff");

/// How far a stream has come that has not come as far as the client believes.
pub const LAST_GENERATED_ID: &str = "last-generated-id";

impl Reply {
    /// 200 with a JSON body.
    pub fn json(value: &Value) -> Reply {
        Reply::json_text(200, value.to_string())
    }

    /// Any status with a body that is JSON already. It ends with a line end, so that a shell's prompt stands below it.
    pub fn json_text(status: u16, json: impl Into<Vec<u8>>) -> Reply {
        let mut body = json.into();
        body.push(b'\n');
        Reply::typed(status, "application/json", body)
    }

    /// Any status with a body of a content type.
    pub fn typed(status: u16, content_type: &str, body: Vec<u8>) -> Reply {
        Reply {
            status,
            headers: vec![("Content-Type", content_type.to_string())],
            body,
        }
    }

    /// 200 with entries as the body. Opened as a page it runs nothing and loads nothing (<https://www.w3.org/TR/CSP3/>), whatever is
    /// in them, and nobody keeps a copy.
    pub fn of_entries(content_type: &str, body: Vec<u8>) -> Reply {
        Reply::typed(200, content_type, body)
            .with("Content-Security-Policy", "sandbox; default-src 'none'")
            .with("Cache-Control", "no-store")
    }

    /// Adds a header. `value` must be of our own making, without line breaks.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_split_into_path_and_query() {
        let split = |resource: &str| {
            let mut head = Head::default();
            head.set_resource(resource);
            (head.path, head.query)
        };
        assert_eq!(split("/a/b?c=d?e"), ("/a/b".into(), "c=d?e".into()));
        assert_eq!(split("/a"), ("/a".into(), "".into()));
    }

    #[test]
    fn a_media_type_is_accepted_by_name_unless_its_quality_is_nothing() {
        let accepts = |accept: &str| {
            let headers = vec![("accept".into(), accept.into())];
            Head {
                headers,
                ..Head::default()
            }
            .accepts("text/event-stream")
        };
        for yes in [
            "text/event-stream",
            "a/b, TEXT/event-stream ; q=0.5",
            "*/*,text/event-stream;v=1",
        ] {
            assert!(accepts(yes), "{yes}");
        }
        for no in [
            "",
            "*/*",
            "text/event-stream;q=0",
            "text/event-stream; Q=0.000",
            "text/event-streams",
        ] {
            assert!(!accepts(no), "{no}");
        }
    }

    #[test]
    fn gzip_is_for_those_who_name_it_and_like_it_no_less_than_none() {
        let wants = |accept: &str| {
            let headers = vec![("accept-encoding".into(), accept.into())];
            Head {
                headers,
                ..Head::default()
            }
            .wants_gzip()
        };
        for yes in [
            "gzip",
            "br, GZIP;q=0.001",
            "x-gzip",
            "*",
            "identity;q=0.5, gzip",
            "gzip ; q=1.000",
            "*;q=0, gzip",
        ] {
            assert!(wants(yes), "{yes}");
        }
        for no in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip; Q=0.000",
            "*;q=0",
            "*;q=0, identity",
            "*, gzip;q=0",
            "gzip;q=0.5, identity;q=0.501",
            "gzip;q=x",
            "gzip;q=2",
            "gzip;q=0.0001",
            "gzipped",
        ] {
            assert!(!wants(no), "{no}");
        }
        assert!(!Head::default().wants_gzip());
    }

    #[test]
    fn lists_are_searched_word_by_word() {
        let head = Head {
            headers: vec![("connection".into(), "keep-alive, Upgrade".into())],
            ..Head::default()
        };
        assert!(head.lists("Connection", "upgrade"));
        assert!(!head.lists("Connection", "up"));
    }
}
