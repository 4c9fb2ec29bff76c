//! Seeded random numbers; each is a function of its index.
//!
//! splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
//! OOPSLA 2014; constants as in Vigna's public-domain `splitmix64.c`). Its n-th output is a
//! function of the seed and n alone, so no draw depends on the scheduling of tasks.

/// 2^64 divided by the golden ratio: the generator's step.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// An endless, indexable sequence of random numbers.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    origin: u64,
}

impl Stream {
    /// The sequence of a seed and a purpose. Different purposes give unrelated sequences, so that
    /// more draws for one purpose do not change the draws for another.
    pub const fn new(seed: u64, purpose: u64) -> Self {
        Self { origin: mix(seed.wrapping_add(mix(purpose.wrapping_add(GOLDEN)))) }
    }

    /// 64 random bits, for the given index.
    pub const fn bits(&self, index: u64) -> u64 {
        let steps = index.wrapping_add(1);
        mix(self.origin.wrapping_add(GOLDEN.wrapping_mul(steps)))
    }

    /// A number in [0, 1), one of 2^53 equally likely ones.
    pub fn unit(&self, index: u64) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.bits(index) >> 11) as f64 * SCALE
    }
}

/// splitmix64's output function: each input bit influences every output bit.
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outputs_are_those_of_splitmix64() {
        // The first outputs of splitmix64.c for seed 1234567.
        let stream = Stream { origin: 1_234_567 };
        assert_eq!(stream.bits(0), 6_457_827_717_110_365_317);
        assert_eq!(stream.bits(1), 3_203_168_211_198_807_973);
        assert_eq!(stream.bits(2), 9_817_491_932_198_370_423);
    }

    #[test]
    fn a_draw_depends_on_seed_purpose_and_index_only() {
        let draw = |seed, purpose, index| Stream::new(seed, purpose).bits(index);
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        assert_ne!(draw(1, 2, 3), draw(2, 2, 3));
        assert_ne!(draw(1, 2, 3), draw(1, 3, 3));
        assert_ne!(draw(1, 2, 3), draw(1, 2, 4));
    }

    #[test]
    fn units_are_at_least_0_and_below_1() {
        let stream = Stream::new(0, 0);
        assert!((0..10_000).all(|n| (0.0..1.0).contains(&stream.unit(n))));
    }
}
