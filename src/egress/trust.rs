//! Whom TLS trusts: the system's root certificates, read when they are first needed.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

/// Roots are read at the first https URL: it takes milliseconds, and most plugins never ask for one.
#[derive(Debug, Default)]
pub(super) struct Trust {
    config: OnceCell<Arc<ClientConfig>>,
}

impl Trust {
    /// A failure is not kept: the operator may mend it while the site runs.
    pub(super) async fn config(&self) -> Result<Arc<ClientConfig>, String> {
        let config = self.config.get_or_try_init(|| async {
            let read = tokio::task::spawn_blocking(|| client_config(system_roots()?));
            read.await.unwrap_or_else(|error| Err(error.to_string()))
        });
        config.await.cloned()
    }

    #[cfg(test)]
    pub(super) fn only(root: CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        Self {
            config: OnceCell::new_with(Some(client_config(roots).unwrap())),
        }
    }
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` say where they are; `NODE_EXTRA_CA_CERTS` adds some, as for Node itself.
fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if let Some(file) = std::env::var_os("NODE_EXTRA_CA_CERTS")
        && let Ok(extra) = CertificateDer::pem_file_iter(file)
    {
        roots.add_parsable_certificates(extra.flatten());
    }
    if roots.is_empty() {
        let why = found
            .errors
            .first()
            .map(|error| format!(" ({error})"))
            .unwrap_or_default();
        return Err(format!(
            "this machine has no root certificates{why}: install the package ca-certificates, or name a file in SSL_CERT_FILE"
        ));
    }
    Ok(roots)
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
