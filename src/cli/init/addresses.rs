//! The addresses that `init` is given, on the command line and on standard input.

use std::io::{BufRead, Read as _};
use std::net::IpAddr;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

/// More than this is no list of addresses.
const LARGEST: u64 = 1 << 20;

/// One word of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostArgument {
    /// A host.
    Address(IpAddr),
    /// All those that standard input names.
    Input,
}

impl FromStr for HostArgument {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "-" {
            return Ok(Self::Input);
        }
        address(word).map(Self::Address)
    }
}

fn address(word: &str) -> Result<IpAddr, String> {
    word.parse()
        .map_err(|_| "this is not an IP address, such as 10.0.0.11".to_owned())
}

/// All addresses in their order. Standard input is read to its end, if it is asked for.
pub(super) fn read(hosts: &[HostArgument], input: &mut impl BufRead) -> Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for host in hosts {
        match host {
            HostArgument::Address(address) => addresses.push(*address),
            HostArgument::Input => addresses.extend(from(input)?),
        }
    }
    if addresses.is_empty() {
        bail!("standard input has no addresses");
    }
    Ok(addresses)
}

/// Addresses between white space. The rest of a line after `#` is a comment.
fn from(input: &mut impl BufRead) -> Result<Vec<IpAddr>> {
    let mut text = String::new();
    input
        .take(LARGEST)
        .read_to_string(&mut text)
        .context("cannot read standard input")?;
    let mut addresses = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split_whitespace() {
            let address = address(word).map_err(anyhow::Error::msg);
            addresses
                .push(address.with_context(|| format!("standard input, line {}: {word:?}", number + 1))?);
        }
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn all(words: &[&str], input: &str) -> Result<Vec<String>> {
        let hosts: Vec<HostArgument> = words.iter().map(|word| word.parse().unwrap()).collect();
        let addresses = read(&hosts, &mut input.as_bytes())?;
        Ok(addresses.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn standard_input_is_read_where_it_is_named() {
        let input = "10.0.0.12 10.0.0.13\n\n# spare\nfd00::1 # the last\n";
        assert_eq!(
            all(&["10.0.0.11", "-"], input).unwrap(),
            ["10.0.0.11", "10.0.0.12", "10.0.0.13", "fd00::1"]
        );
        assert_eq!(all(&["10.0.0.11"], input).unwrap(), ["10.0.0.11"]);
    }

    #[test]
    fn what_is_no_address_is_told_with_its_line() {
        let error = all(&["-"], "10.0.0.11\nweb1\n").unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "standard input, line 2: \"web1\": this is not an IP address, such as 10.0.0.11"
        );
        assert_eq!(
            all(&["-"], " \n").unwrap_err().to_string(),
            "standard input has no addresses"
        );
        assert!("10.0.0.321".parse::<HostArgument>().is_err());
    }
}
