//! A volume made by hand for the claim of Jenkins' home: a directory of w1, where a lab has no NFS server.

use super::lab::Lab;

/// Its class, which has no provisioner.
pub(crate) const CLASS: &str = "by-hand";
const VOLUME: &str = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: by-hand }
provisioner: kubernetes.io/no-provisioner
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: jenkins-home }
spec:
  capacity: { storage: 50Gi }
  accessModes: [ReadWriteOnce]
  storageClassName: by-hand
  persistentVolumeReclaimPolicy: Retain
  claimRef: { namespace: kube-ops, name: jenkins-home }
  hostPath: { path: /var/lib/jenkins-home }
  nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: kubernetes.io/hostname, operator: In, values: [w1] }] }] } }
";

/// Makes the directory on the host that is w1.
pub(crate) fn directory(lab: &Lab, w1: &str) {
    lab.ssh(w1, "install -d -m 0777 /var/lib/jenkins-home");
}

/// Makes the directory, the class and the volume.
pub(crate) fn make(lab: &Lab) {
    directory(lab, "w1");
    lab.apply_by_hand(VOLUME);
}
