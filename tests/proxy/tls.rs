//! Clients that speak TLS, the wrong TLS, or none.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use twiml_guard::config::TlsFiles;
use twiml_guard::incidents::instruments;
use twiml_guard::incidents::recorder::Recorder;
use twiml_guard::proxy::Proxy;
use twiml_guard::shutdown::Shutdown;

use crate::support::backend::Backend;
use crate::support::binary::{PATIENCE, Running};
use crate::support::client::{CALL, get, post};
use crate::support::guard::{Guard, config};
use crate::support::io::{ask, both, talk};

type Tls = StreamOwned<ClientConnection, TcpStream>;

fn issue(folder: &Path) -> TlsFiles {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    std::fs::write(&files.certificate, issued.cert.pem()).unwrap();
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).unwrap();
    files
}

fn before(backend: &Backend) -> (Guard, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let files = issue(folder.path());
    let mut config = config(backend.address);
    config.tls = Some(files.clone());
    config.clients.head_timeout = Duration::from_secs(1);
    (Guard::with(config), files.certificate, folder)
}

fn connect(
    address: std::net::SocketAddr,
    trusted: &Path,
    version: &'static SupportedProtocolVersion,
    alpn: &[&[u8]],
) -> std::io::Result<Tls> {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(trusted).unwrap();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut tls = StreamOwned::new(connection, stream);
    tls.conn.complete_io(&mut tls.sock)?;
    Ok(tls)
}

#[test]
fn webhooks_and_websockets_come_over_tls() {
    let backend = both();
    let (guard, trusted, _folder) = before(&backend);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut client = connect(guard.address, &trusted, version, &[b"h2", b"http/1.1"]).unwrap();
        assert_eq!(client.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(client.conn.protocol_version(), Some(version.version));
        for _ in 0..3 {
            let answer = ask(&mut client, &post("/voice", CALL));
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("hi"), "{answer}");
        }
        talk(&mut connect(guard.address, &trusted, version, &[]).unwrap());
    }
    let seen = backend.requests();
    for request in seen {
        let lower = request.to_ascii_lowercase();
        assert!(lower.contains("\r\nx-forwarded-proto: https\r\n"), "{request}");
    }
}

#[test]
fn nobody_speaks_http_2_alone() {
    let (guard, trusted, _folder) = before(&both());
    let refused = connect(guard.address, &trusted, &rustls::version::TLS13, &[b"h2"]);
    assert!(refused.is_err_and(|error| error.to_string().contains("NoApplicationProtocol")));
}

/// What comes back for bytes, until the end or for so long.
fn raw(guard: &Guard, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let start = Instant::now();
    let mut stream = TcpStream::connect(guard.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut back = Vec::new();
    let _ = stream.read_to_end(&mut back);
    (back, start.elapsed())
}

#[test]
fn older_tls_and_no_tls_are_refused() {
    let backend = both();
    let (guard, trusted, _folder) = before(&backend);
    let mut hello = vec![3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0xc0, 0x13, 0xc0, 0x14, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let (back, took) = raw(&guard, &record);
    assert_eq!(back.first(), Some(&0x15), "an alert: {back:?}");
    assert_eq!(back.get(5), Some(&2), "fatal");
    assert!(took < Duration::from_secs(1));
    let (back, took) = raw(&guard, get("/").as_bytes());
    assert!(!back.starts_with(b"HTTP") && took < Duration::from_secs(1), "{back:?}");
    assert!(backend.requests().is_empty());
    let mut client = connect(guard.address, &trusted, &rustls::version::TLS13, &[]).unwrap();
    assert!(ask(&mut client, &post("/voice", CALL)).contains("hi"), "others are served");
}

#[test]
fn a_handshake_and_a_head_in_it_have_their_time() {
    let (guard, trusted, _folder) = before(&both());
    for bytes in [&b""[..], &[0x16, 3, 1, 0]] {
        let (back, took) = raw(&guard, bytes);
        assert!(back.is_empty(), "{back:?}");
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{took:?}");
    }
    let mut client = connect(guard.address, &trusted, &rustls::version::TLS13, &[]).unwrap();
    client.write_all(b"GET / HT").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
}

#[test]
fn a_new_certificate_is_shown_from_now_on_and_a_bad_one_never() {
    let backend = both();
    let folder = tempfile::tempdir().unwrap();
    let files = issue(folder.path());
    let first = folder.path().join("first.pem");
    std::fs::copy(&files.certificate, &first).unwrap();
    let mut config = config(backend.address);
    config.tls = Some(files.clone());
    let recorder = Recorder::without_writer(instruments().unwrap());
    let proxy = Proxy::bind(Arc::new(config), recorder, instruments().unwrap()).unwrap();
    let (address, tls) = (proxy.local_addr().unwrap(), proxy.tls().unwrap().clone());
    let shutdown = Shutdown::new();
    let raised = shutdown.clone();
    let running = std::thread::spawn(move || proxy.run(raised));
    let version = &rustls::version::TLS13;
    let mut old = connect(address, &first, version, &[]).unwrap();
    std::fs::write(&files.key, "torn").unwrap();
    let error = tls.reload(&files.certificate, &files.key).unwrap_err().to_string();
    assert!(error.contains("key.pem"), "{error}");
    connect(address, &first, version, &[]).unwrap();
    issue(folder.path());
    tls.reload(&files.certificate, &files.key).unwrap();
    connect(address, &files.certificate, version, &[]).unwrap();
    assert!(connect(address, &first, version, &[]).is_err());
    assert!(ask(&mut old, &post("/voice", CALL)).contains("hi"), "it lives on");
    shutdown.raise();
    running.join().unwrap();
}

#[test]
fn a_renewed_certificate_is_found_by_the_guard_itself() {
    let backend = both();
    let folder = tempfile::tempdir().unwrap();
    let files = issue(folder.path());
    let file = folder.path().join("guard.toml");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nupstream = \"http://{}\"\nreload_every = \"50ms\"\n[tls]\ncertificate = {:?}\nkey = {:?}\n",
        backend.address, files.certificate, files.key
    );
    std::fs::write(&file, text).unwrap();
    let config = file.to_str().unwrap();
    let arguments = ["serve", "--config", config, "--ops", "off", "--log-format", "json"];
    let mut guard = Running::start(&arguments);
    let (address, version) = (guard.address(), &rustls::version::TLS13);
    let mut old = connect(address, &files.certificate, version, &[]).unwrap();
    issue(folder.path());
    let start = Instant::now();
    while connect(address, &files.certificate, version, &[]).is_err() {
        assert!(start.elapsed() < PATIENCE, "the old certificate is still shown");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(ask(&mut old, &post("/voice", CALL)).contains("hi"), "it lives on");
    drop(old);
    guard.signal("TERM");
    assert_eq!(guard.end().0, Some(0));
}
