//! The documentation: Swagger UI at `/docs`, the documents that it and other tools read, and the README.

use crate::error::Error;
use crate::http::Reply;
use crate::{asyncapi, openapi, swagger};

const README: &str = include_str!("../../README.md");

/// The README's name below `/docs`.
const README_NAME: &str = "README.md";

/// `GET /docs`.
pub fn index() -> Reply {
    Reply::typed(200, "text/html; charset=utf-8", swagger::index().as_bytes().to_vec())
        .with("Content-Security-Policy", swagger::policy())
        .with("Referrer-Policy", "no-referrer")
}

/// `GET /docs/{asset}`: a file of Swagger UI, or the README.
pub fn asset(name: &str) -> Result<Reply, Error> {
    if name == README_NAME {
        return Ok(Reply::typed(
            200,
            "text/plain; charset=utf-8",
            README.as_bytes().to_vec(),
        ));
    }
    let (content_type, gzip) = swagger::asset(name).ok_or(Error::NotFound)?;
    Ok(Reply::typed(200, content_type, gzip)
        .with("Content-Encoding", "gzip")
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
