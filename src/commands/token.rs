//! `ptg-store token`: prints the token that the other commands use, for curl and programs of one's own.

use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use crate::client::{Claims, Exit, Failure, Interrupted, Output, Store};

/// Prints the token that the other commands use, and nothing else: curl -H "Authorization: Bearer $(ptg-store token)" …
/// It is as good as a password. Without a token, or with one that is over, nothing is printed, and the code is 3.
#[derive(FromArgs, ArgsInfo)]
struct Flags {
    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    url: Option<String>,
}

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("token", arguments, run)
}

fn run(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    let store = Store::open(flags.url.as_deref(), None, interrupted)?;
    let log_in = store.log_in();
    let Some(token) = store.found_token() else {
        return Err(Failure::NotSignedIn(format!(
            "there is no token for the store at {}; sign in with: {log_in}",
            store.url()
        )));
    };
    // Some stores take such a one for development; whoever asks for a token wants one that is good.
    if Claims::read(&token.text).is_some_and(|claims| claims.is_over()) {
        return Err(Failure::NotSignedIn(format!(
            "the token {} is no good any more{}; sign in anew with: {log_in}",
            token.source,
            token.expired()
        )));
    }
    let mut output = Output::stdout(interrupted)?;
    output.line(&token.text)?;
    output.flush()?;
    Ok(Exit::Done)
}
