//! A stream of the examination's own: made with a name that nobody has, removed when it is dropped.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::client::{Console, Interrupted, Store};

/// About how many entries it keeps: little memory even with large ones.
const MAX_LEN: usize = 64;

/// What its name begins with; 16 digits follow.
const PREFIX: &str = "doctor-";

/// A name of that form that nobody has.
pub fn random_name() -> String {
    // The standard library seeds each hasher with random numbers.
    format!("{PREFIX}{:016x}", RandomState::new().build_hasher().finish())
}

/// Whether a name is of that form.
pub fn is_probe(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX);
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The stream.
pub struct Probe {
    pub name: String,
    /// The store as it is asked for what must not be left half done: Ctrl-C does not break it off, only its patience does.
    pub store: Store,
}

impl Probe {
    pub fn make(store: &Store) -> Result<Probe, String> {
        let mut store = store.clone();
        store.interrupted = Interrupted::default();
        // From here on it is ours, whatever becomes of the request: PUT refuses a name that is there already.
        let probe = Probe {
            name: random_name(),
            store,
        };
        let path = format!("/streams/{}?desc=ptg-store%20doctor&max_len={MAX_LEN}", probe.name);
        probe
            .store
            .put(&path)
            .map_err(|failure| format!("no stream can be made: {failure}"))?;
        Ok(probe)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let path = format!("/streams/{}?force=true", self.name);
        if let Err(failure) = self.store.delete(&path) {
            let sentence = format!("the stream {} is left behind: {failure}", self.name);
            Console::new("doctor", false).complain(&sentence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_probes_are_taken_for_them() {
        assert!(is_probe(&random_name()) && random_name() != random_name());
        for name in [
            "doctor",
            "doctor-",
            "doctor-who",
            "doctor-0123456789abcdef0",
            "x-doctor-0123456789abcdef",
        ] {
            assert!(!is_probe(name), "{name}");
        }
    }
}
