//! Where a store is, and how to get in.

use std::fmt;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ptg_store::state::config::variable;

use super::shell::{program, quote};
use super::token::{self, Found, Source, TOKEN_VARIABLE, Token, URL_VARIABLE};
use super::{Failure, Interrupted, login};

/// Where a store listens unless it was told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:7890";

/// The port of a store that was not told another.
const USUAL_PORT: u16 = 7890;

/// How long a store may take to say anything, and to take anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// How long an open WebSocket may be silent, and not answer a ping meanwhile. The store pings it every 20 seconds unless it is busy.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// What a path segment and a query value keep as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A store. Cloning it is cheap.
#[derive(Clone)]
pub struct Store {
    /// The host, its port, and the prefix before every path: empty, or `/like/this`.
    host: String,
    prefix: String,
    token: Option<Token>,
    /// Why `PTG_STORE_TOKEN` is not its token, if there is nothing else.
    of_another: Option<String>,
    /// Whether the user has had enough.
    pub interrupted: Interrupted,
    /// How long the store may take to say anything, and to take anything.
    pub patience: Duration,
    /// How long a WebSocket may be silent before it is given up.
    pub silence: Duration,
}

impl Store {
    /// The store that the flags name, else the environment, else the one on this machine; with the token of the flags, else
    /// of the environment if it is this store's, else of the login file, if there is any. If there is only a token of another
    /// store, that is an error.
    pub fn open(url: Option<&str>, token: Option<&str>, interrupted: &Interrupted) -> Result<Store, Failure> {
        let store = Store::look(url, token, interrupted)?;
        match store.of_another {
            Some(sentence) => Err(Failure::NotSignedIn(sentence)),
            None => Ok(store),
        }
    }

    /// The same, but without a token if there is only one of another store.
    pub fn look(url: Option<&str>, token: Option<&str>, interrupted: &Interrupted) -> Result<Store, Failure> {
        let mut store = Store::at(url, interrupted)?;
        match token::find(token, &store, own_url().as_deref())? {
            Found::Token(token) => store.token = Some(token),
            Found::OfAnother(sentence) => store.of_another = Some(sentence),
            Found::Nothing => {}
        }
        Ok(store)
    }

    /// The store that the flag names, else the environment, else the one on this machine, without a token.
    pub fn at(url: Option<&str>, interrupted: &Interrupted) -> Result<Store, Failure> {
        let own = variable(URL_VARIABLE).map_err(Failure::Usage)?;
        let own = own.unwrap_or_else(|| DEFAULT_URL.into());
        let (host, prefix) = parse(url.unwrap_or(&own)).map_err(Failure::Usage)?;
        Ok(Store {
            host,
            prefix,
            token: None,
            of_another: None,
            interrupted: interrupted.clone(),
            patience: PATIENCE,
            silence: SILENCE,
        })
    }

    /// Its URL in the one form that it has here: with a port, without a slash at its end.
    pub fn url(&self) -> String {
        one_form(&self.host, &self.prefix)
    }

    /// Its host and port, as they stand in the URL.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The token, if there is one. It must not be shown to anybody.
    pub fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.text.as_str())
    }

    /// The token and where it is from, if there is one. It must not be shown to anybody.
    pub fn found_token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Why there is no token although `PTG_STORE_TOKEN` is there.
    pub fn token_of_another(&self) -> Option<&str> {
        self.of_another.as_deref()
    }

    /// The command line that runs a command for this store, whatever the environment names in the shell that it is given to.
    pub fn command(&self, words: &str) -> String {
        let is_usual = self.url() == DEFAULT_URL && own_url().as_deref() == Some(DEFAULT_URL);
        match is_usual {
            true => format!("{} {words}", program()),
            false => format!("{} {words} --url {}", program(), quote(&self.url())),
        }
    }

    /// The command line that signs in where what was found does not let the user in. A variable comes before any login.
    pub fn log_in(&self) -> String {
        let log_in = self.command("login");
        match self.token.as_ref().map(|token| token.source) {
            Some(Source::Variable) => format!("unset {TOKEN_VARIABLE}; {log_in}"),
            _ => log_in,
        }
    }

    /// A failure of this store with what to do about it: of a token that it does not take, which one that is.
    pub fn advise(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Refused {
                status: 401, detail, ..
            } => Failure::Refused {
                status: 401,
                detail,
                advice: Some(self.advice()),
            },
            failure => failure,
        }
    }

    fn advice(&self) -> String {
        let Some(token) = &self.token else {
            return format!("sign in with: {}", self.log_in());
        };
        let refused = format!("it refuses the token {}{}", token.source, token.expired());
        match token.source {
            Source::Flag => refused,
            Source::Variable if matches!(login::token(&self.url()), Ok(Some(_))) => {
                format!("{refused}; for the login instead: unset {TOKEN_VARIABLE}")
            }
            Source::Variable | Source::Login => format!("{refused}; sign in anew with: {}", self.log_in()),
        }
    }

    /// A path of the store as it is asked for, behind the prefix.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        // Without the token.
        write!(f, "Store({})", self.url())
    }
}

