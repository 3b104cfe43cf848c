//! The few things the server has to know about SIP URIs: the user, the host and the port.

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

#[cfg(test)]
mod tests {
    use super::*;

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
