//! The documentation page: for now the README, which holds everything.

use crate::http::Reply;

const README: &str = include_str!("../../README.md");

/// `GET /docs` and `GET /`.
pub fn readme() -> Reply {
    Reply::typed(200, "text/plain; charset=utf-8", README.as_bytes().to_vec())
}
