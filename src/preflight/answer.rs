//! What a host has answered, read strictly: what has another form than the scripts give it makes the whole answer unreadable.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::resource::{HostState, Unreadable};

use super::question::Question;

/// Most characters of an answer. A host with thousands of routes has more to say, and is looked at by a person.
const LONGEST: usize = 256 * 1024;

/// What a host is to a cluster, as far as its files tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing of a cluster is on it.
    Bare,
    /// An init or a join broke off on it.
    Half,
    /// It is a node.
    Member,
}

/// How an attempt to get through ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Outcome {
    /// Somebody listens.
    Connected,
    /// Nobody listens, and the refusal came back.
    Refused,
    /// Nothing came back.
    Silent,
    /// A firewall, or a router, said no.
    Rejected,
    /// The host has no route.
    Unreachable,
    /// The host itself lets nothing out.
    Forbidden,
    /// The name is unknown.
    Unresolved,
    /// Something else.
    Failed,
}

/// What became of a datagram as large as the interface allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathMtu {
    /// It got through.
    Whole,
    /// Something on the way takes packets of this size at the most.
    Limited(u32),
    /// It vanished, and smaller ones did not.
    Vanished,
}

/// What a server outside answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// A status of HTTP.
    Status(u16),
    /// Its port is open; nothing on the host speaks TLS.
    Open,
    /// Its certificate isn't trusted by the host.
    Untrusted,
    /// There was no answer.
    None(Outcome),
}

/// A program that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) is_udp: bool,
    pub(super) port: u16,
    pub(super) program: String,
}

/// Room on the device below a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) path: String,
    pub(super) device: u64,
    /// In KiB.
    pub(super) free: u64,
    /// Inodes, where the file system counts them.
    pub(super) inodes: Option<u64>,
}

/// Everything that a host has answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) user: String,
    pub(super) state: State,
    /// Its clock at the beginning and at the end, in seconds since 1970.
    pub(super) clock: (f64, f64),
    /// Microseconds for a synchronous write, where they were measured.
    pub(super) latency: Option<u64>,
    pub(super) machine_id: String,
    pub(super) mac: String,
    pub(super) host_keys: Vec<String>,
    pub(super) links: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) routes: Vec<IpNet>,
    pub(super) listeners: Vec<Listener>,
    pub(super) units: Vec<String>,
    pub(super) cni: Vec<String>,
    pub(super) firewall: Option<String>,
    pub(super) resolver: String,
    pub(super) nameservers: Vec<String>,
    pub(super) disks: Vec<Disk>,
    /// By position in the question.
    pub(super) ways: BTreeMap<usize, Outcome>,
    pub(super) mtus: BTreeMap<usize, (u32, PathMtu)>,
    /// The source address of packets to a peer; none without a route.
    pub(super) sources: BTreeMap<usize, Option<IpAddr>>,
    pub(super) replies: BTreeMap<usize, Reply>,
}

impl Answer {
    /// Reads the sections of one host.
    ///
    /// # Errors
    /// When something is missing, or has another form than it should.
    pub(super) fn read(seen: &HostState, question: &Question) -> Result<Self, Unreadable> {
        let mut answer = Self {
            clock: (clock(seen, "began")?, clock(seen, "went")?),
            latency: latency(seen)?,
            ..Self::empty()
        };
        let (mut facts, mut network) = (false, false);
        for line in lines(seen, "facts")? {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            facts |= (word, rest) == ("end", "facts");
            answer.fact(word, rest).ok_or_else(|| unreadable("facts", line))?;
        }
        for line in lines(seen, "network")? {
            network |= line == "end network";
            answer
                .network_line(line, question)
                .ok_or_else(|| unreadable("network", line))?;
        }
        for (section, is_whole) in [("facts", facts), ("network", network)] {
            if !is_whole {
                return Err(unreadable(section, "it breaks off"));
            }
        }
        Ok(answer)
    }

    fn empty() -> Self {
        Self {
            user: String::new(),
            state: State::Bare,
            clock: (0.0, 0.0),
            latency: None,
            machine_id: String::new(),
            mac: String::new(),
            host_keys: Vec::new(),
            links: Vec::new(),
            addresses: Vec::new(),
            routes: Vec::new(),
            listeners: Vec::new(),
            units: Vec::new(),
            cni: Vec::new(),
            firewall: None,
            resolver: String::new(),
            nameservers: Vec::new(),
            disks: Vec::new(),
            ways: BTreeMap::new(),
            mtus: BTreeMap::new(),
            sources: BTreeMap::new(),
            replies: BTreeMap::new(),
        }
    }

