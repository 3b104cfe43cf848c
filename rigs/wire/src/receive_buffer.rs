//! How much the system keeps of what has come and was not read yet.
//!
//! A rig that loses datagrams in its own system invents packet loss, so it asks for much. What the system allows less is
//! said, once in a program: the first socket speaks for all.

use std::net::SocketAddr;
use std::sync::Once;
use tokio::net::UdpSocket;
use tracing::warn;

/// A default receive buffer holds some 250 small datagrams; a rig that loses more would invent packet loss.
const WANTED: usize = 4 << 20;

static SAID: Once = Once::new();

/// Asks for a large receive buffer. A smaller one is no error.
pub(crate) fn raise(socket: &UdpSocket, address: SocketAddr) {
    let socket = socket2::SockRef::from(socket);
    let asked = socket.set_recv_buffer_size(WANTED);
    let granted = asked.and_then(|()| socket.recv_buffer_size());
    if let Some(complaint) = complaint(granted) {
        SAID.call_once(|| warn!(%address, wanted = WANTED, "{complaint}"));
    }
}

/// What there is to say about what was granted. Linux grants twice what was asked, for its own accounts.
fn complaint(granted: std::io::Result<usize>) -> Option<String> {
    match granted {
        Ok(granted) if granted >= WANTED => None,
        Ok(granted) => Some(format!(
            "the system keeps only {granted} bytes of what was not read yet, so bursts may be lost: raise net.core.rmem_max"
        )),
        Err(error) => Some(format!("the receive buffer stays as it is: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_the_system_cut_short_is_said_with_its_size_and_remedy() {
        assert_eq!(complaint(Ok(2 * WANTED)), None);
        assert_eq!(complaint(Ok(WANTED)), None);
        let said = complaint(Ok(425_984)).unwrap();
        assert!(
            said.contains("425984") && said.contains("net.core.rmem_max"),
            "{said}"
        );
        let said = complaint(Err(std::io::ErrorKind::PermissionDenied.into())).unwrap();
        assert!(said.contains("permission denied"), "{said}");
    }
}
