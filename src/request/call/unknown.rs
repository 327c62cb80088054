//! Query parameters that a request's route does not have. Old clients and browsers send some, so they are ignored, but not those
//! that are likely slips: in goes what was read of a query, out come complaints that say what was meant.
//!
//! What a route knows is what it asked for, so there is no list of it here.

use crate::request::params::Params;
use crate::request::router::{Access, Route};
use crate::words::error::Error;
use crate::words::nearest::{is_slip, nearest};

/// What other places call a parameter: the replies of `PUT /streams/{id}`, the command line, other stores.
const OTHER_WORDS: [(&str, &str); 6] = [
    ("description", "desc"),
    ("metadata", "meta"),
    ("from", "last_entry_id"),
    ("since", "last_entry_id"),
    ("last_id", "last_entry_id"),
    ("limit", "count"),
];

/// Complains of each unknown parameter whose name is near to one that the route has.
pub fn refuse(route: &Route, params: &mut Params) {
    if route.access == Access::Public {
        return;
    }
    // One complaint for each name that was meant, however many slips a query is made of.
    let mut told: Vec<&str> = Vec::new();
    for name in params.unasked() {
        let Some(known) = meant(&name, params.asked()) else {
            continue;
        };
        if !told.contains(&known) {
            told.push(known);
            params.refuse_name(name, format!("there is no such parameter; did you mean '{known}'?"));
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
    nearest(word, known.iter().copied()).filter(|near| is_slip(word, near))
}
