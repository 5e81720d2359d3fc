//! A TCP connection to whichever address of a host answers first.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::sleep;

/// How long an address may be silent before the next is tried beside it (RFC 8305 recommends this much).
const DELAY: Duration = Duration::from_millis(250);

/// Connects to `host`, whose addresses are tried side by side: one that swallows packets keeps nobody from the next.
pub(super) async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = lookup_host((host, port)).await?.collect();
    first(in_turn(addresses), TcpStream::connect).await
}

/// Families in turn, beginning with the one that the resolver prefers.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut other = other.into_iter();
    let mut all = Vec::new();
    for address in preferred {
        all.push(address);
        all.extend(other.next());
    }
    all.extend(other);
    all
}

/// The first connection that is made. The next address is tried when one fails, or has been silent for [`DELAY`].
async fn first<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut left = addresses.into_iter();
    let mut tried = FuturesUnordered::new();
    let mut failures: Vec<(SocketAddr, io::Error)> = Vec::new();
    loop {
        if let Some(address) = left.next() {
            let attempt = connect(address);
            tried.push(async move { (address, attempt.await) });
        } else if tried.is_empty() {
            return Err(all_failed(failures));
        }
        tokio::select! {
            Some((address, made)) = tried.next() => match made {
                Ok(connection) => return Ok(connection),
                Err(error) => failures.push((address, error)),
            },
            () = sleep(DELAY), if left.len() > 0 => {}
        }
    }
}

fn all_failed(mut failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
    if failures.len() < 2 {
        let only = failures.pop().map(|(_, error)| error);
        return only.unwrap_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    let lines: Vec<_> = failures
        .iter()
        .map(|(address, error)| format!("{}: {error}", address.ip()))
        .collect();
    io::Error::other(lines.join("; "))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_silent_address_keeps_nobody_from_the_next() {
        let both = addresses(&["[fd00::1]:22", "10.0.0.1:22"]);
        let made = first(both.clone(), |address| async move {
            if address.is_ipv6() {
                std::future::pending::<()>().await;
            }
            Ok(address)
        });
        assert_eq!(made.await.unwrap(), both[1]);
    }

    #[tokio::test]
    async fn a_slow_address_may_still_answer_when_the_next_has_failed() {
        let both = addresses(&["[fd00::1]:22", "10.0.0.1:22"]);
        let made = first(both.clone(), |address| async move {
            if address.is_ipv4() {
                return Err(io::Error::other("refused"));
            }
            sleep(2 * DELAY).await;
            Ok(address)
        });
        assert_eq!(made.await.unwrap(), both[0]);
    }

    #[tokio::test]
    async fn all_failures_are_told() {
        let refused = |_| async { Err::<(), _>(io::Error::other("refused")) };
        let both = first(addresses(&["[fd00::1]:22", "10.0.0.1:22"]), refused).await;
        assert_eq!(
            both.unwrap_err().to_string(),
            "fd00::1: refused; 10.0.0.1: refused"
        );
        let one = first(addresses(&["10.0.0.1:22"]), refused).await;
        assert_eq!(one.unwrap_err().to_string(), "refused");
        let none = first(Vec::new(), refused).await;
        assert_eq!(none.unwrap_err().to_string(), "the name has no address");
    }

    #[test]
    fn families_come_in_turn() {
        let given = addresses(&[
            "[fd00::1]:22",
            "[fd00::2]:22",
            "[fd00::3]:22",
            "10.0.0.1:22",
            "10.0.0.2:22",
        ]);
        let expected = addresses(&[
            "[fd00::1]:22",
            "10.0.0.1:22",
            "[fd00::2]:22",
            "10.0.0.2:22",
            "[fd00::3]:22",
        ]);
        assert_eq!(in_turn(given), expected);
        assert_eq!(in_turn(addresses(&["10.0.0.1:22"])), addresses(&["10.0.0.1:22"]));
    }
}
