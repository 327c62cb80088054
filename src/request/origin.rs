//! Which web pages may use this store: its own, and those of the origins that `--allow-origin` names.
//! Only browsers send `Origin`, and no page can forge it (<https://fetch.spec.whatwg.org/#origin-header>); programs send none.

use std::fmt;
use std::str::FromStr;

use crate::request::authority::{Authority, Malformed};
use crate::words::error::Error;
use crate::words::http::Head;

/// The value of `--allow-origin` that allows all of them.
const ANY: &str = "*";

/// The headers of replies that a page may read besides those that any page may.
const EXPOSED: &str = "entry-offset, last-generated-id";

/// The request headers that a page of another origin may send. The last two are those of Server-Sent Events.
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Last-Event-ID, Cache-Control";

/// Seconds for which a browser may remember what it was allowed.
const MAX_AGE: &str = "600";

/// Where a page comes from, as browsers write it (<https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `null`: a page of a file, of a sandbox, or of whoever does not want to say.
    Opaque,
    /// Scheme and authority, in lower case and without the scheme's own port.
    Of(String, Authority),
}

impl FromStr for Origin {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Origin, Malformed> {
        if text == "null" {
            return Ok(Origin::Opaque);
        }
        let (scheme, authority) = text.split_once("://").ok_or(Malformed)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return Err(Malformed);
        }
        let (scheme, mut authority) = (scheme.to_ascii_lowercase(), authority.parse::<Authority>()?);
        authority.port = authority.port.filter(|port| Some(*port) != default_port(&scheme));
        Ok(Origin::Of(scheme, authority))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Origin::Opaque => f.write_str("null"),
            Origin::Of(scheme, authority) => write!(f, "{scheme}://{authority}"),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Whether a request comes from a page of this store, or from no page at all.
pub fn is_own(head: &Head) -> bool {
    if head.header("Origin").is_none() {
        return true;
    }
    // What the browser itself says holds, also behind a proxy that rewrites `Host`; no page can set this header
    // (<https://www.w3.org/TR/fetch-metadata/>). Browsers leave it out towards hosts that they do not trust: plain http elsewhere.
    // Its `none`, for what no page asked for, does not go with an origin.
    if head.header("Sec-Fetch-Site").is_some() {
        return head.only("Sec-Fetch-Site") == Some("same-origin");
    }
    let Some(Ok(Origin::Of(scheme, page))) = head.only("Origin").map(str::parse) else {
        return false;
    };
    // Our own scheme is what a proxy that adds TLS says; without such a word it may be either.
    let is_scheme = match head.only("X-Forwarded-Proto") {
        Some(proxied) => scheme.eq_ignore_ascii_case(proxied),
        None => matches!(scheme.as_str(), "http" | "https"),
    };
    // `X-Forwarded-Host` is what a proxy was asked for. A page cannot set it either: WebSockets and forms have no way to, and
    // a `fetch` must ask first, in a preflight, which does not allow it.
    let is_page = |asked: &str| {
        asked.parse().is_ok_and(|mut asked: Authority| {
            asked.port = asked.port.filter(|port| Some(*port) != default_port(&scheme));
            asked == page
        })
    };
    is_scheme && head.hosts().chain(head.forwarded_hosts()).any(is_page)
}

/// The origins whose pages may use this store besides its own.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    any: bool,
    named: Vec<Origin>,
}

impl Origins {
    /// Those of `--allow-origin`. The error is a sentence for the user.
    pub fn new(allowed: &[String]) -> Result<Origins, String> {
        let named = allowed.iter().filter(|origin| *origin != ANY).map(|origin| {
            let parsed = origin.parse().ok().filter(|_| !origin.contains(ANY));
            parsed.ok_or_else(|| {
                format!("--allow-origin {origin} is not an origin, such as https://lab.example or http://lab:8000 without a path, nor null, nor *")
            })
        });
        Ok(Origins {
            any: allowed.iter().any(|origin| origin == ANY),
            named: named.collect::<Result<_, _>>()?,
        })
    }

    /// Refuses a request of a page that is not our own, whatever token it has: in development mode anybody can sign in.
    pub fn check(&self, head: &Head) -> Result<(), Error> {
        if self.any || self.allowed(head).is_some() {
            return Ok(());
        }
        let origin = head.header("Origin").unwrap_or_default();
        Err(Error::refused(
            403,
            format!(
                "Pages of the origin '{origin}' may not use this store, where in development mode anybody can sign in. \
                 If you trust them, start it with --allow-origin {origin}; if they are its own, let the proxy in front pass \
                 Host or X-Forwarded-Host on."
            ),
        ))
    }

    /// The origin of a request, if it is allowed and can be named in a reply.
    fn allowed(&self, head: &Head) -> Option<Origin> {
        let origin = head.only("Origin")?.parse().ok()?;
        (self.any || self.named.contains(&origin)).then_some(origin)
    }

    /// What lets a page of an allowed origin read the reply (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
    pub fn headers(&self, head: &Head) -> Vec<(&'static str, String)> {
        if !self.any && self.named.is_empty() {
            return Vec::new();
        }
        // Whoever keeps a reply must not give it to a page of another origin, nor to one of this.
        let mut headers = vec![("Vary", "Origin".to_string())];
        if let Some(origin) = self.allowed(head) {
            headers.push(("Access-Control-Allow-Origin", origin.to_string()));
            headers.push(("Access-Control-Expose-Headers", EXPOSED.to_string()));
        }
        headers
    }

    /// The answer to a preflight, by which a browser asks before it does for a page what it would not do for any.
    pub fn preflight(&self, head: &Head, methods: &str) -> Vec<(&'static str, String)> {
        let allowed = self.allowed(head).map(|_| {
            [
                ("Access-Control-Allow-Methods", methods),
                ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
                ("Access-Control-Max-Age", MAX_AGE),
            ]
        });
        let headers = allowed.into_iter().flatten();
        headers.map(|(name, value)| (name, value.to_string())).collect()
    }
}

#[cfg(test)]
mod tests;
