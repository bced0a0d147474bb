//! How property tests are run, those of the library and those beside it: the same cases each time, so that what passes
//! for one passes for all. `.ci/long` tries new ones.

use proptest::test_runner::{Config, RngSeed};

/// Any number; another one means other cases.
const SEED: u64 = 0x0005_A03A;

/// `count` cases, from the stored failures and then from a fixed seed. `PROPTEST_RNG_SEED` asks for other cases,
/// `SAOMA_CASES` for so many times as many.
pub(crate) fn cases(count: u32) -> Config {
    let mut config = Config::default();
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    let times = std::env::var("SAOMA_CASES")
        .map_or(1, |times| times.parse().unwrap_or_else(|_| panic!("SAOMA_CASES={times} is not a number")));
    config.cases = count.saturating_mul(times);
    config.max_global_rejects = config.max_global_rejects.saturating_mul(times);
    config.max_local_rejects = config.max_local_rejects.saturating_mul(times);
    config
}
