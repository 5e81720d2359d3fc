//! From ways that are closed to what closes them: "w3 drops UDP 4789 from everybody" instead of a line for each pair of hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Outcome;
use super::probe::{Port, Way};

/// Which hosts a cause is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ends {
    /// All that were tried.
    All,
    /// One host, whoever tries to reach it.
    To(String),
    /// One host, whomever it tries to reach.
    From(String),
    /// One host, when some try to reach it.
    Some(String, BTreeSet<String>),
}

/// What closes some ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) ends: Ends,
    pub(super) outcome: Outcome,
    pub(super) ports: BTreeSet<Port>,
}

/// The causes that explain every closed way, and nothing else. `tried` are all ways whose outcome is known.
pub(super) fn causes(tried: &BTreeSet<Way>, closed: &BTreeMap<Way, Outcome>) -> Vec<Cause> {
    let mut found: Vec<Cause> = Vec::new();
    let kinds: BTreeSet<_> = closed.iter().map(|(way, outcome)| (way.port, *outcome)).collect();
    for (port, outcome) in kinds {
        let of_port: Vec<_> = tried.iter().filter(|way| way.port == port).collect();
        let is_closed = |way: &&Way| closed.get(*way) == Some(&outcome);
        let (closed, open): (Vec<&Way>, Vec<&Way>) = of_port.into_iter().partition(is_closed);
        for ends in explained(&closed, &open) {
            let same = |cause: &&mut Cause| cause.ends == ends && cause.outcome == outcome;
            match found.iter_mut().find(same) {
                Some(cause) => drop(cause.ports.insert(port)),
                None => found.push(Cause {
                    ends,
                    outcome,
                    ports: BTreeSet::from([port]),
                }),
            }
        }
    }
    found
}

/// The ends that explain the closed ways of one port, the ones that explain most first.
fn explained(closed: &[&Way], open: &[&Way]) -> Vec<Ends> {
    if open.is_empty() && closed.len() > 2 {
        return vec![Ends::All];
    }
    let mut left = closed.to_vec();
    let mut found = Vec::new();
    while let Some(ends) = largest(closed, &left, open) {
        left.retain(|way| !is_of(way, &ends));
        found.push(ends);
    }
    let mut pairs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for way in left {
        pairs.entry(&way.to).or_default().insert(way.from.clone());
    }
    found.extend(
        pairs
            .into_iter()
            .map(|(to, from)| Ends::Some(to.to_owned(), from)),
    );
    found
}

/// The host that has no open way at one of its ends, and explains most of what is left, two ways at least.
fn largest(closed: &[&Way], left: &[&Way], open: &[&Way]) -> Option<Ends> {
    let to = closed.iter().map(|way| Ends::To(way.to.clone()));
    let from = closed.iter().map(|way| Ends::From(way.from.clone()));
    let all: BTreeSet<_> = to.chain(from).collect();
    let is_whole = |ends: &Ends| !open.iter().any(|way| is_of(way, ends));
    let explains = |ends: &Ends| left.iter().filter(|way| is_of(way, ends)).count();
    // Of equals the first: what a host lets in is more often wrong than what it sends.
    let best = all.into_iter().filter(is_whole).rev().max_by_key(explains)?;
    (explains(&best) > 1).then_some(best)
}

fn is_of(way: &Way, ends: &Ends) -> bool {
    match ends {
        Ends::All => true,
        Ends::To(to) => way.to == *to,
        Ends::From(from) => way.from == *from,
        Ends::Some(to, from) => way.to == *to && from.contains(&way.from),
    }
}

impl Cause {
    /// The hosts between which it is.
    pub(super) fn hosts(&self, closed: &BTreeMap<Way, Outcome>) -> BTreeSet<String> {
        let mine = closed
            .iter()
            .filter(|(way, outcome)| {
                **outcome == self.outcome && self.ports.contains(&way.port) && is_of(way, &self.ends)
            })
            .flat_map(|(way, _)| [way.from.clone(), way.to.clone()]);
        match &self.ends {
            Ends::To(host) | Ends::From(host) => BTreeSet::from([host.clone()]),
            Ends::All | Ends::Some(..) => mine.collect(),
        }
    }

    /// What is wrong, in a line.
    pub(super) fn message(&self) -> String {
        let ports = ports(&self.ports);
        let (active, passive) = match self.outcome {
            Outcome::Rejected => ("rejects", "rejected"),
            Outcome::Unreachable => ("has no route back for", "without a route"),
            Outcome::Forbidden => ("forbids", "forbidden by the sender's own firewall"),
            _ => ("drops", "dropped"),
        };
        match &self.ends {
            Ends::All => format!("{ports} between all hosts: {passive}"),
            Ends::To(host) => format!("{host} {active} {ports} from everybody"),
            Ends::From(host) => format!("{host} reaches nobody on {ports}: {passive} on the way"),
            Ends::Some(host, from) => {
                let from: Vec<_> = from.iter().map(String::as_str).collect();
                format!("{host} {active} {ports} from {}", from.join(", "))
            }
        }
    }
}

