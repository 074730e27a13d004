//! The control socket in the state directory, and the admin listener on a socket.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use twiml_guard::admin::{Admin, AdminHandle, CONTROL, Modes};
use twiml_guard::config::{AdminListener, Config};
use twiml_guard::incidents::instruments;
use twiml_guard::incidents::timeline::Live;

use super::PATIENCE;
use crate::support::guard::{config, nobody};

fn serve(config: &Config) -> Option<AdminHandle> {
    let modes = Modes::new(config, instruments().unwrap());
    Admin::bind(config, modes, Live::default()).unwrap().map(|admin| admin.spawn().unwrap())
}

fn configured(state: &Path) -> Config {
    let mut config = config(nobody());
    config.state_dir = Some(state.to_owned());
    config
}

fn ask(socket: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(socket: &Path, host: &str) -> String {
    let head = format!("GET /api/mode HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    ask(socket, &head)
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_state_directory_has_a_control_socket_that_is_this_users_alone() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let handle = serve(&configured(&state)).unwrap();
    let socket = state.join(CONTROL);
    assert_eq!((mode_of(&socket), mode_of(&state)), (0o600, 0o700));
    let answer = get(&socket, "localhost");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"enforce\""), "{answer}");
    assert!(get(&socket, "evil.example").starts_with("HTTP/1.1 421"));
    handle.stop();
    assert!(!socket.exists());
}

#[test]
fn without_state_and_listener_there_is_no_admin() {
    assert!(serve(&config(nobody())).is_none());
}

#[test]
fn a_second_guard_on_the_same_folder_steals_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = configured(folder.path());
    Arc::get_mut(&mut first.default_route).unwrap().name = "first".to_owned();
    let handle = serve(&first).unwrap();
    assert!(serve(&configured(folder.path())).is_none());
    let socket = folder.path().join(CONTROL);
    assert!(get(&socket, "localhost").contains("\"first\""));
    handle.stop();
    // And takes its place once it is gone.
    let second = serve(&configured(folder.path())).unwrap();
    assert!(get(&socket, "localhost").contains("\"*\""));
    second.stop();
}

#[test]
fn a_folder_that_can_not_be_used_costs_the_socket_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(serve(&configured(&file)).is_none());
}

#[test]
fn the_admin_listener_may_be_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let mut config = config(nobody());
    config.admin =
        AdminListener::Socket { path: socket.clone(), hosts: vec!["guard.internal".to_owned()] };
    let handle = serve(&config).unwrap();
    assert_eq!(mode_of(&socket), 0o600);
    for host in ["localhost", "guard.internal"] {
        assert!(get(&socket, host).starts_with("HTTP/1.1 200"), "{host}");
    }
    let modes = Modes::new(&config, instruments().unwrap());
    let error = Admin::bind(&config, modes, Live::default()).unwrap_err().to_string();
    assert!(error.contains("another twiml-guard") && error.contains("admin.sock"), "{error}");
    handle.stop();
}

#[test]
fn a_taken_address_is_an_error_that_names_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(nobody());
    let AdminListener::Address { token_file, hosts, .. } = super::listener(folder.path()) else {
        unreachable!()
    };
    let address = taken.local_addr().unwrap();
    config.admin = AdminListener::Address { address, token_file, hosts };
    let error = Admin::bind(&config, Modes::new(&config, instruments().unwrap()), Live::default())
        .unwrap_err();
    let error = error.to_string();
    assert!(error.contains(&address.to_string()) && error.contains("[admin] listen"), "{error}");
}
