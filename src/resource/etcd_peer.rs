//! The address by which etcd's members know each other.

/// The URL of the member at `address`, as kubeadm writes it.
pub fn etcd_peer(address: &str) -> String {
    if address.contains(':') {
        format!("https://[{address}]:2380")
    } else {
        format!("https://{address}:2380")
    }
}

#[cfg(test)]
mod tests {
    use super::etcd_peer;

    #[test]
    fn an_address_of_either_family_makes_a_url() {
        assert_eq!(etcd_peer("10.0.0.1"), "https://10.0.0.1:2380");
        assert_eq!(etcd_peer("fd00::1"), "https://[fd00::1]:2380");
    }
}
