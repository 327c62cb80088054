//! `ptg-store login`: signs in, and keeps the token for the other commands.

use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use super::terminal::{Echo, Terminal, read};
use crate::client::{Claims, Exit, Failure, Input, Interrupted, Output, Store, login};

/// Signs in to a store and keeps the token in ~/.config/ptg-store/login.json, readable by you alone.
/// The other commands take it from there.
#[derive(FromArgs, ArgsInfo)]
struct Flags {
    /// who signs in; asked for if it is not given
    #[argh(positional)]
    user: Option<String>,

    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    url: Option<String>,

    /// read the password from standard input, its line end left out, instead of asking for it
    #[argh(switch)]
    password_stdin: bool,

    /// forget the token of this store instead
    #[argh(switch)]
    logout: bool,
}

/// The question for who signs in.
const USER: &str = "User: ";

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("login", arguments, run)
}

fn run(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    let store = Store::at(flags.url.as_deref(), interrupted)?;
    let mut output = Output::stdout(interrupted)?;
    if flags.logout {
        let said = match login::forget(&store.url())? {
            true => "forgot the login to",
            false => "there was no login to",
        };
        output.line(&format!("{said} {}", store.url()))?;
        output.flush()?;
        return Ok(Exit::Done);
    }
    let user = match flags.user {
        Some(user) => user,
        None => match ask(USER, Echo::On, interrupted)? {
            // A line end too many, perhaps.
            user if is_nobody(&user) => ask(USER, Echo::On, interrupted)?,
            user => user,
        },
    };
    if is_nobody(&user) {
        return Err(Failure::Usage(
            "the user's name is empty, so nobody is signed in".into(),
        ));
    }
    let question = format!("Password of {user} at {}: ", store.url());
    let password = match flags.password_stdin {
        true => read_password(interrupted)?,
        false => ask(&question, Echo::Off, interrupted)?,
    };
    let token = store.sign_in(&user, &password)?;
    let path = login::remember(&store.url(), &user, &token)?;
    let until = match Claims::read(&token).and_then(|claims| claims.expiry()) {
        Some(until) => format!("until {until}"),
        None => "for as long as the store likes".into(),
    };
    let kept = path.display();
    output.line(&format!(
        "{user} is signed in to {} {until}; the token is in {kept}",
        store.url()
    ))?;
    output.flush()?;
    Ok(Exit::Done)
}

fn is_nobody(user: &str) -> bool {
    user.trim().is_empty()
}

/// Asks at the terminal that the user sits at, whatever standard input is.
fn ask(question: &str, echo: Echo, interrupted: &Interrupted) -> Result<String, Failure> {
    let no_terminal = |failure| match failure {
        Failure::Usage(sentence) => Failure::Usage(format!("{sentence}; give USER and --password-stdin")),
        other => other,
    };
    let mut terminal = Terminal::open().map_err(no_terminal)?;
    match terminal.ask(question, echo, interrupted)? {
        Some(answer) => Ok(answer),
        None => Err(Failure::Here("there was no answer, so nobody is signed in".into())),
    }
}

/// The password that somebody else supplies.
fn read_password(interrupted: &Interrupted) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Here(format!("cannot read from standard input: {error}"));
    let text = read(&mut Input::stdin().map_err(failed)?, interrupted, |_| false)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
