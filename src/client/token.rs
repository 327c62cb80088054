//! Which token goes to which store. A token is as good as a password, at any store with the same key; so one that was made for a
//! store goes to that one alone, unless the user says otherwise.

use std::fmt;

use ptg_store::state::config::variable;

use super::{Claims, Failure, Store, login};

/// The environment variables that name a store, and hold the token for it.
pub const URL_VARIABLE: &str = "PTG_STORE_URL";
pub const TOKEN_VARIABLE: &str = "PTG_STORE_TOKEN";

/// A token. It must not be shown to anybody.
#[derive(Clone)]
pub struct Token {
    pub text: String,
    pub source: Source,
}

/// Where a token is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `--token`: it goes wherever the user says.
    Flag,
    /// `PTG_STORE_TOKEN`: it goes to the store that `PTG_STORE_URL` names, or to the one on this machine if that names none.
    Variable,
    /// The login file, where it stands beside the URL of its store.
    Login,
}

/// What was found for a store.
pub enum Found {
    /// Its token.
    Token(Token),
    /// `PTG_STORE_TOKEN` is there, but is another store's: a sentence that says so, and what to do.
    OfAnother(String),
    /// None.
    Nothing,
}

/// Looks for the token of a store. `own` is the URL of the environment's, in the one form of `Store::url`; none if
/// `PTG_STORE_URL` is no URL.
pub fn find(flag: Option<&str>, store: &Store, own: Option<&str>) -> Result<Found, Failure> {
    let url = &*store.url();
    let variable = variable(TOKEN_VARIABLE).map_err(Failure::Usage)?;
    let token = match (flag, &variable) {
        (Some(token), _) => Some(Token::of(token, Source::Flag)),
        (None, Some(token)) if own == Some(url) => Some(Token::of(token, Source::Variable)),
        (None, _) => login::token(url)?.map(|token| Token::of(&token, Source::Login)),
    };
    match (token, variable) {
        (Some(token), _) => token.check().map(Found::Token),
        (None, Some(_)) => Ok(Found::OfAnother(of_another(store, own))),
        (None, None) => Ok(Found::Nothing),
    }
}

fn of_another(store: &Store, own: Option<&str>) -> String {
    let own = own.map_or(format!("{URL_VARIABLE}, which is no URL"), |own| {
        format!("{own} ({URL_VARIABLE})")
    });
    let url = store.url();
    format!(
        "{TOKEN_VARIABLE} is for the store at {own}, and is not sent to {url}; give --token, or sign in there: \
         {}",
        store.command("login")
    )
}

impl Token {
    fn of(text: &str, source: Source) -> Token {
        let text = text.to_owned();
        Token { text, source }
    }

    /// Since when it is no good any more, as the end of a sentence; nothing if it still may be.
    pub fn expired(&self) -> String {
        let since = self.over_since();
        since.map_or(String::new(), |since| format!(", which expired at {since}"))
    }

    /// Until when it was good, if that is over by this machine's clock.
    pub fn over_since(&self) -> Option<String> {
        let claims = Claims::read(&self.text).filter(Claims::is_over);
        claims.and_then(|claims| claims.expiry())
    }

    /// Whatever stands in a header must not end it.
    fn check(self) -> Result<Token, Failure> {
        match !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(self),
            false => Err(Failure::Usage(format!(
                "the token {} has characters that no token has, or none at all; a line end or quotes, perhaps",
                self.source
            ))),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Source::Flag => "of --token",
            Source::Variable => "in PTG_STORE_TOKEN",
            Source::Login => "in the login file",
        })
    }
}
