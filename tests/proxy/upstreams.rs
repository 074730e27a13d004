//! Backends that listen on a Unix socket or speak TLS.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use twiml_guard::config::{Config, OpsListener, Sources, load_text};

use crate::support::backend::{Backend, answer};
use crate::support::client::{CALL, Client, ask, get, post};
use crate::support::guard::Guard;

use super::failures::assert_fallback;

const TWIML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>hi</Say></Response>";
const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: pbx.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Runs on a thread of its own; what `bound` gives, once it listens.
fn serve<B: Send + 'static, F: Future<Output = ()> + 'static>(
    listen: impl FnOnce(mpsc::Sender<B>) -> F + Send + 'static,
) -> B {
    let (bound, told) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(listen(bound));
    });
    told.recv().unwrap()
}

async fn relay(mut stream: impl AsyncRead + AsyncWrite + Unpin, backend: SocketAddr) {
    if let Ok(mut inner) = TcpStream::connect(backend).await {
        let _ = copy_bidirectional(&mut stream, &mut inner).await;
    }
}

/// A Unix socket that leads to the backend.
fn unix(path: &Path, backend: SocketAddr) {
    let path = path.to_owned();
    serve(move |bound| async move {
        let listener = UnixListener::bind(path).unwrap();
        bound.send(()).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(relay(stream, backend));
        }
    });
}

/// A TLS port that leads to the backend; its certificate is written to `file`.
fn tls(names: &[&str], file: &Path, backend: SocketAddr) -> SocketAddr {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    // As many an old backend's: its own authority.
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(file, certificate.pem()).unwrap();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    serve(move |bound| async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        bound.send(listener.local_addr().unwrap()).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    relay(stream, backend).await;
                }
            });
        }
    })
}

fn configured(text: &str, folder: &Path) -> Config {
    let text = format!("listen = \"127.0.0.1:0\"\nbudget = \"2s\"\n{text}");
    let loaded = load_text(&Sources::default(), folder, text).unwrap_or_else(|e| panic!("{e}"));
    Config { ops: OpsListener::Off, ..loaded.config }
}

/// A backend that answers TwiML, and joins WebSockets as an echo of four bytes.
fn backend() -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.contains("websocket") {
                connection.say(SWITCH);
                while let Some(block) = connection.exactly(4) {
                    connection.say(block);
                }
                return;
            }
            connection.say(answer("200 OK", "Content-Type: text/xml\r\n", TWIML));
        }
    })
}

fn assert_serves(guard: &Guard) {
    let got = ask(guard.address, post("/voice", CALL));
    assert_eq!((got.status(), got.text().as_str()), (200, TWIML));
    let got = ask(guard.address, get("/page"));
    assert_eq!((got.status(), got.text().as_str()), (200, TWIML));
    let mut client = Client::to(guard.address);
    client.say(HANDSHAKE);
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    client.say("ping");
    assert_eq!(client.exactly(4), b"ping");
}

#[test]
fn a_unix_socket_is_a_backend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let backend = backend();
    let text = format!("upstream = \"unix:{}\"\n", path.display());
    let guard = Guard::with(configured(&text, folder.path()));
    let got = ask(guard.address, post("/voice", CALL));
    assert_fallback(&got, "destination_unavailable", "unresolved");
    unix(&path, backend.address);
    assert_serves(&guard);
    // A client that names no host: HTTP/1.1 needs one.
    ask(guard.address, "GET /old HTTP/1.0\r\n\r\n");
    assert!(backend.requests().last().unwrap().contains("\r\nHost: localhost\r\n"));
}

#[test]
fn a_backend_in_tls_proves_itself_by_its_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cert.pem");
    let backend = backend();
    let address = tls(&["127.0.0.1"], &file, backend.address);
    let upstream = format!("upstream = \"https://{address}\"\n");
    let trusting = format!("{upstream}upstream_tls.ca_file = \"cert.pem\"\n");
    assert_serves(&Guard::with(configured(&trusting, folder.path())));
    // Nobody vouches for it: the call is answered, and the log says what is wrong.
    let strict = Guard::with(configured(&upstream, folder.path()));
    let asked = backend.requests().len();
    let got = ask(strict.address, post("/voice", CALL));
    assert_fallback(&got, "destination_unavailable", "unresolved");
    let got = ask(strict.address, get("/page"));
    assert_eq!(got.status(), 502);
    assert!(got.text().contains("upstream_tls.ca_file"), "{}", got.text());
    assert_eq!(backend.requests().len(), asked, "nothing was said to it");
    let insecure = format!("{upstream}upstream_tls.insecure_skip_verify = true\n");
    assert_serves(&Guard::with(configured(&insecure, folder.path())));
}

#[test]
fn a_port_without_tls_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start(|connection| {
        connection.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        connection.rest(200);
    });
    let text = format!("upstream = \"https://{}\"\n", backend.address);
    let guard = Guard::with(configured(&text, folder.path()));
    let got = ask(guard.address, get("/page"));
    assert_eq!(got.status(), 502);
    assert!(got.text().contains("speaks no TLS"), "{}", got.text());
}
