//! The findings, as lines for people or as JSON for programs.

use std::io::{self, IsTerminal, Write};

use ptg_store::words::visible;
use serde_json::json;

use super::finding::{Finding, Mend, Verdict};

/// Columns of the verdict and of the check's name.
const VERDICT_WIDTH: usize = 9;
const NAME_WIDTH: usize = 20;

/// Prints findings as they come, and counts them.
pub struct Report {
    json: bool,
    colour: bool,
    ok: usize,
    warnings: usize,
    wrong: usize,
    not_checked: usize,
}

impl Report {
    pub fn new(json: bool) -> Report {
        // See no-color.org: the variable counts if it is not empty.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Report {
            json,
            colour: !json && !unwanted && io::stdout().is_terminal(),
            ok: 0,
            warnings: 0,
            wrong: 0,
            not_checked: 0,
        }
    }

    /// Prints who is examined.
    pub fn begin(&self, headline: &str) -> io::Result<()> {
        match self.json {
            true => Ok(()),
            false => print(&format!("{}\n", visible::line(headline))),
        }
    }

    /// Prints what a check found.
    pub fn add(&mut self, name: &str, finding: &Finding) -> io::Result<()> {
        *match finding.verdict {
            Verdict::Ok => &mut self.ok,
            Verdict::Warning => &mut self.warnings,
            Verdict::Wrong => &mut self.wrong,
            Verdict::NotChecked => &mut self.not_checked,
        } += 1;
        match self.json {
            true => print(&json_line(name, finding)),
            false => print(&text(name, finding, self.colour)),
        }
    }

    /// Prints how many there were of each kind.
    pub fn end(&self) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let warnings = if self.warnings == 1 { "warning" } else { "warnings" };
        print(&format!(
            "\n{} ok, {} {warnings}, {} wrong, {} not checked",
            self.ok, self.warnings, self.wrong, self.not_checked
        ))
    }

    /// Whether something is wrong, and not only doubtful.
    pub fn is_wrong(&self) -> bool {
        self.wrong > 0
    }
}

/// A line for the finding, and one for each command that mends it.
fn text(name: &str, finding: &Finding, colour: bool) -> String {
    let (word, code) = match finding.verdict {
        Verdict::Ok => ("ok", "32"),
        Verdict::Warning => ("warning", "33"),
        Verdict::Wrong => ("WRONG", "1;31"),
        Verdict::NotChecked => ("-", "2"),
    };
    let word = format!("{word:VERDICT_WIDTH$}");
    let word = match colour {
        true => format!("\x1b[{code}m{word}\x1b[0m"),
        false => word,
    };
    let reason = if finding.verdict == Verdict::NotChecked {
        "not checked: "
    } else {
        ""
    };
    let mut lines = format!("{word} {name:NAME_WIDTH$} {reason}{}", visible::line(&finding.found));
    for Mend { command, why } in &finding.mend {
        // What is to be given to a shell ends the line, and nothing else stands behind it.
        let why = why
            .as_ref()
            .map_or(String::new(), |why| format!(" ({})", visible::line(why)));
        lines += &format!("\n{:VERDICT_WIDTH$} mend{why}: {}", "", visible::line(command));
    }
    lines
}

fn json_line(name: &str, finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Wrong => "wrong",
        Verdict::NotChecked => "not checked",
    };
    let mend: Vec<&str> = finding.commands().collect();
    let line = json!({ "check": name, "verdict": verdict, "found": finding.found, "mend": mend }).to_string();
    visible::json(&line).into_owned()
}

/// Prints right away, also into a pipe. Whoever has read enough of it may still want the code to exit with.
fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_aligned_line_and_its_commands_are_lines_below_it() {
        let fine = text("store", &Finding::ok("ptg-store 0.1.0"), false);
        let bad = Finding::wrong("allkeys-lru").mend("redis-cli a").mend("redis-cli b");
        let bad = text("redis policy", &bad, false);
        let lines: Vec<&str> = bad.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(fine.find("ptg-store"), lines[0].find("allkeys-lru"));
        assert_eq!(lines[1].trim(), "mend: redis-cli a");
        let noted = text("store", &Finding::wrong("x").mend_for("who has it", "ss -l"), false);
        assert!(noted.ends_with("mend (who has it): ss -l"), "{noted}");
        assert!(text("x", &Finding::not_checked("no token"), false).contains("not checked: no token"));
    }

    #[test]
    fn colour_changes_nothing_but_the_verdict() {
        let finding = Finding::warning("slow");
        let plain = text("round trip", &finding, false);
        let coloured = text("round trip", &finding, true);
        assert_eq!(coloured.replace("\x1b[33m", "").replace("\x1b[0m", ""), plain);
        assert!(!plain.contains('\x1b'));
    }

    #[test]
    fn what_a_server_says_cannot_draw_on_the_terminal() {
        let hostile = Finding::wrong("Server: \x1b[2J\nok all is well").mend("curl \x07");
        let lines = text("store", &hostile, false);
        assert_eq!(lines.lines().count(), 2);
        assert!(!lines.contains(['\x1b', '\x07']), "{lines:?}");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let line = json_line("store", &Finding::wrong("a\nb").mend("c"));
        assert_eq!(line.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            value,
            json!({ "check": "store", "verdict": "wrong", "found": "a\nb", "mend": ["c"] })
        );
    }
}
