//! `ptg-store streams`: what streams a store has. A table for people; in a pipe, tabs and no heading.

use std::io::IsTerminal;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use ptg_store::words::ids::{EntryId, StreamId};
use ptg_store::words::visible;
use serde_json::Value;

use crate::client::{Age, Exit, Failure, Interrupted, Output, Present, Store, activity, figures};

/// The columns of the table.
const HEADINGS: [&str; 6] = ["STREAM", "ENTRIES", "MAX_LEN", "NEWEST", "BYTES", "DESCRIPTION"];

/// Lists the streams of a store: name, entries, about how many it keeps, age and bytes of the newest entry, description.
/// In a pipe: the same with tabs between them, without a heading, ages in seconds; empty where there is no entry. An age
/// is less than 0, or ahead, where the newest id is later than the store's clock; there is none where it is no time.
#[derive(FromArgs, ArgsInfo)]
struct Flags {
    /// print one JSON object a line
    #[argh(switch)]
    json: bool,

    /// the store (default: the environment's PTG_STORE_URL, else http://127.0.0.1:7890)
    #[argh(option)]
    url: Option<String>,

    /// token for the store (default: the environment's PTG_STORE_TOKEN if it is for this store, else that of ptg-store login)
    #[argh(option)]
    token: Option<String>,
}

/// One stream, as it is shown.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    /// None if they cannot be read.
    entries: Option<u64>,
    max_len: u64,
    /// Age and bytes of the newest entry.
    newest: Option<(Age, u64)>,
    /// Or why the stream cannot be read.
    description: String,
}

/// Runs the command.
pub fn main(arguments: &[&str]) -> ExitCode {
    super::run("streams", arguments, run)
}

fn run(flags: Flags, interrupted: &Interrupted) -> Result<Exit, Failure> {
    let store = Store::open(flags.url.as_deref(), flags.token.as_deref(), interrupted)?;
    let activity = activity(&store)?;
    let foreign = || Failure::Foreign("this is no store: its reply to GET /activity has no streams".into());
    let streams = activity["streams"].as_array().ok_or_else(foreign)?;
    let mut output = Output::stdout(interrupted)?;
    if flags.json {
        for stream in streams {
            output.json(stream.to_string().as_bytes())?;
        }
        output.flush()?;
        return Ok(Exit::Done);
    }
    // The store's own clock: that of this machine may be another.
    let now = Present::read(&activity)?.now;
    let rows: Option<Vec<Row>> = streams.iter().map(|stream| row(stream, now)).collect();
    let rows = rows.ok_or_else(foreign)?;
    match std::io::stdout().is_terminal() {
        true => table(&rows).iter().try_for_each(|line| output.line(line))?,
        false => rows.iter().try_for_each(|row| output.line(&row.with_tabs()))?,
    }
    output.flush()?;
    Ok(Exit::Done)
}

fn row(stream: &Value, now: u64) -> Option<Row> {
    let name = stream["id"].as_str()?;
    let newest = stream["newest_id"].as_str().map(str::parse::<EntryId>);
    let newest = newest.transpose().ok()?.zip(stream["newest_bytes"].as_u64());
    let described = stream["description"].as_str().filter(|text| *text != name);
    let error = stream["error"].as_str().map(|error| format!("error: {error}"));
    let entries = stream["entries"].as_u64()?;
    Some(Row {
        name: one_line(name),
        // Without a newest entry, the error is about the entries, or there are none.
        entries: (error.is_none() || entries > 0).then_some(entries),
        max_len: stream["max_len"].as_u64()?,
        newest: newest.map(|(id, bytes)| (Age::of(id, now), bytes)),
        // One line is one stream.
        description: error
            .as_deref()
            .or(described)
            .unwrap_or_default()
            .replace(char::is_control, " "),
    })
}

