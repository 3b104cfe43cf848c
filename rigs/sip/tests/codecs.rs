//! What is written is read back, for every value.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sip::digest::{
    Algorithm, Answerer, ChallengePolicy, Challenger, Credentials, Qop, Verification,
};
use sip::feature_event::{
    Change, Declaration, Device, Event, IdleNumber, Notification, PartHeaders, Service, Setting,
    Style,
};
use sip::message::address::Address;
use sip::message::stream::Framer;
use sip::message::uri::Uri;
use sip::message::{Builder, Message, Method};
use sip::time::Instant;

/// Names that a parameter of a URI may have: a percent sign would have to begin an escape.
const URI_NAME: &str = "[A-Za-z0-9.!*_+'~-]{1,12}";
const TOKEN: &str = "[A-Za-z0-9.!%*_+`'~-]{1,12}";

fn service() -> impl Strategy<Value = Service> {
    prop::sample::select(Service::CALL.to_vec())
}

fn device() -> impl Strategy<Value = Device> {
    prop_oneof![
        Just(Device::Empty),
        Just(Device::Missing),
        Just(Device::NotKnown),
        "[!-~äß€]([ -~äß€]{0,10}[!-~äß€])?".prop_map(Device::Text),
    ]
}

/// What a document can say about a service: no number for Do Not Disturb, rings for one service only.
fn setting(service: Service) -> impl Strategy<Value = Setting> {
    let number = option::of("[1-9*#+a-z:@.<&>\"][0-9*#+a-z:@.<&>\"]{0,10}");
    (any::<bool>(), number, option::of(0_u32..200)).prop_map(move |(active, number, rings)| {
        Setting {
            active,
            number: number.filter(|_| service != Service::DoNotDisturb),
            rings: rings.filter(|_| service == Service::CallForwardingNoAnswer),
            agent: None,
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    (device(), service()).prop_flat_map(|(device, service)| {
        setting(service).prop_map(move |setting| Event {
            device: device.clone(),
            service,
            setting,
        })
    })
}

fn style() -> impl Strategy<Value = Style> {
    let declaration = prop::sample::select(vec![
        Declaration::DoubleQuoted,
        Declaration::SingleQuoted,
        Declaration::Utf8,
        Declaration::Absent,
    ]);
    let layout = prop::sample::select(vec!["", "\n", "\r\n  "]);
    let line_end = prop::sample::select(vec!["\r\n", "\n"]);
    let closing = prop::sample::select(vec!["--", ""]);
    let headers = prop::sample::select(vec![PartHeaders::All, PartHeaders::ContentType]);
    (
        declaration,
        layout,
        line_end,
        closing,
        headers,
        any::<[bool; 2]>(),
    )
        .prop_map(
            |(declaration, layout, line_end, closing, part_headers, [quoted, multipart])| Style {
                declaration,
                between_elements: layout,
                behind_document: layout,
                line_end,
                before_delimiter: line_end,
                closing,
                part_headers,
                quoted_boundary: quoted,
                always_multipart: multipart,
                idle_number: IdleNumber::Stored,
                ..Style::default()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn notifications_are_read_back(events in vec(event(), 1..5), style in style()) {
        let (content_type, body) = style.notification(&events).unwrap();
        let told = Notification::parse(&content_type, &body).unwrap();
        let mut expected = events;
        expected.sort_by_key(|event| event.service);
        prop_assert_eq!(told.events, expected);
        prop_assert_eq!(told.unread, vec![]);
    }

    #[test]
    fn changes_are_read_back(event in event(), style in style()) {
        let change = Change { device: event.device, service: event.service, setting: event.setting };
        prop_assert_eq!(Change::parse(style.change(&change).as_bytes()), Ok(change));
    }

    #[test]
    fn messages_are_read_back(
        method in TOKEN,
        headers in vec((TOKEN, "[!-~äß]([ -~äß]{0,20}[!-~äß])?"), 0..8),
        body in vec(any::<u8>(), 0..200),
    ) {
        let known = ["content-length", "l", "content-type", "c"];
        let headers: Vec<_> = headers
            .into_iter()
            .filter(|(name, _)| !known.contains(&name.to_ascii_lowercase().as_str()))
            .collect();
        let mut builder = Builder::request(&Method::from_token(&method), "sip:a@b");
        for (name, value) in &headers {
            builder = builder.header(name, value);
        }
        let message = builder.body("a/b", body.clone()).build().unwrap();
        prop_assert_eq!(message.method().map(Method::as_str), Some(method.as_str()));
        prop_assert_eq!(message.body(), body.as_slice());
        prop_assert_eq!(message.header_list().len(), headers.len() + 2);
        for (header, (_, value)) in message.header_list().iter().zip(&headers) {
            prop_assert_eq!(&header.value, value);
        }
        prop_assert_eq!(Message::parse(message.wire().clone()), Ok(message));
    }

    #[test]
    fn a_stream_gives_the_messages_that_were_put_in(
        bodies in vec(vec(any::<u8>(), 0..60), 1..6),
        piece in 1_usize..80,
    ) {
        let messages: Vec<Bytes> = bodies
            .iter()
            .map(|body| Builder::response(200, "OK").body("a/b", body.clone()).to_bytes())
            .collect();
        let mut framer = Framer::default();
        let mut seen = Vec::new();
        for piece in messages.concat().chunks(piece) {
            framer.push(piece);
            seen.extend(std::iter::from_fn(|| framer.poll()).map(|message| message.unwrap().wire().clone()));
        }
        prop_assert_eq!(seen, messages);
        prop_assert!(!framer.is_mid_message());
    }

    #[test]
    fn uris_print_back(
        user in option::of("[a-zA-Z0-9.&=+$,;?/*'()!~_-]{1,12}"),
        host in prop_oneof!["[a-z0-9.-]{1,12}", Just("[2001:db8::1]".to_owned())],
        port in option::of(1_u16..),
        parameters in vec((URI_NAME, option::of("[A-Za-z0-9.]{1,8}")), 0..3),
    ) {
        let mut text = String::from("sip:");
        if let Some(user) = user {
            text += &format!("{user}@");
        }
        text += &host;
        if let Some(port) = port {
            text += &format!(":{port}");
        }
        for (name, value) in &parameters {
            text += &format!(";{name}");
            if let Some(value) = value {
                text += &format!("={value}");
            }
        }
        prop_assert_eq!(Uri::parse(&text).unwrap().to_string(), text.clone());
        let value = format!("\"a <b>, \\\"c\\\"\" <{text}>;tag=1");
        let address = Address::parse(&value).unwrap();
        prop_assert_eq!(address.uri.to_string(), text);
        prop_assert_eq!(address.parameter("tag"), Some("1"));
    }

    #[test]
    fn every_answer_is_granted_and_every_wrong_password_denied(
        username in "[ -~äß]{1,12}",
        password in "[ -~äß]{0,12}",
        session in any::<bool>(),
        sha in any::<bool>(),
        qop in prop::sample::select(vec![None, Some(Qop::Auth), Some(Qop::AuthInt)]),
        uses in 1_u32..40,
    ) {
        let mut policy = ChallengePolicy::new("the realm");
        policy.algorithms = vec![match (sha, session) {
            (false, false) => Algorithm::MD5,
            (false, true) => Algorithm::MD5_SESS,
            (true, false) => Algorithm::SHA_256,
            (true, true) => Algorithm::SHA_256_SESS,
        }];
        policy.qop = qop.into_iter().collect();
        let mut server = Challenger::new(policy, 1);
        let challenge = Builder::response(401, "Unauthorized")
            .header("WWW-Authenticate", &server.challenge(Instant::EPOCH, false))
            .build()
            .unwrap();
        let mut client = Answerer::new(Credentials::new(&username, &password), 2);
        client.handle_challenge(&challenge).unwrap();
        for _ in 0..uses {
            let (name, value) = client.authorize(&Method::Register, "sip:r", b"x").unwrap();
            let request = Builder::request(&Method::Register, "sip:r")
                .header(name, &value)
                .body("a/b", "x")
                .build()
                .unwrap();
            let wrong = format!("{password}!");
            prop_assert_eq!(server.verify(Instant::EPOCH, &request, &wrong), Verification::Denied);
            prop_assert_eq!(server.verify(Instant::EPOCH, &request, &password), Verification::Granted);
        }
    }
}
