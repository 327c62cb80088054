//! What one check found out: good or bad, the value that it saw, and the commands that mend it.

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// It works, and may not for long, or not as one thinks.
    Warning,
    /// It does not work, or loses entries.
    Wrong,
    /// Something that it stands on is missing.
    NotChecked,
}

/// What one check found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub verdict: Verdict,
    /// The value that was found, and what is the matter with it; or why nothing was looked at.
    pub found: String,
    /// What mends it, a line for a shell each.
    pub mend: Vec<String>,
}

impl Finding {
    pub fn ok(found: impl Into<String>) -> Finding {
        Finding::new(Verdict::Ok, found)
    }

    pub fn warning(found: impl Into<String>) -> Finding {
        Finding::new(Verdict::Warning, found)
    }

    pub fn wrong(found: impl Into<String>) -> Finding {
        Finding::new(Verdict::Wrong, found)
    }

    pub fn not_checked(why: impl Into<String>) -> Finding {
        Finding::new(Verdict::NotChecked, why)
    }

    /// The same with a command that mends it.
    pub fn mend(mut self, command: impl Into<String>) -> Finding {
        self.mend.push(command.into());
        self
    }

    /// The same with several.
    pub fn mend_all(mut self, commands: impl IntoIterator<Item = String>) -> Finding {
        self.mend.extend(commands);
        self
    }

    fn new(verdict: Verdict, found: impl Into<String>) -> Finding {
        Finding {
            verdict,
            found: found.into(),
            mend: Vec::new(),
        }
    }
}