/// A name as a cell. No stream has one with tabs or line ends; what says so all the same does not get a row of its own for it.
fn one_line(name: &str) -> String {
    match StreamId::new(name) {
        Ok(_) => name.to_owned(),
        Err(_) => visible::line(name).into_owned(),
    }
}

impl Row {
    fn with_tabs(&self) -> String {
        let (age, bytes) = match self.newest {
            Some((age, bytes)) => (age.seconds().map(|age| format!("{age:.3}")), bytes.to_string()),
            None => Default::default(),
        };
        let age = age.unwrap_or_default();
        let Row {
            name,
            max_len,
            description,
            ..
        } = self;
        let entries = self.entries.map_or(String::new(), |entries| entries.to_string());
        format!("{name}\t{entries}\t{max_len}\t{age}\t{bytes}\t{description}")
    }

    fn cells(&self) -> [String; 6] {
        let (age, bytes) = match self.newest {
            Some((age, bytes)) => (age.to_string(), figures::bytes(bytes)),
            None => ("-".into(), "-".into()),
        };
        [
            visible::line(&self.name).into_owned(),
            self.entries.map_or("-".into(), |entries| entries.to_string()),
            self.max_len.to_string(),
            age,
            bytes,
            visible::line(&self.description).into_owned(),
        ]
    }
}

/// Lines with a heading, each column as wide as its widest cell; figures stand to the right.
fn table(rows: &[Row]) -> Vec<String> {
    let mut cells = vec![HEADINGS.map(String::from)];
    cells.extend(rows.iter().map(Row::cells));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    let line = |row: &[String; 6]| {
        let [name, entries, max_len, age, bytes, description] = row;
        let [w0, w1, w2, w3, w4, _] = widths[..] else {
            return String::new();
        };
        let line = format!("{name:w0$}  {entries:>w1$}  {max_len:>w2$}  {age:>w3$}  {bytes:>w4$}  {description}");
        line.trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows() -> Vec<Row> {
        let now = 1_795_600_800_000;
        let id = |ago: i64| format!("{}-0", 1_795_600_800_000 - ago);
        let streams = [
            json!({"id": "cam", "entries": 12, "max_len": 1000, "newest_id": id(1500), "newest_bytes": 54321, "description": "a\tcamera"}),
            json!({"id": "closed", "entries": 0, "max_len": 5, "newest_id": null, "newest_bytes": null, "description": null, "error": "Redis refused: NOPERM\n"}),
            json!({"id": "counted", "entries": 2, "max_len": 5, "newest_id": "20-0", "newest_bytes": 1, "description": null}),
            json!({"id": "early", "entries": 2, "max_len": 5, "newest_id": id(-180_000), "newest_bytes": 1, "description": null}),
            json!({"id": "empty stream", "entries": 0, "max_len": 5, "newest_id": null, "newest_bytes": null, "description": "empty stream"}),
        ];
        streams.iter().map(|stream| row(stream, now).unwrap()).collect()
    }

    #[test]
    fn a_table_is_aligned() {
        assert_eq!(
            table(&rows()),
            [
                "STREAM        ENTRIES  MAX_LEN         NEWEST     BYTES  DESCRIPTION",
                "cam                12     1000          1.5 s  53.0 KiB  a camera",
                "closed              -        5              -         -  error: Redis refused: NOPERM",
                "counted             2        5        no time       1 B",
                "early               2        5  3.0 min ahead       1 B",
                "empty stream        0        5              -         -",
            ]
        );
    }

    #[test]
    fn a_line_for_scripts_has_six_fields() {
        let lines: Vec<String> = rows().iter().map(Row::with_tabs).collect();
        assert_eq!(
            lines,
            [
                "cam\t12\t1000\t1.500\t54321\ta camera",
                "closed\t\t5\t\t\terror: Redis refused: NOPERM ",
                "counted\t2\t5\t\t1\t",
                "early\t2\t5\t-180.000\t1\t",
                "empty stream\t0\t5\t\t\t"
            ]
        );
    }
}
