//! Unix sockets: made with their mode, one owner each, gone with it.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _,
    PermissionsExt as _,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// A socket that is listened on.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    file: SocketFile,
}

/// A socket's file: it goes with this; so does the lock that keeps others from taking its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode: whether the file is still this socket's.
    identity: (u64, u64),
    _lock: File,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The system refused.
    #[error("expected to make a socket at {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else is there.
    #[error("expected a socket or nothing at {}, found another file; name another path", path.display())]
    NoSocket {
        /// The file.
        path: PathBuf,
    },
    /// Another guard is there, or somebody else who listens.
    #[error(
        "expected to be alone at {}, found another twiml-guard (or another program) listening there; stop it, or give this one a path (state_dir) of its own", path.display()
    )]
    Taken {
        /// The socket.
        path: PathBuf,
    },
}

impl UnixSocket {
    /// Binds, with this mode from the first moment on. The socket of a guard that is gone is
    /// replaced, one on which somebody listens is not.
    pub fn bind(path: &Path, mode: u32) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Io { path: path.to_owned(), source };
        let lock = lock(path)?;
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.file_type().is_socket() => {
                return Err(SocketError::NoSocket { path: path.to_owned() });
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                return Err(SocketError::Taken { path: path.to_owned() });
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        // Made where nobody else can look, so that at no moment anybody else can connect.
        let folder = beside(path, ".new");
        let fresh = folder.join("s");
        let _ = fs::remove_file(&fresh);
        let _ = fs::remove_dir(&folder);
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let bound = UnixListener::bind(&fresh).and_then(|listener| {
            fs::set_permissions(&fresh, Permissions::from_mode(mode))?;
            let metadata = fs::symlink_metadata(&fresh)?;
            fs::rename(&fresh, path)?;
            Ok((listener, (metadata.dev(), metadata.ino())))
        });
        let _ = fs::remove_file(&fresh);
        let _ = fs::remove_dir(&folder);
        let (listener, identity) = bound.map_err(failed)?;
        let file = SocketFile { path: path.to_owned(), identity, _lock: lock };
        Ok(Self { listener, file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// A listener of the running runtime on the same socket.
    pub fn tokio(&self) -> io::Result<tokio::net::UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        tokio::net::UnixListener::from_std(listener)
    }

    /// The listener, and the file that has to outlive it.
    pub fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The lock of a path: held by one process, let go by the system when that ends, however it ends.
fn lock(path: &Path) -> Result<File, SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(beside(path, ".lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SocketError::Taken { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_this_users_alone_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let socket = UnixSocket::bind(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_guards_socket_is_replaced_and_a_live_ones_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists() && UnixStream::connect(&path).is_err());
        let alive = UnixSocket::bind(&path, 0o600).unwrap();
        let error = UnixSocket::bind(&path, 0o600).unwrap_err();
        assert!(matches!(error, SocketError::Taken { .. }), "{error}");
        UnixStream::connect(&path).unwrap();
        drop(alive);
        UnixSocket::bind(&path, 0o600).unwrap();
    }

    #[test]
    fn no_other_file_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        fs::write(&path, "mine").unwrap();
        let error = UnixSocket::bind(&path, 0o600).unwrap_err();
        assert!(error.to_string().contains("found another file"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_socket_that_took_its_place_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let socket = UnixSocket::bind(&path, 0o600).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(socket);
        UnixStream::connect(&path).unwrap();
    }
}
