//! "Did you mean …?"

/// The known word nearest to what was written, if one is near enough to be what was meant.
pub fn did_you_mean<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&written, &word.to_lowercase()), word))
        .filter(|(similarity, _)| *similarity > 0.82)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn finds_slips_and_not_strangers() {
        assert_eq!(did_you_mean("adress", ["name", "address"]), Some("address"));
        assert_eq!(did_you_mean("vxlan", ["IPIP", "VXLAN"]), Some("VXLAN"));
        assert_eq!(did_you_mean("colour", ["name", "address"]), None);
    }
}
