//! Memory for something whose length was announced grows with what has arrived of it: announcing much costs a peer nothing, and
//! so it is to cost us nothing. When the system refuses memory, that is an error, and not the end of the program.

use std::collections::TryReserveError;

/// The least that a second piece of memory makes of a first one, in bytes. What is larger doubles, so that each byte is copied
/// about once at most; from a few megabytes on the system moves pages instead (`man 2 mremap`).
const SECOND: usize = 1 << 20;

/// Memory grows rather than that less than so many bytes are taken at once.
const LEAST: usize = 16 << 10;

/// Makes room behind `bytes` for more of what is arriving, of which `due` bytes at most are still to come; how many of them there
/// is room for, at least one. `first` is how much is taken at first.
pub fn room(bytes: &mut Vec<u8>, due: usize, first: usize) -> Result<usize, TryReserveError> {
    let spare = bytes.capacity() - bytes.len();
    if spare < due.min(LEAST) {
        let capacity = match bytes.capacity() {
            capacity if capacity < first => first,
            capacity => capacity.saturating_mul(2).max(SECOND),
        };
        bytes.try_reserve_exact(due.min(capacity - bytes.len()))?;
    }
    Ok(due.min(bytes.capacity() - bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything that is due in pieces of the given size, and returns the capacities on the way.
    fn arrive(due: usize, piece: usize, first: usize) -> Vec<(usize, usize)> {
        let mut bytes = Vec::new();
        let mut seen = Vec::new();
        while bytes.len() < due {
            let left = due - bytes.len();
            let room = room(&mut bytes, left, first).unwrap();
            assert!(room > 0);
            bytes.resize(bytes.len() + room.min(piece), 7);
            seen.push((bytes.len(), bytes.capacity()));
        }
        seen
    }

    #[test]
    fn memory_is_never_much_more_than_what_has_arrived_and_in_the_end_just_that() {
        for due in [1, 5, 64 << 10, (64 << 10) + 1, 3 << 20, (64 << 20) - 1] {
            let first = 64 << 10;
            let seen = arrive(due, 60_000, first);
            for (arrived, capacity) in &seen {
                let most = if *arrived <= first {
                    SECOND
                } else {
                    (2 * arrived).max(SECOND) + LEAST * 2
                };
                assert!(*capacity <= most, "{capacity} for {arrived} of {due}");
            }
            assert_eq!(seen.last(), Some(&(due, due)));
        }
    }

    #[test]
    fn nothing_but_the_first_piece_is_taken_before_a_byte_has_come() {
        let mut bytes = Vec::new();
        assert_eq!(room(&mut bytes, 64 << 20, 1000).unwrap(), 1000);
        assert_eq!(bytes.capacity(), 1000);
    }

    #[test]
    fn many_small_pieces_do_not_grow_it_each_time() {
        let mut capacities: Vec<usize> = arrive(32 << 20, 1000, 64 << 10)
            .into_iter()
            .map(|seen| seen.1)
            .collect();
        capacities.dedup();
        assert!(capacities.len() < 12, "{capacities:?}");
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        assert!(room(&mut Vec::new(), usize::MAX, isize::MAX as usize).is_err());
    }
}