/// Percent-encodes a name for a path segment or a query value.
pub fn encode(name: &str) -> String {
    utf8_percent_encode(name, KEPT).to_string()
}

/// The URL of the store that the environment names, else of the one on this machine; none if what it names is no URL.
fn own_url() -> Option<String> {
    let url = variable(URL_VARIABLE).ok()?.unwrap_or_else(|| DEFAULT_URL.into());
    let (host, prefix) = parse(&url).ok()?;
    Some(one_form(&host, &prefix))
}

fn one_form(host: &str, prefix: &str) -> String {
    format!("http://{host}{prefix}")
}

/// Host with port, and prefix.
fn parse(url: &str) -> Result<(String, String), String> {
    let wrong =
        |what: &str| format!("{url} is not the URL of a store, like {DEFAULT_URL} or http://host:port/prefix: {what}");
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", rest)) => {
            let host = rest.split('/').next().unwrap_or_default();
            let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            let port = port.unwrap_or(USUAL_PORT);
            return Err(format!(
                "{url}: https is not spoken here; ask the store itself with http://, or a tunnel to it \
                 (ssh -L {port}:127.0.0.1:{port} host)"
            ));
        }
        Some((scheme, _)) => return Err(wrong(&format!("{scheme}:// is not http://"))),
        None => return Err(wrong("it does not begin with http://")),
    };
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("it has spaces, control characters or letters beyond ASCII"));
    }
    if url.contains(['?', '#']) {
        return Err(wrong("it has a query or a fragment"));
    }
    let (host, prefix) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    if host.contains('@') {
        let (_, host) = rest.rsplit_once('@').unwrap_or_default();
        let url = quote(&format!("http://{host}"));
        return Err(format!(
            "a user and password do not belong into a store's URL; sign in with: {} login --url {url}",
            program()
        ));
    }
    // What follows the brackets of an IPv6 address, or the first colon of anything else.
    let after = host.rfind(']').map_or(0, |end| end + 1);
    let (name, port) = match host[after..].find(':') {
        Some(colon) => (&host[..after + colon], &host[after + colon + 1..]),
        None => (host, "80"),
    };
    if name.is_empty() {
        return Err(wrong("it has no host"));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => {
            let host = format!("{}:{port}", name.to_ascii_lowercase());
            Ok((host, prefix.trim_end_matches('/').to_string()))
        }
        _ => Err(wrong("its port is not a number from 1 to 65535")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_have_one_form() {
        for (url, host, prefix) in [
            ("http://127.0.0.1:7890", "127.0.0.1:7890", ""),
            ("http://127.0.0.1:7890/", "127.0.0.1:7890", ""),
            ("http://Lab", "lab:80", ""),
            ("http://lab:8000/store/a/", "lab:8000", "/store/a"),
            ("http://[::1]:7890", "[::1]:7890", ""),
            ("http://[::1]/x", "[::1]:80", "/x"),
        ] {
            assert_eq!(parse(url), Ok((host.into(), prefix.into())), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused_with_the_cause() {
        for (url, cause) in [
            ("https://lab", "https is not spoken"),
            ("https://lab/store", "ssh -L 7890:127.0.0.1:7890 host"),
            ("https://127.0.0.1:33275/x", "ssh -L 33275:127.0.0.1:33275 host"),
            ("ws://lab", "ws:// is not http://"),
            ("lab:7890", "does not begin"),
            ("", "does not begin"),
            ("http://", "no host"),
            ("http://:80", "no host"),
            ("http://lab:0", "port"),
            ("http://lab:99999", "port"),
            ("http://lab:", "port"),
            ("http://lab:80:80", "port"),
            ("http://ada:secret@lab", " login --url http://lab"),
            ("http://lab/?a=b", "query"),
            ("http://lab/a b", "spaces"),
            ("http://lab\r\nX: y", "control"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(cause), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_url_in_its_one_form_stays_as_it_is(url in "http://[a-z.]{1,9}(:[1-9][0-9]{0,3})?(/[a-z]{1,5}){0,2}/?") {
            let (host, prefix) = parse(&url).unwrap();
            let again = parse(&format!("http://{host}{prefix}")).unwrap();
            prop_assert_eq!(again, (host, prefix));
        }

        #[test]
        fn no_url_makes_the_parser_panic(url in ".*", rest in ".*") {
            let _ = parse(&url);
            let _ = parse(&format!("http://{rest}"));
        }
    }
}
