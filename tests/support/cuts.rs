//! Connections of the program that are lost. Those of the test go on.

use super::lab::Lab;

/// Ends the program's connections to a host, as a restart of its sshd would: both ends know at once.
pub(crate) fn cut(lab: &Lab, host: &str) {
    // There may be none just now.
    lab.ssh(host, "pkill -KILL -f '^sshd: admin' || true");
}

/// From now on all that these connections carry vanishes on its way: nobody is told, and only time tells.
pub(crate) fn let_vanish(lab: &Lab, host: &str) {
    lab.lab(&["run", "sh", "-euc", VANISH, "sh", &lab.address(host)]);
}

/// Rules for the ports that the program's end of the connections has now.
const VANISH: &str = r#"nft -f - <<END
table inet vanish {
  chain out { type filter hook output priority 0; }
  chain in { type filter hook input priority 0; }
}
END
ports=$(ss -Htnp state established dst "$1" dport = :22 | grep '"ci-bootstrap"' | awk '{ sub(/.*:/, "", $3); print $3 }')
[ -n "$ports" ] || { echo "the program has no connection to $1" >&2; exit 1; }
for port in $ports; do
  nft add rule inet vanish out tcp sport "$port" drop
  nft add rule inet vanish in tcp dport "$port" drop
done
"#;
