//! The few things the server has to know about SIP addresses: the user, the host and the port of a URI, and where a request
//! really came from.

use bytes::Bytes;
use sip::message::{Message, parameter};
use std::net::{IpAddr, SocketAddr};

/// The user of a `sip:`, `sips:` or `tel:` URI, without parameters and as sent; empty when there is none.
pub(crate) fn user_part(uri: &str) -> &str {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return "";
    };
    if scheme.eq_ignore_ascii_case("tel") {
        return rest.split(';').next().unwrap_or_default();
    }
    let Some((user, _)) = rest.rsplit_once('@') else {
        return "";
    };
    let user = user.split_once(':').map_or(user, |(user, _)| user);
    user.split(';').next().unwrap_or_default()
}

/// The user of a URI with `%` escapes taken back, for dialled digits.
pub(crate) fn dialled(uri: &str) -> String {
    unescaped(user_part(uri))
}

/// The text with `%` escapes taken back; what is no escape stays.
pub(crate) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|two| std::str::from_utf8(two).ok())
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = match escaped {
            Some(_) => tail.get(2..).unwrap_or_default(),
            None => tail,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The address a URI names, when its host is a number; without a port it is 5060.
pub(crate) fn socket_address(uri: &str) -> Option<SocketAddr> {
    let (_, rest) = uri.split_once(':')?;
    let host_port = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host_port = host_port.split([';', '?']).next()?.trim();
    if let Ok(address) = host_port.parse() {
        return Some(address);
    }
    let host: IpAddr = host_port
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()?;
    Some(SocketAddr::new(host, 5060))
}

/// The request with its source in the topmost Via, where that asks for it (RFC 3581 §4) or names another host (RFC 3261
/// §18.2.1). Every response copies it from there.
pub(crate) fn with_source(request: Message, source: SocketAddr) -> Message {
    let Some(header) = request
        .header_list()
        .iter()
        .find(|field| field.name == "Via")
    else {
        return request;
    };
    let top = request.values("Via").first().copied().unwrap_or_default();
    let sent_by = top
        .split_once(' ')
        .map_or("", |(_, rest)| rest.trim_start());
    let sent_by = sent_by.split(';').next().unwrap_or_default().trim();
    let host = sent_by.parse().map_or_else(
        |_| sent_by.trim_matches(['[', ']']).parse().ok(),
        |address: SocketAddr| Some(address.ip()),
    );
    let asks = parameter(top, "rport") == Some("");
    let stamped = if asks {
        let value = format!(";rport={};received={}", source.port(), source.ip());
        top.replacen(";rport", &value, 1)
    } else if host != Some(source.ip()) && parameter(top, "received").is_none() {
        format!("{top};received={}", source.ip())
    } else {
        return request;
    };
    let value = header.value.replacen(top, &stamped, 1);
    let wire = request.wire();
    let (before, after) = (
        wire.get(..header.as_sent.start).unwrap_or_default(),
        wire.get(header.as_sent.end..).unwrap_or_default(),
    );
    let line = format!("Via: {value}\r\n");
    let bytes = Bytes::from([before, line.as_bytes(), after].concat());
    Message::parse(bytes).unwrap_or(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via_of(via: &str) -> String {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\nOne: 1\r\n{via}\r\nTwo: 2\r\n\r\nbody");
        let request = Message::parse(Bytes::from(text)).expect("sound");
        let source = "127.0.0.9:4000".parse().expect("an address");
        let stamped = with_source(request, source);
        assert_eq!(stamped.header("Two"), Some("2"));
        assert_eq!(stamped.body(), b"body");
        stamped.header("Via").unwrap_or_default().to_owned()
    }

    #[test]
    fn the_source_is_written_where_it_is_asked_for() {
        assert_eq!(
            via_of("v: SIP/2.0/UDP 127.0.0.2:5060;rport;branch=z9hG4bK1, SIP/2.0/UDP x"),
            "SIP/2.0/UDP 127.0.0.2:5060;rport=4000;received=127.0.0.9;branch=z9hG4bK1, SIP/2.0/UDP x"
        );
    }

    #[test]
    fn another_host_is_written_unasked_and_the_same_one_is_not() {
        for (via, wanted) in [
            ("SIP/2.0/UDP 127.0.0.2:5060;branch=b", ";received=127.0.0.9"),
            ("SIP/2.0/UDP host.test;branch=b", ";received=127.0.0.9"),
            ("SIP/2.0/UDP [::1]:5060;branch=b", ";received=127.0.0.9"),
            ("SIP/2.0/UDP 127.0.0.9;branch=b", ""),
            ("SIP/2.0/TCP 127.0.0.9:5060;branch=b", ""),
        ] {
            assert_eq!(via_of(&format!("Via: {via}")), format!("{via}{wanted}"));
        }
    }

    #[test]
    fn the_user_is_found_in_every_form() {
        assert_eq!(user_part("sip:anna@as.test"), "anna");
        assert_eq!(user_part("sips:anna;x=1:secret@as.test:5061"), "anna");
        assert_eq!(user_part("tel:+49891;phone-context=x"), "+49891");
        assert_eq!(user_part("sip:as.test"), "");
        assert_eq!(user_part("nonsense"), "");
    }

    #[test]
    fn dialled_digits_lose_their_escapes() {
        assert_eq!(dialled("sip:*57*2424%23@as.test;user=phone"), "*57*2424#");
        assert_eq!(dialled("sip:100%@as.test"), "100%");
        assert_eq!(dialled("sip:%zz%2@as.test"), "%zz%2");
    }

    #[test]
    fn only_numbers_are_addresses() {
        let address = socket_address("sip:anna@127.0.0.2:5062;transport=tcp");
        assert_eq!(address, "127.0.0.2:5062".parse().ok());
        let six = socket_address("sip:anna@[::1]");
        assert_eq!(six, "[::1]:5060".parse().ok());
        assert_eq!(socket_address("sip:anna@as.test:5060"), None);
    }
}