/// `TCP 2379, 2380 and UDP 4789`.
fn ports(ports: &BTreeSet<Port>) -> String {
    let number = |port: &Port| match port {
        Port::Tcp(number) | Port::Udp(number) => number.to_string(),
    };
    let (udp, tcp): (Vec<_>, Vec<_>) = ports.iter().partition(|port| matches!(port, Port::Udp(_)));
    let named = |word: &str, ports: Vec<&Port>| {
        let numbers: Vec<_> = ports.into_iter().map(number).collect();
        (!numbers.is_empty()).then(|| format!("{word} {}", numbers.join(", ")))
    };
    let named: Vec<_> = [named("TCP", tcp), named("UDP", udp)]
        .into_iter()
        .flatten()
        .collect();
    named.join(" and ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn way(from: &str, to: &str, port: Port) -> Way {
        Way {
            from: from.to_owned(),
            to: to.to_owned(),
            port,
        }
    }

    fn all(hosts: &[&str], ports: &[Port]) -> BTreeSet<Way> {
        let mut ways = BTreeSet::new();
        for from in hosts {
            for to in hosts.iter().filter(|to| *to != from) {
                ways.extend(ports.iter().map(|port| way(from, to, *port)));
            }
        }
        ways
    }

    fn messages(tried: &BTreeSet<Way>, is_closed: impl Fn(&Way) -> bool) -> Vec<String> {
        let closed = tried.iter().filter(|way| is_closed(way));
        let closed = closed.map(|way| (way.clone(), Outcome::Silent)).collect();
        causes(tried, &closed).iter().map(Cause::message).collect()
    }

    #[test]
    fn many_closed_ways_have_one_cause() {
        let hosts = ["cp1", "w1", "w2", "w3"];
        let (vxlan, kubelet) = (Port::Udp(4789), Port::Tcp(10250));
        let tried = all(&hosts, &[vxlan, kubelet]);
        assert_eq!(messages(&tried, |_| false), [""; 0]);
        assert_eq!(
            messages(&tried, |way| way.to == "w3" && way.port == vxlan),
            ["w3 drops UDP 4789 from everybody"]
        );
        assert_eq!(
            messages(&tried, |way| way.to == "w3"),
            ["w3 drops TCP 10250 and UDP 4789 from everybody"]
        );
        assert_eq!(
            messages(&tried, |way| way.from == "w3" && way.port == vxlan),
            ["w3 reaches nobody on UDP 4789: dropped on the way"]
        );
        assert_eq!(
            messages(&tried, |way| way.to == "w3"
                && way.from != "w1"
                && way.port == vxlan),
            ["w3 drops UDP 4789 from cp1, w2"]
        );
        assert_eq!(
            messages(&tried, |way| way.port == vxlan),
            ["UDP 4789 between all hosts: dropped"]
        );
    }

    #[test]
    fn between_two_hosts_neither_is_blamed_for_everybody() {
        let tried = all(&["cp1", "w1"], &[Port::Udp(4789)]);
        assert_eq!(
            messages(&tried, |way| way.to == "w1"),
            ["w1 drops UDP 4789 from cp1"]
        );
    }

    proptest! {
        #[test]
        fn causes_explain_what_is_closed_and_nothing_else(
            bits in prop::collection::vec(0_u8..3, 24),
        ) {
            let tried = all(&["a", "b", "c", "d"], &[Port::Udp(4789), Port::Tcp(6443)]);
            let outcomes = [None, Some(Outcome::Silent), Some(Outcome::Rejected)];
            let closed: BTreeMap<_, _> = tried
                .iter()
                .zip(&bits)
                .filter_map(|(way, bit)| Some((way.clone(), outcomes[usize::from(*bit)]?)))
                .collect();
            let causes = causes(&tried, &closed);
            for way in &tried {
                let explained: BTreeSet<_> = causes
                    .iter()
                    .filter(|cause| cause.ports.contains(&way.port) && is_of(way, &cause.ends))
                    .map(|cause| cause.outcome)
                    .collect();
                let expected: BTreeSet<_> = closed.get(way).copied().into_iter().collect();
                prop_assert_eq!(explained, expected, "{:?}", way);
            }
            prop_assert!(causes.len() <= closed.len());
        }
    }
}
