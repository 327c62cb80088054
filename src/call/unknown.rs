//! Query parameters that a request's route does not have. Old clients and browsers send some, so they are ignored, but not those
//! that are likely slips: in goes what was read of a query, out come complaints that say what was meant.
//!
//! What a route knows is what it asked for, so there is no list of it here.

use std::sync::LazyLock;

use crate::error::Error;
use crate::http::Head;
use crate::nearest::nearest;
use crate::params::Params;
use crate::router::{Access, Dialect, Match, ROUTES, Route, V2_PREFIX};

/// What other places call a parameter: the replies of `PUT /streams/{id}`, and the command line.
const OTHER_WORDS: [(&str, &str); 3] = [("description", "desc"), ("metadata", "meta"), ("from", "last_entry_id")];

/// The parameters of all routes, and where each is taken first. The default dialect's come first.
static OWNERS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let dialects = [(Dialect::Seed, ""), (Dialect::V2, V2_PREFIX)];
    let all = dialects
        .iter()
        .flat_map(|dialect| ROUTES.iter().map(move |route| (dialect, route)));
    all.flat_map(|((dialect, prefix), route)| {
        let place = format!("{} {prefix}{}", route.method, route.pattern);
        names(route, *dialect)
            .into_iter()
            .map(move |name| (name, place.clone()))
    })
    .collect()
});

/// Complains of each unknown parameter whose name is near to one that the route has, or is one of another route. Under `/v2` the latter
/// are ignored: the client that the dialect is for sends some.
pub fn refuse(route: &Route, dialect: Dialect, params: &mut Params) {
    if route.access == Access::Public {
        return;
    }
    // One complaint for each name that was meant, however many slips a query is made of.
    let mut told: Vec<&str> = Vec::new();
    for name in params.unasked() {
        let here = meant(&name, params.asked());
        let elsewhere = || {
            OWNERS
                .iter()
                .find(|(known, _)| dialect == Dialect::Seed && *known == name)
        };
        let (meant, sentence) = if let Some(known) = here {
            (known, format!("there is no such parameter; did you mean '{known}'?"))
        } else if let Some((known, place)) = elsewhere() {
            (
                *known,
                format!("this is a parameter of {place}, and means nothing here"),
            )
        } else {
            continue;
        };
        if !told.contains(&meant) {
            told.push(meant);
            params.refuse_name(name, sentence);
        }
    }
}

/// What somebody is told who is not signed in, perhaps because of a slip in the name of the token. The value is never told.
pub fn or_token(error: Error, params: &Params) -> Error {
    let slips = params.unasked();
    let slip = slips.iter().find(|name| meant(name, params.asked()).is_some());
    match slip.filter(|_| error == Error::NotAuthenticated) {
        Some(name) => Error::refused(
            401,
            format!("{error}: there is no parameter '{name}'; did you mean 'token'?"),
        ),
        None => error,
    }
}

/// The parameter of the route that somebody meant.
fn meant(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let word = OTHER_WORDS.iter().find(|(word, _)| *word == name);
    let word = word.map_or(name, |(_, parameter)| parameter);
    nearest(word, known.iter().copied())
}

/// What a route asks for.
fn names(route: &'static Route, dialect: Dialect) -> Vec<&'static str> {
    let found = Match {
        route,
        segment: "stream",
        methods: String::new(),
        dialect,
    };
    let mut params = Params::new("");
    super::read(found, &mut params, &Head::default(), 1);
    params.asked().to_vec()
}
