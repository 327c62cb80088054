//! Every route on one screen: method and path pattern, what answers there, and who may ask.

use crate::request::params;
use crate::words::dialect::Dialect;
use crate::words::error::Error;

/// What answers a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Endpoint {
    Token,
    Ping,
    Health,
    Metrics,
    Docs,
    DocsAsset,
    Redoc,
    OpenApi,
    AsyncApi,
    LivePage,
    SignOut,
    Activity,
    ListStreams,
    GetStream,
    PutStream,
    DeleteStream,
    GetData,
    PostData,
    Mjpeg,
    Push,
    Pull,
    /// `OPTIONS` of any path: CORS preflight.
    Options,
}

/// The prefix under which the later dialect is spoken.
pub const V2_PREFIX: &str = "/v2";

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Whoever has a token.
    SignedIn,
}

/// One line of the table.
#[derive(Debug)]
pub struct Route {
    /// The method; `HEAD` is answered wherever `GET` is, `OPTIONS` everywhere.
    pub method: &'static str,
    /// The path; a segment in braces stands for any one segment.
    pub pattern: &'static str,
    /// What answers.
    pub endpoint: Endpoint,
    /// Who may ask.
    pub access: Access,
    /// What it may be answered with, besides `COMMON_STATUSES`.
    pub statuses: &'static [u16],
}

use Access::{Public, SignedIn};

/// The routes of the program.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    Route { method: "POST",   pattern: "/token",                 endpoint: Endpoint::Token,        access: Public,   statuses: &[200, 401, 411, 415, 422] },
    Route { method: "POST",   pattern: "/signout",               endpoint: Endpoint::SignOut,      access: Public,   statuses: &[200, 411, 415] },
    Route { method: "GET",    pattern: "/ping",                  endpoint: Endpoint::Ping,         access: Public,   statuses: &[200] },
    Route { method: "GET",    pattern: "/health",                endpoint: Endpoint::Health,       access: Public,   statuses: &[200] },
    Route { method: "GET",    pattern: "/metrics",               endpoint: Endpoint::Metrics,      access: Public,   statuses: &[200] },
    Route { method: "GET",    pattern: "/",                      endpoint: Endpoint::LivePage,     access: Public,   statuses: &[200] },
    Route { method: "GET",    pattern: "/docs",                  endpoint: Endpoint::Docs,         access: Public,   statuses: &[200] },
    Route { method: "GET",    pattern: "/docs/{asset}",          endpoint: Endpoint::DocsAsset,    access: Public,   statuses: &[200, 404] },
    Route { method: "GET",    pattern: "/redoc",                 endpoint: Endpoint::Redoc,        access: Public,   statuses: &[307] },
    Route { method: "GET",    pattern: "/openapi.json",          endpoint: Endpoint::OpenApi,      access: Public,   statuses: &[200] },
    Route { method: "GET",    pattern: "/asyncapi.json",         endpoint: Endpoint::AsyncApi,     access: Public,   statuses: &[200] },
    Route { method: "GET",    pattern: "/activity",              endpoint: Endpoint::Activity,     access: SignedIn, statuses: &[200, 401, 422] },
    Route { method: "GET",    pattern: "/streams/",              endpoint: Endpoint::ListStreams,  access: SignedIn, statuses: &[200, 401, 422] },
    Route { method: "GET",    pattern: "/streams/{stream_id}",   endpoint: Endpoint::GetStream,    access: SignedIn, statuses: &[200, 401, 422] },
    Route { method: "PUT",    pattern: "/streams/{stream_id}",   endpoint: Endpoint::PutStream,    access: SignedIn, statuses: &[200, 401, 415, 422] },
    Route { method: "DELETE", pattern: "/streams/{stream_id}",   endpoint: Endpoint::DeleteStream, access: SignedIn, statuses: &[200, 401, 422] },
    Route { method: "POST",   pattern: "/data/{stream_id}",      endpoint: Endpoint::PostData,     access: SignedIn, statuses: &[200, 401, 411, 415, 422] },
    Route { method: "GET",    pattern: "/data/{stream_id}",      endpoint: Endpoint::GetData,      access: SignedIn, statuses: &[200, 204, 401, 422] },
    Route { method: "GET",    pattern: "/mjpeg/{stream_id}",     endpoint: Endpoint::Mjpeg,        access: SignedIn, statuses: &[200, 401, 422] },
    Route { method: "GET",    pattern: "/data/{stream_id}/push", endpoint: Endpoint::Push,         access: SignedIn, statuses: &[101, 401, 422, 426] },
    Route { method: "GET",    pattern: "/data/{stream_id}/pull", endpoint: Endpoint::Pull,         access: SignedIn, statuses: &[101, 401, 422, 426] },
];

/// What any route may be answered with besides: a request that is not sane, or of a page of strangers, or a store that cannot.
pub const COMMON_STATUSES: &[u16] = &[400, 403, 408, 413, 417, 421, 431, 500, 503, 505];

/// What `OPTIONS` is answered by, on every path that there is.
static OPTIONS: Route = Route {
    method: "OPTIONS",
    pattern: "",
    endpoint: Endpoint::Options,
    access: Public,
    statuses: &[200],
};

/// A route that fits a request.
#[derive(Debug)]
pub struct Match<'a> {
    /// Its line of the table.
    pub route: &'static Route,
    /// What stood in the place of the braces, still percent-encoded; empty if the pattern has none.
    pub segment: &'a str,
    /// The methods of this path, for `Allow`.
    pub methods: String,
    /// The dialect that the path asks for.
    pub dialect: Dialect,
}

