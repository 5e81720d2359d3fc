//! The fingerprint by which a joining node recognises the cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use kube::config::Kubeconfig;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use webpki::EndEntityCert;

use super::error::ApiError;
use super::sha256;

/// `sha256:<hex of the public key info>` for each CA certificate in a kubeconfig, as
/// `kubeadm join --discovery-token-ca-cert-hash` takes it. More than one while a CA is being replaced.
pub fn ca_hashes(kubeconfig: &str) -> Result<Vec<String>, ApiError> {
    let pem = ca_data(kubeconfig)?;
    let hashes = CertificateDer::pem_slice_iter(&pem)
        .map(|der| hash(&der.map_err(|e| format!("its CA data is no PEM certificate: {e}"))?))
        .collect::<Result<Vec<_>, _>>()
        .map_err(ApiError::Kubeconfig)?;
    if hashes.is_empty() {
        return Err(ApiError::Kubeconfig("its CA data holds no certificate".into()));
    }
    Ok(hashes)
}

fn hash(der: &CertificateDer<'_>) -> Result<String, String> {
    let certificate =
        EndEntityCert::try_from(der).map_err(|e| format!("its CA certificate can't be read: {e}"))?;
    let digest = sha256::hex(&certificate.subject_public_key_info());
    Ok(format!("sha256:{digest}"))
}

fn ca_data(kubeconfig: &str) -> Result<Vec<u8>, ApiError> {
    let config = Kubeconfig::from_yaml(kubeconfig).map_err(|e| ApiError::Kubeconfig(e.to_string()))?;
    let data = config
        .clusters
        .iter()
        .filter_map(|named| named.cluster.as_ref())
        .find_map(|cluster| cluster.certificate_authority_data.as_deref())
        .ok_or_else(|| ApiError::Kubeconfig("it has no certificate-authority-data".into()))?;
    let decoded = BASE64.decode(data.trim());
    decoded.map_err(|e| ApiError::Kubeconfig(format!("its certificate-authority-data is not base64: {e}")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
    use super::*;

    /// Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test`.
    const CA: &str = "\
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIUGPU89algvCf23whP9cpC730jEkAwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjExMTE1MzhaGA8yMTI2MTAyODExMTUz
OFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLE4
GxOuP5iXhRSra6YSPUZ/9d1PqvlpnTK3XEn8D2WfFjYqmAokC3R4LpGh3z5c7+Nz
PX2L18TxVg8PfN8jSySjUzBRMB0GA1UdDgQWBBQU/0+GsN81GIU/ByTrsAcKgD2I
FzAfBgNVHSMEGDAWgBQU/0+GsN81GIU/ByTrsAcKgD2IFzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0kAMEYCIQC9d/5kGqcRNEkw3jO50BhvFeSsx3yCUAQL
rPGyfTxu3gIhAIqZYKayyqEjsSxxJD4WXJa2ydY7xcyiTyf9liallsyr
-----END CERTIFICATE-----";

    fn kubeconfig(pem: &str) -> String {
        let data = BASE64.encode(pem);
        format!(
            "clusters:\n- name: c\n  cluster:\n    server: https://cp:6443\n    certificate-authority-data: {data}\n"
        )
    }

    #[test]
    fn the_hash_is_what_openssl_computes() {
        // openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | sha256sum
        let expected = "sha256:797f4eb3d6e4aba1662a9a3950825726de9a44d23812f941d80d8c3d7dcbb154";
        assert_eq!(ca_hashes(&kubeconfig(CA)).unwrap(), [expected]);
        assert_eq!(ca_hashes(&kubeconfig(&format!("{CA}\n{CA}"))).unwrap().len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = ca_hashes(&kubeconfig("nothing")).unwrap_err().to_string();
        assert!(error.contains("holds no certificate"), "{error}");
        let error = ca_hashes("clusters: []").unwrap_err().to_string();
        assert!(error.contains("no certificate-authority-data"), "{error}");
    }
}
