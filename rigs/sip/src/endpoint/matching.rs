//! Which transaction a message belongs to (RFC 3261 §17.1.3 and §17.2.3), and where its response goes (§18.2.2).

use crate::message::{Message, Method, parameter};
use crate::node::Flow;
use std::net::SocketAddr;

/// What every branch of RFC 3261 begins with.
pub(super) const COOKIE: &str = "z9hG4bK";

/// What names a transaction at its client and at its server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Branch and method of CSeq.
    Client { branch: String, method: Method },
    /// Branch, sent-by and method of the request, ACK counted as INVITE.
    Server {
        branch: String,
        sent_by: String,
        method: Method,
    },
    /// For a branch without the cookie: what RFC 2543 compares. To tags are left out, so that the ACK of a refusal
    /// matches by the same key; two requests that differ in nothing else do not occur.
    Legacy {
        identity: String,
        number: u32,
        method: Method,
    },
}

impl Key {
    /// The key of a request that is about to be sent.
    pub(super) fn of_sent_request(request: &Message) -> Self {
        Self::Client {
            branch: request.branch().unwrap_or_default().to_owned(),
            method: request.method().cloned().unwrap_or(Method::Options),
        }
    }

    /// The key of the request that this response answers.
    pub(super) fn of_response(response: &Message) -> Option<Self> {
        Some(Self::Client {
            branch: response.branch()?.to_owned(),
            method: response.cseq()?.1,
        })
    }

    /// The key of a request that was received, or of the request with another method that shares its branch.
    pub(super) fn of_request(request: &Message, method: &Method) -> Self {
        let method = match method {
            Method::Ack => Method::Invite,
            other => other.clone(),
        };
        let via = request.values("Via").first().copied().unwrap_or_default();
        match parameter(via, "branch").filter(|branch| has_cookie(branch)) {
            Some(branch) => Self::Server {
                branch: branch.to_owned(),
                sent_by: sent_by(via).to_ascii_lowercase(),
                method,
            },
            None => Self::Legacy {
                identity: [
                    request.request_uri().unwrap_or_default(),
                    request.from_tag().unwrap_or_default(),
                    request.call_id(),
                    via,
                ]
                .join("\n"),
                number: request.cseq().map_or(0, |(number, _)| number),
                method,
            },
        }
    }
}

fn has_cookie(branch: &str) -> bool {
    branch
        .get(..COOKIE.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(COOKIE))
}

/// Host and port of a Via value.
fn sent_by(via: &str) -> &str {
    let head = via.split(';').next().unwrap_or_default().trim();
    head.split_ascii_whitespace().last().unwrap_or_default()
}

/// The port of a sent-by.
fn port(sent_by: &str) -> u16 {
    let after_host = sent_by.rsplit(']').next().unwrap_or_default();
    after_host
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or(5060)
}

/// The flow that the response to this request takes: back to where the request came from, except that over UDP and
/// without `rport` the port is the one that Via names (RFC 3261 §18.2.2, RFC 3581 §4).
pub(super) fn response_flow(flow: Flow, request: &Message) -> Flow {
    let vias = request.values("Via");
    let via = vias.first().copied().unwrap_or_default();
    if flow.transport.is_reliable() || parameter(via, "rport").is_some() {
        return flow;
    }
    Flow {
        remote: SocketAddr::new(flow.remote.ip(), port(sent_by(via))),
        ..flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_sent_by_is_read_in_every_form() {
        for (via, expected) in [
            ("SIP/2.0/UDP 10.0.0.1;branch=z", 5060),
            ("SIP/2.0/UDP 10.0.0.1:5070 ;branch=z", 5070),
            ("SIP/2.0/UDP [::1];branch=z", 5060),
            ("SIP/2.0/UDP [::1]:5080;branch=z", 5080),
            ("SIP / 2.0 / UDP host.example:5090", 5090),
        ] {
            assert_eq!(port(sent_by(via)), expected, "{via}");
        }
    }
}
