//! Ports of 127.0.0.1.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result};

/// A listener on `wish` if that port is free, else on any free one.
///
/// # Errors
/// No port can be had.
pub fn listen(wish: Option<u16>) -> Result<TcpListener> {
    let wished = wish.and_then(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let listener = match wished {
        Some(listener) => listener,
        None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port of 127.0.0.1 is free")?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A port for a child process: `wish` if free, else any free one. Another process may take it before the child
/// does, so the caller tries again when the child ends at once.
///
/// # Errors
/// No port can be had.
pub fn pick(wish: Option<u16>) -> Result<u16> {
    Ok(listen(wish)?.local_addr()?.port())
}

/// The base URL of a port.
#[must_use]
pub fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let first = listen(None).unwrap();
        let taken = first.local_addr().unwrap().port();
        let second = listen(Some(taken)).unwrap().local_addr().unwrap();
        assert_ne!(second.port(), taken);
        assert!(second.ip().is_loopback());
        drop(first);
        assert_eq!(pick(Some(taken)).unwrap(), taken);
    }
}
