//! The two dialects of the protocol. The router finds it in the path; whoever reads parameters and batch headers asks for it.

/// Which of two dialects a request speaks. Before this program there was a server in Python, whose client still has to be served.
/// Its first description, the seed of this project, says what is spoken by default; a later version had other defaults and headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// That of the first description, with what was added to it since.
    #[default]
    Seed,
    /// The later one, under the prefix `/v2`.
    V2,
}
