//! The documentation: Swagger UI at `/docs`, the documents that it and other tools read, and the README.

use crate::error::Error;
use crate::http::{Head, Reply};
use crate::{asyncapi, openapi, swagger};

const README: &str = include_str!("../../README.md");

/// The README's name below `/docs`.
const README_NAME: &str = "README.md";

/// `GET /docs`.
pub fn index() -> Reply {
    Reply::typed(200, "text/html; charset=utf-8", swagger::index().as_bytes().to_vec())
        .with("Content-Security-Policy", swagger::policy())
        .with("X-Content-Type-Options", "nosniff")
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
    Ok(reply
        .with("X-Content-Type-Options", "nosniff")
        .with("Cache-Control", "max-age=3600"))
}

/// `GET /redoc`: FastAPI has a second page there.
pub fn redoc() -> Reply {
    Reply {
        status: 307,
        ..Reply::default()
    }
    .with("Location", "/docs")
}

/// `GET /openapi.json`.
pub fn openapi() -> Reply {
    Reply::json(&openapi::document())
}

/// `GET /asyncapi.json`.
pub fn asyncapi() -> Reply {
    Reply::json(&asyncapi::document())
}
