//! `ptg-store token`: prints the token that the other commands use, for curl and programs of one's own.

use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use crate::client::{Console, Exit, Failure, Interrupted, Output, Store};

/// Prints the token that the other commands use, and nothing else: curl -H "Authorization: Bearer $(ptg-store token)" …
/// It is as good as a password. Without a token nothing is printed, and the code is 3. Of one whose time is over that is said
/// on standard error.
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
    // In development mode stores take such a one, and the other commands use it.
    if let Some(until) = token.over_since() {
        Console::new("token", false).complain(&format!(
            "the token {} was good until {until}, and a store may refuse it; sign in anew with: {log_in}",
            token.source
        ));
    }
    let mut output = Output::stdout(interrupted)?;
    output.line(&token.text)?;
    output.flush()?;
    Ok(Exit::Done)
}
