//! `POST /token`: a form with a user name and a password becomes a token, and a cookie that holds it.
//! `POST /signout`: the cookie is gone.

use bytes::Bytes;
use serde_json::json;

use crate::request::auth::{Auth, COOKIE};
use crate::request::form::{self, FormKind};
use crate::request::proxied;
use crate::words::error::{Error, Issue};
use crate::words::http::{Head, Reply};

/// More fields than OAuth2's password grant has are not a sign-in.
const MAX_FIELDS: usize = 64;

const FIELDS: [&str; 3] = ["username", "password", "grant_type"];

/// What is told to those who send JSON, or nothing, or put both into the query.
const HINT: &str = "send a form, not JSON and not a query: curl -d username=NAME -d password=PASSWORD";

/// A field of the form, which may come in any encoding.
type Field = (String, Bytes);

/// Checks the form and signs the user in.
pub fn sign_in(auth: &Auth, head: &Head, body: Bytes) -> Result<Reply, Error> {
    // Where there is a form it is plain what is missing in it.
    let is_form = FormKind::of(head)? != FormKind::Other;
    let hint = (!is_form).then_some(HINT);
    let fields = fields(head, body)?;
    let mut issues = Vec::new();
    let mut read = |name: &'static str, is_required: bool| match text(&fields, name) {
        Ok("") if is_required => {
            issues.push(Issue::missing("body", name, hint));
            ""
        }
        Ok(text) => text,
        Err(issue) => {
            issues.push(issue);
            ""
        }
    };
    let (grant, user, password) = (
        read("grant_type", false),
        read("username", true),
        read("password", true),
    );
    if !matches!(grant, "" | "password") {
        issues.push(Issue::new(
            "body",
            "grant_type",
            "string does not match regex \"password\"",
            "value_error.str.regex",
        ));
    }
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

fn fields(head: &Head, body: Bytes) -> Result<Vec<Field>, Error> {
    match FormKind::of(head)? {
        FormKind::UrlEncoded => {
            let pairs: Vec<form::Pair> = form::pairs(&body).take(MAX_FIELDS + 1).collect();
            if pairs.len() > MAX_FIELDS {
                return Err(Error::refused(
                    413,
                    format!("More than {MAX_FIELDS} fields in one form."),
                ));
            }
            let named = |(name, value)| Some((String::from_utf8(name).ok()?, Bytes::from(value)));
            Ok(pairs.into_iter().filter_map(named).collect())
        }
        FormKind::Multipart(boundary) => form::multipart(body, &boundary, &FIELDS, MAX_FIELDS, "fields in one form"),
        FormKind::Other => Ok(Vec::new()),
    }
}

/// The text of a field, empty if it is missing. Bytes that are not UTF-8 are no text: replaced by something, different
/// passwords would become the same. A field that is sent twice means nothing (RFC 6749, section 3.2).
fn text<'a>(fields: &'a [Field], name: &'static str) -> Result<&'a str, Issue> {
    let mut found = fields.iter().filter(|(key, _)| key == name);
    match (found.next(), found.next()) {
        (None, _) => Ok(""),
        (Some((_, value)), None) => {
            std::str::from_utf8(value).map_err(|_| Issue::new("body", name, "value is not UTF-8", "type_error.str"))
        }
        _ => Err(Issue::new(
            "body",
            name,
            "field given more than once",
            "value_error.repeated",
        )),
    }
}
