//! Random instants that can be had again.

/// A linear congruential generator: the same seed gives the same instants.
pub(crate) struct Random(u64);

impl Random {
    /// `FAULTS_SEED`, or another one each time.
    pub(crate) fn from_environment() -> Self {
        let given = std::env::var("FAULTS_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        Self(given.unwrap_or_else(|| u64::from(std::process::id())))
    }

    /// What repeats it, before the first number is drawn.
    pub(crate) fn seed(&self) -> u64 {
        self.0
    }

    /// A number from `least` on and below `most`.
    pub(crate) fn between(&mut self, (least, most): (u64, u64)) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        least + (self.0 >> 33) % (most - least)
    }
}
