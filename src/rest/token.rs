//! `POST /token`: a form with a user name and a password becomes a token, and a cookie that holds it.
//! `POST /signout`: the cookie is gone.

use bytes::Bytes;
use serde_json::json;

use crate::auth::{Auth, COOKIE};
use crate::error::{Error, Issue};
use crate::form::{self, FormKind};
use crate::http::{Head, Reply};
use crate::proxied;

/// More fields than OAuth2's password grant has are not a sign-in.
const MAX_FIELDS: usize = 64;

const FIELDS: [&str; 3] = ["username", "password", "grant_type"];

/// Checks the form and signs the user in.
pub fn sign_in(auth: &Auth, head: &Head, body: Bytes) -> Result<Reply, Error> {
    let fields = fields(head, body)?;
    let field = |name: &str| {
        let found = fields.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let mut issues = Vec::new();
    if field("grant_type").is_some_and(|grant| grant != "password") {
        issues.push(Issue {
            place: "body",
            name: "grant_type",
            message: "string does not match regex \"password\"".into(),
            kind: "value_error.str.regex",
        });
    }
    let mut required = |name: &'static str| {
        field(name).unwrap_or_else(|| {
            issues.push(Issue::missing("body", name));
            ""
        })
    };
    let (user, password) = (required("username"), required("password"));
    if !issues.is_empty() {
        return Err(Error::Invalid(issues));
    }
    let token = auth.sign_in(user, password)?;
    let age = auth.token_life().as_secs();
    let cookie = cookie(head, &format!("\"Bearer {token}\""), age);
    let reply = Reply::json(&json!({ "access_token": token, "token_type": "bearer" }));
    Ok(reply.with("Set-Cookie", cookie).with("Cache-Control", "no-store"))
}

/// `POST /signout`: the browser forgets the cookie. The token itself stays good until it expires.
pub fn sign_out(head: &Head) -> Reply {
    Reply::json(&json!({ "signed_out": true })).with("Set-Cookie", cookie(head, "", 0))
}

/// The cookie, for so many seconds (RFC 6265). Whatever else a proxy shows under the same host does not get it.
fn cookie(head: &Head, value: &str, age: u64) -> String {
    let prefix = proxied::prefix(head);
    let path = if prefix.is_empty() { "/" } else { prefix };
    format!("{COOKIE}={value}; HttpOnly; Max-Age={age}; Path={path}; SameSite=Lax")
}

fn fields(head: &Head, body: Bytes) -> Result<Vec<(String, String)>, Error> {
    match FormKind::of(head.header("Content-Type"))? {
        FormKind::UrlEncoded => Ok(form::urlencoded(&body, MAX_FIELDS)),
        FormKind::Multipart(boundary) => {
            let parts = form::multipart(body, &boundary, &FIELDS, MAX_FIELDS)?;
            Ok(parts
                .into_iter()
                .map(|(name, data)| (name, String::from_utf8_lossy(&data).into_owned()))
                .collect())
        }
        FormKind::Other => Ok(Vec::new()),
    }
}
