//! Whether a node can use the share: mounted, written and read once, before anything depends on it.

use std::time::Duration;

use serde::Deserialize;

use super::{Action, Known, Probe, Resource, Seen, Topic, Unreadable, Verdict, sh};

/// Where a node notes which share it has used. A note that is lost or out of date costs one more try.
const NOTE: &str = "/var/lib/ci-bootstrap/nfs-share";

/// A share that this node must be able to use. What each node writes is read by the next one that tries.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NfsShare {
    /// `server:path`.
    pub source: String,
    /// Options of nfs(5).
    pub options: Vec<String>,
    /// The node's name.
    pub node: String,
}

impl NfsShare {
    fn note(&self) -> String {
        format!("{} {}\n", self.source, self.options.join(","))
    }

    /// The user's options, and those with which a server that does not answer is an error instead of a wait.
    fn options(&self) -> String {
        let quick = ["soft", "timeo=100", "retrans=2", "retry=0"].map(str::to_owned);
        [&self.options[..], &quick].concat().join(",")
    }

    fn server(&self) -> &str {
        self.source.rsplit_once(":/").map_or("", |(server, _)| server)
    }
}

impl Resource for NfsShare {
    fn probe(&self, ask: &mut Probe) {
        ask.content(NOTE);
    }

    fn compare(&self, seen: &Seen) -> Result<Verdict, Unreadable> {
        let lines = match seen.content(NOTE) {
            Some(note) if note == self.note() => vec![],
            _ => vec![format!("+mount, write, read, unmount {}", self.source)],
        };
        Ok(Verdict::from_lines(
            format!("try the share {}", self.source),
            lines,
        ))
    }

    fn action(&self, _seen: &Seen, _known: &Known) -> Action {
        let head = format!(
            "source={}\nserver={}\noptions={}\nnode={}\n",
            sh::quote(&self.source),
            sh::quote(self.server().trim_matches(['[', ']'])),
            sh::quote(&self.options()),
            sh::quote(&self.node),
        );
        let note = sh::write_file_and_directory(NOTE, &self.note(), "0644", "root:root");
        let script = format!("{head}{TRY}{note}");
        Action::quick(script).within(Duration::from_secs(480))
    }

    fn rests_on(&self) -> Vec<Topic> {
        vec![Topic::Packages]
    }
}

/// Mounts the share, reads what another node wrote last, writes, reads that back, and unmounts.
const TRY: &str = r#"dir=$(mktemp -d /run/ci-bootstrap-share.XXXXXX)
leave() { ! mountpoint -q "$dir" || timeout 20 umount "$dir" || umount -l "$dir"; rmdir "$dir"; }
trap leave EXIT
explain() {
  case "$said" in
    # NFSv3 says the same of a path that is not there as of one that is for others.
    *"denied"*|*"No such file"*|*"not exported"*)
      echo "help: the server has no such export, or not for this node; it says that it exports:"; timeout 10 showmount -e "$server" 2>&1 || true ;;
    *"timed out"*|*"refused"*|*"oute to host"*|*"unreachable"*) echo "help: $server can't be reached from this node: is it on, and does its firewall let NFS (port 2049/tcp) through?" ;;
    "") echo "help: $server does not answer: is it on, and does its firewall let NFS (port 2049/tcp) through?" ;;
    *) echo "help: try the same command on this node by hand" ;;
  esac
}
# A server that was just started may take a moment until it answers.
for try in 1 2 3; do
  said=$(timeout 40 mount -t nfs -o "$options" "$source" "$dir" 2>&1) && break
  case "$try $said" in
    [12]*"timed out"*|[12]*"refused"*|"1 "|"2 ") sleep 5 ;;
    *) echo "mount -t nfs -o $options $source: ${said:-no answer within 40 s, three times}" >&2; explain >&2; exit 1 ;;
  esac
done
file=$dir/.ci-bootstrap-check
if [ -e "$file" ]; then
  last=$(timeout 100 cat "$file") || { echo "cannot read $source/.ci-bootstrap-check, which another node wrote" >&2; exit 1; }
  case "$last" in "ci-bootstrap on "*) ;; *) echo "$source/.ci-bootstrap-check does not hold what another node wrote, but: $last" >&2; exit 1 ;; esac
fi
if ! said=$( { timeout 100 sh -c 'echo "ci-bootstrap on $1 wrote this" > "$2.$1" && mv -f "$2.$1" "$2"' sh "$node" "$file"; } 2>&1 ); then
  echo "cannot write into $source: $said" >&2
  echo "help: root of this node must be allowed to write there: see the export's squash options and the directory's mode" >&2; exit 1
fi
[ "$(timeout 100 cat "$file")" = "ci-bootstrap on $node wrote this" ] || { echo "$source does not give back what was written into it" >&2; exit 1; }
leave; trap - EXIT
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn share() -> NfsShare {
        NfsShare {
            source: "nas:/srv/ci".into(),
            options: vec!["nfsvers=4.1".into(), "hard".into()],
            node: "w1".into(),
        }
    }

    #[test]
    fn a_node_tries_a_share_once() {
        let seen = |note: &str| Seen::example(&format!("\x1econtent {NOTE}\n{note}\x1eend\n"));
        assert_eq!(
            share().compare(&seen("nas:/srv/ci nfsvers=4.1,hard\n")),
            Ok(Verdict::InSync)
        );
        assert!(matches!(
            share().compare(&seen("nas:/old nfsvers=4.1,hard\n")),
            Ok(Verdict::Differs(_))
        ));
        assert!(matches!(
            share().compare(&Seen::default()),
            Ok(Verdict::Differs(_))
        ));
    }

    #[test]
    fn the_server_is_named_without_the_path() {
        assert_eq!(share().server(), "nas");
        let address = NfsShare {
            source: "[fd00::1]:/srv".into(),
            ..share()
        };
        assert_eq!(address.server(), "[fd00::1]");
    }

    #[test]
    fn the_try_is_valid_shell() {
        let script = share().action(&Seen::default(), &Known::default()).script;
        assert!(sh::is_valid(&script), "{script}");
    }
}
