//! The fingerprint by which a joining node recognises the cluster.

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::error::ApiError;
use super::kubeconfig::Kubeconfig;
use super::sha256;

impl Kubeconfig {
    /// `sha256:<hex of the public key info>` for each CA certificate, as `kubeadm join --discovery-token-ca-cert-hash`
    /// takes it. More than one while a CA is being replaced.
    ///
    /// # Errors
    /// When what stands as a certificate is none.
    pub fn ca_hashes(&self) -> Result<Vec<String>, ApiError> {
        self.authority()
            .iter()
            .map(|der| hash(der).map_err(ApiError::Kubeconfig))
            .collect()
    }
}

fn hash(der: &CertificateDer<'_>) -> Result<String, String> {
    let certificate =
        EndEntityCert::try_from(der).map_err(|e| format!("its CA certificate can't be read: {e}"))?;
    let digest = sha256::hex(&certificate.subject_public_key_info());
    Ok(format!("sha256:{digest}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;
    use crate::cluster_api::standin::{CA, admin_conf_with};

    fn kubeconfig(ca: &str) -> Kubeconfig {
        Kubeconfig::parse(&admin_conf_with("https://cp:6443", ca)).unwrap()
    }

    #[test]
    fn the_hash_is_what_openssl_computes() {
        // openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum
        let expected = "sha256:797f4eb3d6e4aba1662a9a3950825726de9a44d23812f941d80d8c3d7dcbb154";
        assert_eq!(kubeconfig(CA).ca_hashes().unwrap(), [expected]);
        assert_eq!(kubeconfig(&format!("{CA}\n{CA}")).ca_hashes().unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        let pem = "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n";
        let error = kubeconfig(pem).ca_hashes().unwrap_err().to_string();
        assert!(error.contains("CA certificate can't be read"), "{error}");
    }
}
