//! Chance that can be repeated: PTG_TORTURE_SEED sets the seed, which every test prints.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::report::figure;

/// Xorshift, which is as random as a test needs.
pub struct Dice(u64);

impl Dice {
    pub fn thrown() -> Self {
        let given = std::env::var("PTG_TORTURE_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock past 1970");
        let seed = given.unwrap_or(now.as_nanos() as u64 % 1_000_000).max(1);
        figure("seed (PTG_TORTURE_SEED)", seed);
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end as u64 + 1) as usize);
        }
    }
}
