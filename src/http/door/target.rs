//! What a request is aimed at (RFC 9112, section 3.2): its target becomes a path, a query, and the authority if it names one.
//! `head` asks.

use percent_encoding::{CONTROLS, percent_encode};

use crate::request::authority::Authority;
use crate::words::error::Error;

/// The schemes of targets in the absolute form, as clients of a proxy send them.
const SCHEMES: [&str; 2] = ["http", "https"];

/// Where a request goes.
#[derive(Debug, PartialEq)]
pub struct Target {
    /// The host and port that the target itself names. They count instead of those of `Host` (RFC 9112, 3.2.2).
    pub authority: Option<String>,
    /// The path and, behind a `?`, the query: the origin form. Or `*`.
    pub resource: String,
}

/// Reads a target; what is in none of the forms that a server is sent is refused.
pub fn parse(method: &str, target: &str) -> Result<Target, Error> {
    // A fragment never leaves its client. Who sends one may have meant a name with a '#' in it, and that name without its
    // end is another one.
    if target.contains('#') {
        return Err(Error::refused(
            400,
            "A request target has no '#'; within a name it is written %23.",
        ));
    }
    let (authority, resource) = match absolute(target) {
        Some((authority, resource)) => (Some(check(authority)?.to_string()), resource),
        None => (None, target),
    };
    let whole_server = method == "OPTIONS";
    let resource = match resource {
        // The absolute form of `*` has no path at all (RFC 9112, 3.2.4).
        "" if whole_server => "*".to_string(),
        "*" if whole_server && authority.is_none() => "*".to_string(),
        _ if resource.starts_with('/') => encoded(resource),
        _ if authority.is_some() => encoded(&format!("/{resource}")),
        _ => {
            return Err(Error::refused(
                400,
                "The request target is neither a path nor an http URL, nor the * of OPTIONS.",
            ));
        }
    };
    Ok(Target { authority, resource })
}

fn check(authority: &str) -> Result<&str, Error> {
    // An http URL has a host (RFC 9110, 4.2.1).
    if authority.parse::<Authority>().is_err() {
        return Err(Error::refused(400, "The host of the request target is not valid."));
    }
    Ok(authority)
}

/// Splits the absolute form behind its authority; none if it is another form.
fn absolute(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once("://")?;
    SCHEMES.iter().find(|known| scheme.eq_ignore_ascii_case(known))?;
    Some(rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())))
}

/// Bytes beyond ASCII are encoded here, as strict clients would have done. Of the rest, browsers and curl leave some in place
/// that RFC 3986 does not allow, such as `{`, `|` and quotation marks; these mean nothing here, and stay.
fn encoded(resource: &str) -> String {
    percent_encode(resource.as_bytes(), CONTROLS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The authority and the resource; none if the target is refused.
    fn parsed(method: &str, target: &str) -> Option<(Option<String>, String)> {
        let found = parse(method, target).inspect_err(|error| assert_eq!(error.status(), 400));
        found.ok().map(|target| (target.authority, target.resource))
    }

    #[test]
    fn the_absolute_form_has_a_scheme_in_any_letter_case_and_need_not_have_a_path() {
        for (target, authority, resource) in [
            ("http://x/a?b=c", "x", "/a?b=c"),
            ("HTTPS://X:1/a", "X:1", "/a"),
            ("hTTp://x", "x", "/"),
            ("http://x?a=b", "x", "/?a=b"),
            ("http://[::1]:7890/?/", "[::1]:7890", "/?/"),
            ("http://x/http://y/", "x", "/http://y/"),
        ] {
            assert_eq!(
                parsed("GET", target),
                Some((Some(authority.into()), resource.into())),
                "{target}"
            );
        }
    }

    #[test]
    fn a_path_names_no_host() {
        for target in ["/", "/a?b", "//x/y", "/http://x/", "/?http://x", "/{\"|\"}[^`]<\\>"] {
            assert_eq!(parsed("GET", target), Some((None, target.into())), "{target}");
        }
        assert_eq!(parsed("GET", "/ä"), Some((None, "/%C3%A4".into())));
    }

    #[test]
    fn the_asterisk_is_for_options_alone() {
        assert_eq!(parsed("OPTIONS", "*"), Some((None, "*".into())));
        assert_eq!(parsed("OPTIONS", "http://x"), Some((Some("x".into()), "*".into())));
        assert_eq!(parsed("GET", "*"), None);
        assert_eq!(parsed("OPTIONS", "**"), None);
    }

    #[test]
    fn what_has_none_of_the_forms_is_refused() {
        for target in [
            "x",
            "x:1",
            "ping",
            "?a",
            "ftp://x/",
            "http:/x",
            "http:///a",
            "http://:1/",
            "http://u@x/",
            "http://x:y/",
            "http://ä/",
            "/a#b",
            "/a?b#",
            "#",
            "http://x#",
            "http:// /",
        ] {
            assert_eq!(parsed("GET", target), None, "{target}");
        }
    }
}
