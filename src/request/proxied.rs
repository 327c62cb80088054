//! Where clients see this store, as far as a proxy in front tells: under which host, and under which path. Pages need none of it, because
//! their links are relative; this is for what cannot be, a cookie's path and the address of WebSockets.

use crate::request::authority::Authority;
use crate::words::http::Head;

/// The path under which a proxy shows the store (`X-Forwarded-Prefix`): `/lab/store`, or nothing if it does not say so.
/// It comes back in replies, so what is not plainly a path is nothing, too.
pub fn prefix(head: &Head) -> &str {
    let prefix = head.only("X-Forwarded-Prefix").unwrap_or_default();
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+=:@".contains(&byte);
    let is_segment = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_letter);
    match prefix.strip_prefix('/') {
        Some(path) if path.split('/').all(is_segment) => prefix,
        _ => "",
    }
}

/// The host, and perhaps port, that the client asked; none if nobody tells.
pub fn host(head: &Head) -> Option<Authority> {
    let asked = head.forwarded_hosts().next().or_else(|| head.hosts().next());
    asked.and_then(|host| host.parse().ok())
}

/// Whether a proxy adds TLS.
pub fn is_secure(head: &Head) -> bool {
    head.only("X-Forwarded-Proto")
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_path_and_nothing_else() {
        for (given, prefix) in [
            ("/ptg", "/ptg"),
            ("/ptg/", "/ptg"),
            ("/lab/store-1", "/lab/store-1"),
            ("/", ""),
            ("", ""),
        ] {
            assert_eq!(
                super::prefix(&Head::with(&[("x-forwarded-prefix", given)])),
                prefix,
                "{given}"
            );
        }
        for hostile in [
            "ptg",
            "//evil.example",
            "/ptg//",
            "/a//b",
            "/..",
            "/a/../b",
            "/./a",
            "https://evil.example/",
            "/a;Domain=evil.example",
            "/a, /b",
            "/a b",
            "/a%2F..",
            "/a\"b",
            "/a\\b",
            "/a<b>",
            "/a?b",
            "/a#b",
            "/\u{e4}",
            "/a\r\nSet-Cookie: x=y",
        ] {
            assert_eq!(
                super::prefix(&Head::with(&[("X-Forwarded-Prefix", hostile)])),
                "",
                "{hostile}"
            );
        }
        let two = [("X-Forwarded-Prefix", "/a"), ("X-Forwarded-Prefix", "/b")];
        assert_eq!(super::prefix(&Head::with(&two)), "");
    }

    #[test]
    fn the_host_is_the_one_that_the_client_asked() {
        let host = |headers: &[(&str, &str)]| super::host(&Head::with(headers)).map(|host| host.to_string());
        assert_eq!(host(&[("Host", "LAB:80")]), Some("lab:80".into()));
        let forwarded = ("X-Forwarded-Host", "lab.example, inner");
        assert_eq!(
            host(&[("Host", "127.0.0.1:7890"), forwarded]),
            Some("lab.example".into())
        );
        assert_eq!(host(&[]), None);
        assert_eq!(host(&[("Host", "a b")]), None);
    }
}
