//! `GET /`: the live page, plain HTML, CSS and JavaScript. It is served as one file; its parts are in `pages/live/`.

use crate::pages::csp;
use crate::words::http::Reply;

macro_rules! part {
    ($name:literal) => {
        include_str!(concat!("../../pages/live/", $name))
    };
}

/// The page. Its scripts are one script, so that one digest allows it.
const PAGE: &str = concat!(
    part!("head.html"),
    "<style>\n",
    part!("page.css"),
    "</style>\n",
    part!("body.html"),
    "<script>\n",
    part!("tools.js"),
    "\n",
    part!("store.js"),
    "\n",
    part!("knowledge.js"),
    "\n",
    part!("session.js"),
    "\n",
    part!("streams.js"),
    "\n",
    part!("table.js"),
    "\n",
    part!("view.js"),
    "\n",
    part!("steps.js"),
    "\n",
    part!("kinds.js"),
    "\n",
    part!("drawing.js"),
    "\n",
    part!("sound.js"),
    "\n",
    part!("facts.js"),
    "\n",
    part!("lines.js"),
    "\n",
    part!("push.js"),
    "\n",
    part!("dialogs.js"),
    "\n",
    part!("start.js"),
    "</script>\n</body>\n</html>\n"
);

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
