//! `ptg-store describe`: what a stream is, and how many entries it keeps; shown, or changed.

use std::io::IsTerminal;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use ptg_store::words::ids::EntryId;
use ptg_store::words::object::Object;
use serde_json::{Value, json};

use super::stream_id;
use crate::client::shell::quote;
use crate::client::{Age, Console, Exit, Failure, Interrupted, Output, Present, Store, Stream, activity, description};

/// What is shown, in this order.
const NAMES: [&str; 8] = [
    "id",
    "description",
    "max_len",
    "entries",
    "oldest_id",
    "newest_id",
    "newest_age",
    "metadata",
];

/// Shows what STREAM is: description, about how many entries it keeps, how many it has, its oldest and newest, metadata.
/// With --desc, --max-len or --meta it changes these first, and nothing else; a stream that is not there yet is made. If
/// two change it at once, each of these is what was said last, and what only one of them names is as that one said.
#[derive(FromArgs, ArgsInfo)]
struct Flags {
    /// the stream
    #[argh(positional)]
    stream: String,

    /// keep about so many entries of it: older ones are trimmed when others are pushed
    #[argh(option, arg_name = "n")]
    max_len: Option<u64>,

    /// what it is, in words; '' makes that its name again
    #[argh(option, arg_name = "text")]
    desc: Option<String>,

    /// a JSON object about it, in the place of the one that it has; an empty object leaves none
    #[argh(option, arg_name = "json")]
    meta: Option<String>,

    /// print it as one JSON object
    #[argh(switch)]
    json: bool,

    /// say nothing but what went wrong
    #[argh(switch)]
    quiet: bool,

    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    url: Option<String>,

    /// token for the store (default: the environment's PTG_STORE_TOKEN if it is for this store, else that of ptg-store login)
    #[argh(option)]
    token: Option<String>,
}

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("describe", arguments, run)
}

fn run(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    let name = stream_id(&flags.stream)?;
    let store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    let mut stream = Stream::of(&store, name.as_str())?;
    let mut console = Console::new("describe", flags.quiet);
    // What stands there and is none reads as if there were none.
    let activity = stream.meta.is_empty().then(|| activity(&store)).transpose()?;
    let unreadable = activity.as_ref().and_then(|activity| fault(activity, name.as_str()));
    let max_len = flags.max_len.map(|count| count.to_string());
    let changes = [("desc", &flags.desc), ("meta", &flags.meta), ("max_len", &max_len)];
    let changes: Vec<(&str, &str)> = changes
        .iter()
        .filter_map(|(field, value)| Some((*field, value.as_deref()?)))
        .collect();
    let was_there = stream.is_there || unreadable.is_some();
    if !changes.is_empty() {
        store.put(&description::put(name.as_str(), &changes))?;
        stream = Stream::of(&store, name.as_str())?;
    }
    match unreadable {
        Some(why) if changes.is_empty() => {
            let quoted = quote(name.as_str());
            let mend = store.command("describe --desc ''");
            return Err(Failure::Here(format!(
                "'{name}': {why}; a new one takes its place with: {mend} -- {quoted}"
            )));
        }
        Some(why) => console.complain(&format!("'{name}': {why}; what stood there is replaced, and gone")),
        None => {}
    }
    if !stream.is_there {
        return Err(no_stream(name.as_str()));
    }
    if !was_there {
        // Its name may be mistyped.
        console.say(&format!("'{name}' is new: nothing was pushed into it yet"));
    }
    let present = match activity.filter(|_| changes.is_empty()) {
        Some(activity) => Present::read(&activity)?,
        None => Present::of(&store)?,
    };
    let age = stream.reach.map(|(_, newest)| Age::of(newest, present.now));
    let known = known(name.as_str(), &stream, present, age);
    let mut output = Output::stdout(interrupted)?;
    match (flags.json, std::io::stdout().is_terminal()) {
        (true, _) => output.json(known.to_string().as_bytes())?,
        (false, true) => for_people(&known, age).iter().try_for_each(|line| output.line(line))?,
        (false, false) => for_scripts(&known).iter().try_for_each(|line| output.line(line))?,
    }
    output.flush()?;
    Ok(Exit::Done)
}

/// Why the description of a stream cannot be read, if it cannot.
fn fault(activity: &Value, name: &str) -> Option<String> {
    let mut streams = activity["streams"].as_array().into_iter().flatten();
    let own = streams.find(|stream| stream["id"] == name)?;
    own["error"].as_str().map(str::to_owned)
}

/// The failure of a command that is about a stream that is not there.
pub fn no_stream(name: &str) -> Failure {
    Failure::Here(format!(
        "there is no stream '{name}'; ptg-store streams lists those that there are"
    ))
}

/// What is known, by the names that it has in `GET /activity` and in the description.
fn known(name: &str, stream: &Stream, present: Present, age: Option<Age>) -> Object {
    let meta = &stream.meta;
    let id = |id: Option<EntryId>| json!(id.map(|id| id.to_string()));
    let name = json!(name).to_string();
    let mut known = Object::default();
    known.set("id", &name);
    known.set("description", meta.get("description").unwrap_or(&name));
    known.set("max_len", stream.own_max_len().unwrap_or(present.default_max_len));
    known.set("entries", stream.entries);
    known.set("oldest_id", id(stream.reach.map(|(oldest, _)| oldest)));
    known.set("newest_id", id(stream.reach.map(|(_, newest)| newest)));
    known.set("newest_age", json!(age.and_then(Age::seconds)));
    known.set("metadata", meta.get("metadata").unwrap_or("{}"));
    known
}

/// The values below each other, and the age as people say it.
fn for_people(known: &Object, age: Option<Age>) -> Vec<String> {
    let width = NAMES.iter().map(|name| name.len()).max().unwrap_or(0);
    let line = |name: &&str| {
        let value = match (*name, age) {
            ("newest_age", Some(age)) => age.to_string(),
            _ => text(known, name),
        };
        format!("{name:width$}  {value}").trim_end().to_owned()
    };
    NAMES.iter().map(line).collect()
}

/// A name and its value with a tab between them; one line is one value.
fn for_scripts(known: &Object) -> Vec<String> {
    let line = |name: &&str| format!("{name}\t{}", text(known, name).replace(char::is_control, " "));
    NAMES.iter().map(line).collect()
}

/// A value as a text; empty where there is none.
fn text(known: &Object, name: &str) -> String {
    match known.read(name) {
        Some(Value::String(text)) => text,
        Some(Value::Null) | None => String::new(),
        // As it was written.
        Some(_) => known.get(name).unwrap_or_default().to_owned(),
    }
}
