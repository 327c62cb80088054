//! A CSRF token: what only a page of our own origin can have read, and so proves that a request is of one.
//!
//! It is for WebSockets behind a proxy that rewrites `Host`: Chromium says nothing about them but their `Origin`, which then is none that
//! we know. The live page reads the token from the replies to `/activity`, in a header that pages of other origins cannot read, not
//! even allowed ones, and puts it into the query of its WebSockets.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::request::params::Params;
use crate::request::random;
use crate::words::http::Head;

/// The header of a reply that gives it.
pub const HEADER: &str = "X-CSRF-Token";

/// The parameter of a request that has it.
const PARAMETER: &str = "csrf_token";

/// The token, until the program ends. Without randomness there is none, and nobody can have it.
pub struct CsrfToken(Option<String>);

impl CsrfToken {
    /// A new one.
    pub fn random() -> CsrfToken {
        CsrfToken(random::hex())
    }

    /// Its text; empty if there is none.
    pub fn text(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether a request has it in its query.
    pub fn is_in(&self, head: &Head) -> bool {
        let mut params = Params::new(&head.query);
        let given = params.text(PARAMETER).unwrap_or_default();
        let is_it = |token: &str| verify_slices_are_equal(given.as_bytes(), token.as_bytes()).is_ok();
        self.0.as_deref().is_some_and(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_taken_and_none_stands_for_none() {
        let has = |token: &CsrfToken, query: &str| {
            let query = query.into();
            token.is_in(&Head {
                query,
                ..Head::default()
            })
        };
        let token = CsrfToken::random();
        let text = token.text();
        assert!(has(&token, &format!("count=1&csrf_token={text}")));
        for wrong in ["", &text[1..], &format!("{text}0"), CsrfToken::random().text()] {
            assert!(!has(&token, &format!("csrf_token={wrong}")), "{wrong}");
        }
        assert!(!has(&token, &format!("token={text}")));
        assert!(!has(&CsrfToken(None), "csrf_token="));
    }
}