    fn fact(&mut self, word: &str, rest: &str) -> Option<()> {
        let text = || rest.to_owned();
        match word {
            "user" => self.user = text(),
            "state" => {
                self.state = match rest {
                    "bare" => State::Bare,
                    "half" => State::Half,
                    "member" => State::Member,
                    _ => return None,
                }
            }
            "machine-id" => self.machine_id = text(),
            "mac" => self.mac = text(),
            "host-key" => self.host_keys.push(text()),
            "link" => self.links.push(text()),
            "address" => self.addresses.push(rest.parse().ok()?),
            "route" => self.routes.extend(network(rest)),
            "listener" => self.listeners.extend(listener(rest)),
            "unit" => self.units.push(text()),
            "cni" => self.cni.push(text()),
            "firewall" => self.firewall = Some(text()),
            "resolver" => self.resolver = text(),
            "nameserver" => self.nameservers.push(text()),
            "disk" => self.disks.push(disk(rest)?),
            "end" => {}
            _ => return None,
        }
        Some(())
    }

    fn network_line(&mut self, line: &str, question: &Question) -> Option<()> {
        let words: Vec<_> = line.split_whitespace().collect();
        let position = |number: &str, of: usize| number.parse().ok().filter(|index: &usize| *index < of);
        match words[..] {
            ["way", number, word] => {
                let index = position(number, question.ways.len())?;
                self.ways.insert(index, outcome(word)?);
            }
            ["mtu", number, interface, ref rest @ ..] => {
                let index = position(number, question.ways.len())?;
                let path = match rest {
                    ["ok"] => PathMtu::Whole,
                    ["silent"] => PathMtu::Vanished,
                    ["small", mtu] => PathMtu::Limited(mtu.parse().ok()?),
                    _ => return None,
                };
                self.mtus.insert(index, (interface.parse().ok()?, path));
            }
            ["route", number, source] => {
                let index = position(number, question.peers.len())?;
                let source = match source {
                    "none" => None,
                    source => Some(source.parse().ok()?),
                };
                self.sources.insert(index, source);
            }
            ["server", number, ref rest @ ..] => {
                let index = position(number, question.servers.len())?;
                let reply = match rest {
                    ["status", status] => Reply::Status(status.parse().ok()?),
                    ["open"] => Reply::Open,
                    ["untrusted"] => Reply::Untrusted,
                    [word] => Reply::None(outcome(word)?),
                    _ => return None,
                };
                self.replies.insert(index, reply);
            }
            ["end", "network"] => {}
            _ => return None,
        }
        Some(())
    }

    /// Whether something on the host listens on a port.
    pub(super) fn listens(&self, is_udp: bool, port: u16) -> bool {
        self.listeners
            .iter()
            .any(|listener| listener.is_udp == is_udp && listener.port == port)
    }
}

fn unreadable(what: &str, answer: &str) -> Unreadable {
    Unreadable {
        what: what.to_owned(),
        answer: answer.chars().take(200).collect(),
    }
}

fn lines<'a>(seen: &'a HostState, section: &str) -> Result<impl Iterator<Item = &'a str>, Unreadable> {
    let text = seen.section(section);
    if text.len() > LONGEST {
        return Err(unreadable(section, "it is too long"));
    }
    Ok(text.lines().filter(|line| !line.trim().is_empty()))
}

fn clock(seen: &HostState, section: &str) -> Result<f64, Unreadable> {
    let text = seen.section(section).trim();
    let time = text.parse().ok().filter(|time: &f64| time.is_finite());
    time.ok_or_else(|| unreadable(section, text))
}

fn latency(seen: &HostState) -> Result<Option<u64>, Unreadable> {
    match seen.section("latency").trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| unreadable("latency", text)),
    }
}

fn outcome(word: &str) -> Option<Outcome> {
    Some(match word {
        "connected" => Outcome::Connected,
        "refused" => Outcome::Refused,
        "silent" => Outcome::Silent,
        "rejected" => Outcome::Rejected,
        "unreachable" => Outcome::Unreachable,
        "forbidden" => Outcome::Forbidden,
        "unresolved" => Outcome::Unresolved,
        "failed" => Outcome::Failed,
        _ => return None,
    })
}

/// A network as `ip route` writes it. `default`, and words such as `unreachable`, are none.
fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A socket of `ss`, whose port may be `*`.
fn listener(text: &str) -> Option<Listener> {
    let mut words = text.splitn(3, ' ');
    let (protocol, port) = (words.next()?, words.next()?);
    Some(Listener {
        is_udp: protocol == "udp",
        port: port.parse().ok()?,
        program: words.next().unwrap_or_default().trim().to_owned(),
    })
}

fn disk(text: &str) -> Option<Disk> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [path, device, free, inodes] = words[..] else {
        return None;
    };
    Some(Disk {
        path: path.to_owned(),
        device: device.parse().ok()?,
        free: free.parse().ok()?,
        inodes: match inodes {
            "-" => None,
            number => Some(number.parse().ok()?),
        },
    })
}
