//! Whom a connection with TLS trusts.

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use super::*;

#[tokio::test]
async fn tls_trusts_the_roots_and_the_name_and_nothing_else() {
    let root_key = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new(vec![]).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer_cert = root.self_signed(&root_key).unwrap();
    let issuer = rcgen::Issuer::new(root, root_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["origin.test".to_owned(), "127.0.0.1".to_owned()];
    let leaf = rcgen::CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                head(&mut stream).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
                    .await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let trusting = |name: &str| Egress {
        trust: Trust::only(issuer_cert.der().clone()),
        ..egress(name, FakeResolver::of(&[&["127.0.0.1"]]))
    };
    for host in ["origin.test", "127.0.0.1", "origin.test."] {
        let url = format!("https://{host}:{port}/");
        let bytes = got(&trusting("origin.test,127.0.0.1"), &url).await;
        assert_eq!(bytes, b"secret", "{host}");
    }
    let other = get(&format!("https://other.test:{port}/"));
    let words = refusal(&trusting("other.test"), other, &["*"]).await;
    assert!(
        words.starts_with("fetch failed: no TLS with other.test: ") && words.contains("not valid for name"),
        "{words}"
    );
    let unknown = Egress {
        trust: Trust::only(
            rcgen::generate_simple_self_signed(vec![])
                .unwrap()
                .cert
                .der()
                .clone(),
        ),
        ..egress("origin.test", FakeResolver::of(&[&["127.0.0.1"]]))
    };
    let url = format!("https://origin.test:{port}/");
    let words = refusal(&unknown, get(&url), &["*"]).await;
    assert!(
        words.starts_with("fetch failed: no TLS with origin.test: invalid peer certificate"),
        "{words}"
    );
}
