//! `healthcheck`: asks the ops listener, for images without a shell.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::args::{HealthcheckArgs, ServeArgs};
use super::config_command;
use super::exit::Exit;
use super::output::{complain, out};
use crate::config::{self, OpsListener};

/// Time for the connection, and for the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes of an answer.
const LONGEST: u64 = 4096;

/// Runs the command.
pub(super) fn run(args: &HealthcheckArgs) -> Exit {
    let asked =
        ServeArgs { ops: args.ops.clone(), config: args.config.clone(), ..ServeArgs::default() };
    let address = match config_command::sources(&asked).map(|sources| config::load(&sources)) {
        Ok(Ok(loaded)) => match loaded.config.ops {
            OpsListener::Off => None,
            OpsListener::Default(address) | OpsListener::Configured(address) => Some(address),
        },
        // The running guard has an earlier configuration, which has no mistakes.
        Ok(Err(errors)) => errors.ops.map(|address| *address),
        Err(_) => None,
    };
    let Some(address) = address else {
        complain(
            "twiml-guard: expected an ops listener, found none configured; name it with --ops\n",
        );
        return Exit::Unavailable;
    };
    let path = if args.live { "/livez" } else { "/readyz" };
    match ask(reachable(address), path) {
        Ok((200, said)) => said_so(&said, Exit::Fine),
        Ok((_, said)) => said_so(&said, Exit::Found),
        Err(error) => {
            complain(&format!(
                "twiml-guard: expected a guard that answers on {address}, found: {error}\n"
            ));
            Exit::Unavailable
        }
    }
}

fn said_so(said: &str, exit: Exit) -> Exit {
    match out(&format!("{said}\n")) {
        Ok(_) => exit,
        Err(_) => Exit::Io,
    }
}

/// Who listens everywhere is asked over loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The status and the text of an answer.
fn ask(address: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "an answer that is no HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(odd)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(odd)?;
    Ok((status, body.trim().to_owned()))
}
