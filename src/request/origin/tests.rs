//! Whose page a request comes from, and which are allowed.

use proptest::prelude::*;

use super::*;

fn origins(allowed: &[&str]) -> Origins {
    let allowed: Vec<String> = allowed.iter().map(|origin| origin.to_string()).collect();
    Origins::new(&allowed).unwrap()
}

fn own(host: &str, origin: &str) -> bool {
    is_own(&Head::with(&[("Host", host), ("Origin", origin)]))
}

#[test]
fn an_origin_is_a_scheme_a_host_and_a_port_or_null() {
    for (text, shown) in [
        ("http://lab", "http://lab"),
        ("HTTP://LAB:80", "http://lab"),
        ("https://lab:443", "https://lab"),
        ("http://lab:443", "http://lab:443"),
        ("https://[::1]:7890", "https://[::1]:7890"),
        ("moz-extension://0b-1c", "moz-extension://0b-1c"),
        ("null", "null"),
    ] {
        let origin: Origin = text.parse().unwrap();
        assert_eq!(origin.to_string(), shown);
        assert_eq!(shown.parse(), Ok(origin));
    }
    for text in [
        "",
        "NULL",
        "lab",
        "lab:80",
        "//lab",
        "://lab",
        "http:/lab",
        "http://",
        "http://lab/",
        "http://lab/a",
        "http://a@lab",
        "http://lab, http://evil.example",
        "http://lab http://evil.example",
        "1http://lab",
        "http ://lab",
        "*",
    ] {
        assert_eq!(text.parse::<Origin>(), Err(Malformed), "{text}");
    }
}

#[test]
fn a_page_of_ours_has_the_origin_that_the_request_was_sent_to() {
    for (host, origin) in [
        ("127.0.0.1:7890", "http://127.0.0.1:7890"),
        ("LAB:7890", "http://lab:7890"),
        ("lab", "http://lab"),
        ("lab:80", "http://lab"),
        ("[::1]:7890", "http://[::1]:7890"),
        ("[0:0:0::1]:7890", "http://[::1]:7890"),
        // A proxy added TLS.
        ("lab", "https://lab"),
        ("lab:443", "https://lab"),
    ] {
        assert!(own(host, origin), "{origin} at {host}");
    }
}

#[test]
fn an_origin_is_compared_whole_and_never_as_the_beginning_or_the_end_of_a_text() {
    let host = "127.0.0.1:7890";
    for origin in [
        "http://evil-127.0.0.1:7890",
        "http://evil.127.0.0.1:7890",
        "http://127.0.0.1:7890.evil.example",
        "http://127.0.0.1.evil.example:7890",
        "http://127.0.0.1:78900",
        "http://127.0.0.1:789",
        "http://127.0.0.1",
        "http://27.0.0.1:7890",
        "http://localhost:7890",
        "http://127.0.0.1:7890/",
        "http://127.0.0.1:7890@evil.example",
        "http://evil.example@127.0.0.1:7890",
        "ftp://127.0.0.1:7890",
        "evil://127.0.0.1:7890",
        "127.0.0.1:7890",
        "//127.0.0.1:7890",
        "null",
        "",
    ] {
        assert!(!own(host, origin), "{origin}");
    }
    assert!(!own("lab", "http://lab."));
    assert!(!own("", "http://lab"));
    assert!(!is_own(&Head::with(&[("Origin", "http://lab")])));
}

#[test]
fn of_two_origins_none_is_ours() {
    let two = [
        ("Host", "lab"),
        ("Origin", "http://lab"),
        ("Origin", "http://evil.example"),
    ];
    assert!(!is_own(&Head::with(&two)));
    assert!(origins(&["http://lab"]).check(&Head::with(&two)).is_err());
    assert_eq!(
        origins(&["*"]).headers(&Head::with(&two)),
        [("Vary", "Origin".to_string())]
    );
}

