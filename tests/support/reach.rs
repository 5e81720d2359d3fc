//! What a pod reaches: the same connections tried from a pod of a build, and from one that no policy speaks of.

use super::lab::Lab;

/// A pod that Pod Security admits everywhere, on w1.
fn pod(lab: &Lab, namespace: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{ name: reach, namespace: {namespace} }}
spec:
  nodeName: w1
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  securityContext: {{ runAsUser: 1000, runAsNonRoot: true, seccompProfile: {{ type: RuntimeDefault }} }}
  containers:
    - name: reach
      image: {}
      command: [sleep, 1h]
      securityContext: {{ allowPrivilegeEscalation: false, capabilities: {{ drop: [ALL] }} }}
",
        image(lab)
    )
}

/// The lab's image of a shell, from the registry that serves everything in the lab.
fn image(lab: &Lab) -> String {
    format!("{}:5000/busybox:2", outside(lab))
}

/// The machine that serves packages and images: it is no host of the inventory.
pub(crate) fn outside(lab: &Lab) -> String {
    let address = lab.address("cp1");
    let (network, _) = address.rsplit_once('.').unwrap_or_default();
    format!("{network}.1")
}

/// Starts the pod in a namespace.
pub(crate) fn start(lab: &Lab, namespace: &str) {
    lab.apply_by_hand(&pod(lab, namespace));
    lab.kubectl(&format!(
        "-n {namespace} wait pod/reach --for condition=Ready --timeout 90s"
    ));
}

pub(crate) fn stop(lab: &Lab, namespace: &str) {
    lab.kubectl(&format!("-n {namespace} delete pod reach --wait"));
}

/// Those of the addresses (`HOST PORT`) to which the pod gets a TCP connection. All are tried side by side.
pub(crate) fn reached(lab: &Lab, namespace: &str, addresses: &[String]) -> Vec<String> {
    let tries: String = addresses
        .iter()
        .map(|address| format!("(nc -w 4 {address} </dev/null >/dev/null 2>&1 && echo {address}) & "))
        .collect();
    let said = lab.kubectl(&format!("-n {namespace} exec reach -- sh -c '{tries} wait'"));
    let mut reached: Vec<_> = said.lines().map(str::to_owned).collect();
    reached.sort();
    reached
}
