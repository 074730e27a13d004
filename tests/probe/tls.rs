//! TLS chains of every kind.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use twiml_guard::probe::{Ask, Client, Connector, Fetched, Unanswered};

async fn server(
    params: CertificateParams,
    issuer: Option<&CertifiedIssuer<'_, KeyPair>>,
) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 8192]).await;
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 11\r\n\r\n<Response/>";
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

async fn asked(address: SocketAddr, ca: &std::path::Path) -> Result<Fetched, Unanswered> {
    let url = format!("https://localhost:{}/", address.port()).parse().unwrap();
    let connector = Connector::new(Some(ca)).unwrap();
    Client::new(connector, None).ask(Ask { method: http::Method::POST, url, params: vec![] }).await
}

#[tokio::test]
async fn a_chain_is_judged_as_twilio_does() {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, ca.pem()).unwrap();

    let good = asked(server(params("localhost"), Some(&ca)).await, &file).await.unwrap();
    let tls = good.link.tls.unwrap();
    assert_eq!((tls.chain, tls.ends_soon, tls.version.as_str()), (1, false, "TLSv1_3"));

    let mut old = params("localhost");
    old.not_before = date_time_ymd(2020, 1, 1);
    old.not_after = date_time_ymd(2021, 1, 1);
    for (server, code) in [
        (server(params("localhost"), None).await, 11_237),
        (server(params("other.example.com"), Some(&ca)).await, 11_235),
        (server(old, Some(&ca)).await, 11_236),
    ] {
        let unanswered = asked(server, &file).await.unwrap_err();
        assert_eq!(unanswered.error.code(), code, "{}", unanswered.error);
        assert_eq!(unanswered.retries, 1);
    }
}

#[tokio::test]
async fn plain_http_on_a_tls_port_and_a_useless_ca_file_are_said() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read(&mut [0; 512]).await;
        }
    });
    let url = format!("https://localhost:{}/", address.port()).parse().unwrap();
    let mut client = Client::new(Connector::new(None).unwrap(), None);
    let ask = Ask { method: http::Method::POST, url, params: vec![] };
    assert_eq!(client.ask(ask).await.unwrap_err().error.code(), 11_206);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "nothing").unwrap();
    assert!(Connector::new(Some(&file)).unwrap_err().to_string().contains("found none"));
}
