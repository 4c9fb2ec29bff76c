//! The server's certificate. It is needed because `kubectl` sends tokens only over TLS.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

/// A certificate for one run of the server, and the authority that has signed it.
pub(crate) struct Certificate {
    /// The authority's certificate, PEM.
    pub(crate) authority: String,
    pub(crate) config: Arc<ServerConfig>,
}

impl Certificate {
    /// Creates a certificate for `localhost` and these addresses. Both keys exist only in this process.
    pub(crate) fn new(addresses: &[IpAddr]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "locust-matrix-cluster authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let mut server =
            CertificateParams::new(vec!["localhost".to_owned(), "kubernetes.default.svc".to_owned()])?;
        server.distinguished_name.push(DnType::CommonName, "locust-matrix-cluster");
        server.subject_alt_names.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let server_key = KeyPair::generate()?;
        let issuer = Issuer::new(authority, authority_key);
        let certificate = server.signed_by(&server_key, &issuer)?;
        let key = PrivateKeyDer::try_from(server_key.serialize_der())?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { authority: authority_certificate.pem(), config: Arc::new(config) })
    }
}
