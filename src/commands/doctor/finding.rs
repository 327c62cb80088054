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
    /// What mends it, in this order.
    pub mend: Vec<Mend>,
}

/// A command that mends something, or that shows what does.
#[derive(Debug, Clone, PartialEq)]
pub struct Mend {
    /// A line that a shell takes as it is: no word in it stands for another, and nothing in it is a comment, because not
    /// every shell takes those at its prompt.
    pub command: String,
    /// When to give it, or what it is for.
    pub why: Option<String>,
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
        self.mend.push(Mend::new(command));
        self
    }

    /// The same, with what there is to know of the command.
    pub fn mend_for(mut self, why: impl Into<String>, command: impl Into<String>) -> Finding {
        self.mend.push(Mend::new(command).why(why));
        self
    }

    /// The same with several.
    pub fn mend_all(mut self, commands: impl IntoIterator<Item = Mend>) -> Finding {
        self.mend.extend(commands);
        self
    }

    /// The commands alone.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.mend.iter().map(|mend| mend.command.as_str())
    }

    fn new(verdict: Verdict, found: impl Into<String>) -> Finding {
        Finding {
            verdict,
            found: found.into(),
            mend: Vec::new(),
        }
    }
}

impl Mend {
    pub fn new(command: impl Into<String>) -> Mend {
        Mend {
            command: command.into(),
            why: None,
        }
    }

    pub fn why(self, why: impl Into<String>) -> Mend {
        Mend {
            why: Some(why.into()),
            ..self
        }
    }
}
