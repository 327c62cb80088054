//! How a user is told to call this program, in commands that are to be given to a shell, which has to do what was said.

pub use ptg_store::words::shell::quote;

/// This program as it was called, which is how a shell here finds it.
pub fn program() -> String {
    let name = std::env::args_os().next().and_then(|name| name.into_string().ok());
    let name = name.filter(|name| !name.is_empty());
    name.map_or("ptg-store".into(), |name| quote(&name))
}
