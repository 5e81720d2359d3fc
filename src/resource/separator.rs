//! What parts the sections of a probe's output.

/// A line's beginning that only one probe knows: what stands in a host's files or logs can't look like a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Separator(String);

impl Separator {
    /// One that nobody can guess.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        Ok(Self(hex::encode(nonce)))
    }

    /// What nobody can guess of it: letters and digits.
    pub fn nonce(&self) -> &str {
        &self.0
    }

    /// As it stands before the name of each section: the ASCII record separator, the nonce and a blank.
    pub(super) fn mark(&self) -> String {
        format!("\x1e{} ", self.0)
    }

    /// The same for `printf`.
    pub(super) fn escaped(&self) -> String {
        format!("\\036{} ", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Separator;

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(Separator::random(), Separator::random());
    }
}
