//! `ptg-store login`: signs in, and keeps the token for the other commands.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use ptg_store::visible;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::client::{Arrival, Claims, Exit, Failure, Input, Interrupted, Output, Store, TICK, login};

/// The longest user name or password, in bytes. Stores take 16 KiB for both.
const MAX_ANSWER: usize = 4 << 10;

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
        None => Terminal::open()?.ask("User: ", Echo::On, interrupted)?,
    };
    let question = format!("Password of {user} at {}: ", store.url());
    let password = match flags.password_stdin {
        true => read_password(interrupted)?,
        false => Terminal::open()?.ask(&question, Echo::Off, interrupted)?,
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

/// The password that somebody else supplies.
fn read_password(interrupted: &Interrupted) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Here(format!("cannot read from standard input: {error}"));
    let text = read(&mut Input::stdin().map_err(failed)?, interrupted, |_| false)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Reads until it ends or is enough.
fn read(input: &mut Input, interrupted: &Interrupted, is_enough: fn(&[u8]) -> bool) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Here(format!("cannot read the answer: {error}"));
    let mut answer = Vec::new();
    while !is_enough(&answer) {
        interrupted.check()?;
        match input.read(&mut answer).map_err(failed)? {
            Arrival::Bytes(_) if answer.len() > MAX_ANSWER => {
                return Err(Failure::Usage(format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
            Arrival::Bytes(_) => {}
            Arrival::NotYet => input.wait(TICK).map_err(failed)?,
            Arrival::End => break,
        }
    }
    String::from_utf8(answer).map_err(|_| Failure::Usage("the answer is not UTF-8".into()))
}

/// The terminal that the user sits at, whatever standard input is.
struct Terminal(Input);

/// Whether what is typed is shown.
#[derive(PartialEq)]
enum Echo {
    On,
    Off,
}

impl Terminal {
    fn open() -> Result<Terminal, Failure> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/tty");
        file.map(|file| Terminal(Input::from(file))).map_err(no_terminal)
    }

    /// Asks a question; the answer without its line end.
    fn ask(&mut self, question: &str, echo: Echo, interrupted: &Interrupted) -> Result<String, Failure> {
        let hidden = match echo {
            Echo::On => None,
            Echo::Off => Some(Hidden::begin(self.0.file()).map_err(no_terminal)?),
        };
        let question = visible::line(question);
        self.0.file().write_all(question.as_bytes()).map_err(no_terminal)?;
        // A terminal gives a line at a time.
        let answer = read(&mut self.0, interrupted, |answer| answer.ends_with(b"\n"));
        let ended = answer.as_ref().is_ok_and(|answer| answer.is_empty());
        if hidden.is_some() || ended {
            // The line end was not shown, or there was none.
            self.0.file().write_all(b"\n").map_err(no_terminal)?;
        }
        match answer? {
            answer if answer.is_empty() => Err(Failure::Here("there was no answer, so nobody is signed in".into())),
            answer => Ok(answer.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }
}

fn no_terminal(error: std::io::Error) -> Failure {
    Failure::Usage(format!(
        "there is no terminal to ask at ({error}); give USER and --password-stdin"
    ))
}

/// A terminal that does not show what is typed, until this goes.
struct Hidden {
    file: File,
    before: Termios,
}

impl Hidden {
    fn begin(terminal: &File) -> std::io::Result<Hidden> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO;
        let file = terminal.try_clone()?;
        tcsetattr(&file, OptionalActions::Flush, &quiet)?;
        Ok(Hidden { file, before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.file, OptionalActions::Now, &self.before);
    }
}