#[test]
fn what_the_browser_says_of_the_site_holds() {
    let says = |site: &str, more: &[(&str, &str)]| {
        let headers = [("Host", "127.0.0.1:7890"), ("Sec-Fetch-Site", site)];
        is_own(&Head::with(&[&headers[..], more].concat()))
    };
    let (proxied, direct) = (("Origin", "https://lab.example"), ("Origin", "http://127.0.0.1:7890"));
    assert!(says("same-origin", &[proxied]));
    for site in [
        "cross-site",
        "same-site",
        "none",
        "",
        "Same-Origin",
        "same-origin, none",
    ] {
        assert!(!says(site, &[proxied]), "{site}");
        assert!(!says(site, &[direct]), "{site}");
        assert!(!says("same-origin", &[proxied, ("Sec-Fetch-Site", site)]), "{site}");
    }
    // A link or a picture: there is no page that could read or change anything.
    assert!(says("cross-site", &[]));
}

#[test]
fn behind_a_proxy_the_host_that_it_was_asked_for_counts_too() {
    let behind = |origin: &str, forwarded: &[(&str, &str)]| {
        let headers = [("Host", "127.0.0.1:7890"), ("Origin", origin)];
        is_own(&Head::with(&[&headers[..], forwarded].concat()))
    };
    let forwarded = ("X-Forwarded-Host", "lab.example");
    assert!(behind("https://lab.example", &[forwarded]));
    assert!(behind(
        "https://lab.example",
        &[("X-Forwarded-Host", "lab.example, inner:8080")]
    ));
    assert!(!behind("https://evil-lab.example", &[forwarded]));
    assert!(!behind("https://lab.example:8443", &[forwarded]));
    assert!(behind(
        "https://lab.example",
        &[forwarded, ("X-Forwarded-Proto", "https")]
    ));
    assert!(!behind(
        "http://lab.example",
        &[forwarded, ("X-Forwarded-Proto", "https")]
    ));
}

#[test]
fn only_named_origins_are_allowed_and_replies_name_them() {
    let some = origins(&["http://Lab.example:8000", "null"]);
    let from = |origin: &str| Head::with(&[("Host", "127.0.0.1:7890"), ("Origin", origin)]);
    for origin in ["http://lab.example:8000", "null"] {
        assert_eq!(some.check(&from(origin)), Ok(()));
        let headers = some.headers(&from(origin));
        assert!(headers.contains(&("Access-Control-Allow-Origin", origin.to_string())));
        assert!(headers.contains(&("Vary", "Origin".to_string())));
        assert!(!some.preflight(&from(origin), "GET").is_empty());
    }
    for origin in [
        "http://evil.example",
        "http://lab.example",
        "https://lab.example:8000",
        "http://x.lab.example:8000",
    ] {
        let error = some.check(&from(origin)).unwrap_err();
        assert_eq!(error.status(), 403);
        assert!(error.to_string().contains("--allow-origin"), "{error}");
        assert_eq!(some.headers(&from(origin)), [("Vary", "Origin".to_string())]);
        assert!(some.preflight(&from(origin), "GET").is_empty());
        assert!(origins(&[]).headers(&from(origin)).is_empty());
        assert!(origins(&[]).check(&from(origin)).is_err());
        assert_eq!(origins(&["*"]).check(&from(origin)), Ok(()));
        assert!(
            origins(&["*"])
                .headers(&from(origin))
                .iter()
                .any(|(_, value)| value == origin)
        );
    }
    // To its own pages a store says nothing of others.
    assert_eq!(
        some.headers(&from("http://127.0.0.1:7890")),
        [("Vary", "Origin".to_string())]
    );
}

#[test]
fn what_is_no_origin_cannot_be_allowed() {
    for bad in ["lab", "http://lab/", "https://*.example", "", "http://a b"] {
        let error = Origins::new(&[bad.to_string()]).unwrap_err();
        assert!(error.contains("--allow-origin"), "{error}");
    }
}

proptest! {
    #[test]
    fn no_header_makes_it_panic_or_ends_a_header_of_ours(origin in ".*", host in ".*") {
        let head = Head::with(&[("Host", &host), ("Origin", &origin)]);
        let _ = is_own(&head);
        for (_, value) in origins(&["*"]).headers(&head) {
            prop_assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value}");
        }
    }
}
