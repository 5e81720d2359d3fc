//! DNS messages as far as one question and its answer need (RFC 1035, section 4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Marks our question's answer.
const ID: [u8; 2] = *b"ci";
const HEADER: usize = 12;
/// Record types.
const A: u16 = 1;
const AAAA: u16 = 28;

/// A question for the addresses of `name`, of the family that the cluster's Services have.
pub(super) fn question(name: &str, is_ipv6: bool) -> Vec<u8> {
    // Recursion desired; one question.
    let mut message = [&ID[..], &[0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.trim_end_matches('.').split('.') {
        // Names of the model have labels of 63 letters at most.
        message.push(u8::try_from(label.len()).unwrap_or(63));
        message.extend(label.bytes().take(63));
    }
    message.push(0);
    message.extend((if is_ipv6 { AAAA } else { A }).to_be_bytes());
    // Class IN.
    message.extend([0, 1]);
    message
}

/// The first address in an answer to [`question`], or what the answer says instead.
pub(super) fn answer(message: &[u8]) -> Result<IpAddr, String> {
    let cut = || "an answer that is cut off".to_owned();
    let number = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
    if message.get(..2) != Some(&ID[..]) {
        return Err("an answer to another question".to_owned());
    }
    match message.get(3).ok_or_else(cut)? & 0x0f {
        0 => {}
        2 => return Err("SERVFAIL: the DNS server can't answer".to_owned()),
        3 => return Err("NXDOMAIN: the DNS server knows no such name".to_owned()),
        5 => return Err("REFUSED: the DNS server doesn't serve this name".to_owned()),
        code => return Err(format!("the DNS server answered with error {code}")),
    }
    let records = number(6).ok_or_else(cut)?;
    // The question comes first: its name, type and class.
    let mut at = skip_name(message, HEADER).ok_or_else(cut)? + 4;
    for _ in 0..records {
        at = skip_name(message, at).ok_or_else(cut)?;
        let kind = number(at).ok_or_else(cut)?;
        let length = usize::from(number(at + 8).ok_or_else(cut)?);
        let data = message.get(at + 10..at + 10 + length).ok_or_else(cut)?;
        match (kind, data) {
            (A, data) if data.len() == 4 => {
                return Ok(Ipv4Addr::from([data[0], data[1], data[2], data[3]]).into());
            }
            (AAAA, data) => {
                let octets: [u8; 16] = data.try_into().map_err(|_| cut())?;
                return Ok(Ipv6Addr::from(octets).into());
            }
            _ => at += 10 + length,
        }
    }
    Err("the DNS server knows the name, and no address of it".to_owned())
}

/// Where the name at `at` ends.
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match message.get(at)? {
            0 => return Some(at + 1),
            // A pointer to an earlier name takes two bytes and ends it.
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += usize::from(*length) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    /// As `CoreDNS` answers: the question again, and a record whose name points to it.
    fn reply(code: u8, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = question("kubernetes.default.svc.cluster.local", false);
        message[2..4].copy_from_slice(&[0x85, 0x80 | code]);
        message[7] = u8::try_from(records.len()).unwrap();
        for (kind, data) in records {
            message.extend([0xc0, 12]);
            message.extend(kind.to_be_bytes());
            message.extend([0, 1, 0, 0, 0, 5]);
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(*data);
        }
        message
    }

    #[test]
    fn an_address_is_found_behind_an_alias() {
        let message = reply(0, &[(5, b"\x01a\x00"), (1, &[10, 96, 0, 1])]);
        assert_eq!(answer(&message), Ok("10.96.0.1".parse().unwrap()));
        let mut loopback = [0; 16];
        loopback[15] = 1;
        assert_eq!(answer(&reply(0, &[(28, &loopback)])), Ok("::1".parse().unwrap()));
    }

    #[test]
    fn errors_are_named_and_nothing_panics() {
        assert!(answer(&reply(3, &[])).unwrap_err().contains("NXDOMAIN"));
        assert!(answer(&reply(0, &[])).unwrap_err().contains("no address"));
        assert!(answer(b"").is_err() && answer(b"xx345678901234").is_err());
        let whole = reply(0, &[(1, &[10, 96, 0, 1])]);
        for length in 0..whole.len() {
            assert!(answer(&whole[..length]).is_err(), "{length}");
        }
    }
}
