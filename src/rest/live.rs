//! `GET /`: the live page, one file of plain HTML, CSS and JavaScript.

use crate::csp;
use crate::http::Reply;

const PAGE: &str = include_str!("../pages/live.html");

/// The page, and what it may do: run its own script, show pictures out of entries, talk to this store.
pub fn page() -> Reply {
    let script = csp::sha256_of(csp::inline(PAGE, "script"));
    let style = csp::sha256_of(csp::inline(PAGE, "style"));
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src {style}; img-src 'self' blob: data:; \
         connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Reply::typed(200, "text/html; charset=utf-8", PAGE.as_bytes().to_vec())
        .with("Content-Security-Policy", policy)
        .with("Referrer-Policy", "no-referrer")
        .with("Cache-Control", "no-cache")
}
