//! The documentation: Swagger UI at `/docs`, the documents that it and other tools read, and the README.

use crate::pages::asyncapi;
use crate::pages::openapi;
use crate::pages::swagger;
use crate::request::proxied;
use crate::words::error::Error;
use crate::words::http::{Head, Reply};

const README: &str = include_str!("../../../README.md");

/// Where a store listens unless it is told otherwise, for a client that does not say where it found this one.
const DEFAULT_HOST: &str = "127.0.0.1:7890";

/// The README's name below `/docs`.
const README_NAME: &str = "README.md";

/// `GET /docs`.
pub fn index(head: &Head) -> Reply {
    let page = swagger::index(root(head));
    let policy = swagger::policy(&page);
    Reply::typed(200, "text/html; charset=utf-8", page.into_bytes())
        .with("Content-Security-Policy", policy)
        .with("Referrer-Policy", "no-referrer")
}

/// `GET /docs/{asset}`: a file of Swagger UI, as gzip for those who take that, or the README.
pub fn asset(name: &str, head: &Head) -> Result<Reply, Error> {
    if name == README_NAME {
        return Ok(Reply::typed(
            200,
            "text/plain; charset=utf-8",
            README.as_bytes().to_vec(),
        ));
    }
    let gzip = head.wants_gzip();
    let (content_type, bytes) = swagger::asset(name, gzip).ok_or(Error::NotFound)?;
    let mut reply = Reply::typed(200, content_type, bytes).with("Vary", "Accept-Encoding");
    if gzip {
        reply = reply.with("Content-Encoding", "gzip");
    }
    Ok(reply.with("Cache-Control", "max-age=3600"))
}

/// `GET /redoc`: FastAPI has a second page there.
pub fn redoc(head: &Head) -> Reply {
    Reply {
        status: 307,
        ..Reply::default()
    }
    .with("Location", format!("{}docs", root(head)))
}

/// `GET /openapi.json`.
pub fn openapi(head: &Head) -> Reply {
    Reply::json(&openapi::document(root(head)))
}

/// `GET /asyncapi.json`.
pub fn asyncapi(head: &Head) -> Reply {
    let host = proxied::host(head).map_or(DEFAULT_HOST.to_string(), |host| host.to_string());
    let protocol = if proxied::is_secure(head) { "wss" } else { "ws" };
    Reply::json(&asyncapi::document(protocol, &host, proxied::prefix(head)))
}

/// The way to the store's root from a page or document right below it: relative, because behind a proxy it need not be the host's
/// root. A path may end with a slash or not, and to a browser that is one folder more.
fn root(head: &Head) -> &'static str {
    if head.path.ends_with('/') { "../" } else { "" }
}
