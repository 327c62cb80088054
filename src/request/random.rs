//! What nobody can guess, out of the system's randomness.

use aws_lc_rs::rand;

/// 128 bits as 32 hexadecimal digits; none if the system has no randomness to give.
pub fn hex() -> Option<String> {
    let mut bits = [0; 16];
    rand::fill(&mut bits).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_all_have_32_digits() {
        let mut all: Vec<String> = (0..1000).map(|_| hex().unwrap()).collect();
        assert!(all.iter().all(|digits| digits.len() == 32));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 1000);
    }
}