/// Finds the route: 404 if no pattern fits the path, 405 if none of those that do has the method.
///
/// `OPTIONS *` asks about the server as a whole (RFC 9110, 9.3.7), so about every route.
pub fn find<'a>(method: &str, path: &'a str) -> Result<Match<'a>, Error> {
    let (dialect, path) = dialect_of(path);
    let every = method == "OPTIONS" && path == "*";
    let fitting: Vec<(&'static Route, &'a str)> = ROUTES
        .iter()
        .filter(|route| dialect == Dialect::Seed || route.endpoint.is_in_v2())
        .filter_map(|route| Some((route, if every { "" } else { fit(route.pattern, path)? })))
        .collect();
    let &(_, segment) = fitting.first().ok_or(Error::NotFound)?;
    let methods = methods(&fitting);
    let wanted = if method == "HEAD" { "GET" } else { method };
    let found = fitting
        .iter()
        .map(|(route, _)| *route)
        .find(|route| route.method == wanted);
    match found {
        Some(route) => Ok(Match {
            route,
            segment,
            methods,
            dialect,
        }),
        None if method == "OPTIONS" => Ok(Match {
            route: &OPTIONS,
            segment,
            methods,
            dialect,
        }),
        None => Err(Error::MethodNotAllowed(methods)),
    }
}

/// The pattern that fits a path, for metrics: `none` if there is none. Both dialects count as one.
pub fn pattern(path: &str) -> &'static str {
    let (_, path) = dialect_of(path);
    ROUTES
        .iter()
        .find(|route| fit(route.pattern, path).is_some())
        .map_or("none", |route| route.pattern)
}

/// Whether an answer is one that the documentation foretells. Of paths and methods that there are not, nothing is.
pub fn foretells(method: &str, path: &str, status: u16) -> bool {
    match find(method, path) {
        Ok(found) => found.route.statuses.contains(&status) || COMMON_STATUSES.contains(&status),
        Err(_) => true,
    }
}

/// The dialect of a path, and the path without its prefix.
fn dialect_of(path: &str) -> (Dialect, &str) {
    match path.strip_prefix(V2_PREFIX) {
        Some(rest) if rest.starts_with('/') => (Dialect::V2, rest),
        _ => (Dialect::Seed, path),
    }
}

impl Endpoint {
    /// Whether it is under `/v2`, too: everything but pages and documents for people.
    fn is_in_v2(self) -> bool {
        use Endpoint::{AsyncApi, Docs, DocsAsset, LivePage, OpenApi, Redoc};
        !matches!(self, LivePage | Docs | DocsAsset | Redoc | OpenApi | AsyncApi)
    }
}

/// Compares segment by segment; a trailing slash makes no difference.
fn fit<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let trim = |text: &str| text.len() - usize::from(text.len() > 1 && text.ends_with('/'));
    let mut braces = "";
    let mut want = pattern[..trim(pattern)].split('/');
    let mut have = path[..trim(path)].split('/');
    loop {
        match (want.next(), have.next()) {
            (None, None) => return Some(braces),
            (Some(want), Some(have)) if want.starts_with('{') => braces = have,
            (Some(want), Some(have)) if params::decode(have).is_some_and(|have| have == want) => {}
            _ => return None,
        }
    }
}

fn methods(fitting: &[(&Route, &str)]) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for (route, _) in fitting {
        if !methods.contains(&route.method) {
            methods.push(route.method);
        }
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailing_slash_makes_no_difference() {
        for (path, endpoint) in [
            ("/streams", Endpoint::ListStreams),
            ("/streams/", Endpoint::ListStreams),
            ("/streams/a", Endpoint::GetStream),
            ("/streams/a/", Endpoint::GetStream),
            ("/data/a/pull/", Endpoint::Pull),
            ("/d%61ta/a/pull", Endpoint::Pull),
            ("/", Endpoint::LivePage),
        ] {
            assert_eq!(find("GET", path).unwrap().route.endpoint, endpoint, "{path}");
        }
        assert_eq!(find("GET", "/data/a%2Fb/push").unwrap().segment, "a%2Fb");
    }

    #[test]
    fn the_later_dialect_has_the_same_paths_but_no_pages() {
        let pull = find("GET", "/v2/data/a+b/pull").unwrap();
        assert_eq!((pull.route.endpoint, pull.dialect), (Endpoint::Pull, Dialect::V2));
        assert_eq!(pull.segment, "a+b");
        assert_eq!(find("GET", "/data/a/pull").unwrap().dialect, Dialect::Seed);
        assert_eq!(find("GET", "/data/v2/pull").unwrap().dialect, Dialect::Seed);
        for path in [
            "/v2",
            "/v2/",
            "/v2/docs",
            "/v2/openapi.json",
            "/v2x/ping",
            "/v2/v2/ping",
        ] {
            assert_eq!(find("GET", path).unwrap_err(), Error::NotFound, "{path}");
        }
    }

    #[test]
    fn unknown_paths_come_before_wrong_methods() {
        for path in [
            "",
            "*",
            "/data",
            "/data/",
            "/data/a/b",
            "/data/a/pull/x",
            "/nothing",
            "streams",
        ] {
            assert_eq!(find("PATCH", path).unwrap_err(), Error::NotFound, "{path}");
        }
        let allow = |path| match find("PATCH", path) {
            Err(Error::MethodNotAllowed(methods)) => methods,
            other => panic!("{path}: {other:?}"),
        };
        assert_eq!(
            find("OPTIONS", "*").unwrap().methods,
            "POST, GET, PUT, DELETE, HEAD, OPTIONS"
        );
        assert_eq!(allow("/token"), "POST, OPTIONS");
        assert_eq!(allow("/streams/a"), "GET, PUT, DELETE, HEAD, OPTIONS");
    }
}
