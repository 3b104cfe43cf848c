//! What the NOTIFY bodies of five servers say. The forms are those of the domain notes (protocol.md 1.4 to 1.6, and
//! servers-observed.md); the files are shared with `wire.rs`.
#![expect(
    clippy::unwrap_used,
    reason = "the function that reads the files is no test function"
)]

use sip::feature_event::{Device, Notification, Service, Setting};
use sip::message::Message;
use std::path::PathBuf;

fn told(name: &str) -> Notification {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let bytes = std::fs::read(folder.join(format!("{name}.sip"))).unwrap();
    let message = Message::parse(bytes.into()).unwrap();
    let content_type = message.header("Content-Type").unwrap_or_default();
    let told = Notification::parse(content_type, message.body()).unwrap();
    assert_eq!(told.unread, [], "{name}");
    told
}

fn setting(active: bool, number: Option<&str>, rings: Option<u32>) -> Setting {
    Setting {
        active,
        number: number.map(str::to_owned),
        rings,
        agent: None,
    }
}

fn settings(told: &Notification) -> Vec<(Service, Setting)> {
    let events = told.events.iter();
    events
        .map(|event| (event.service, event.setting.clone()))
        .collect()
}

fn oddities(told: &Notification) -> Vec<&str> {
    told.oddities
        .iter()
        .map(|oddity| oddity.0.as_str())
        .collect()
}

#[test]
fn kamailio_sends_one_document_with_its_own_white_space() {
    let dnd = told("kamailio-dnd");
    assert_eq!(
        settings(&dnd),
        [(Service::DoNotDisturb, setting(true, None, None))]
    );
    assert_eq!(dnd.events[0].device, Device::NotKnown);
    assert_eq!(oddities(&dnd), [""; 0]);
    let forwarding = told("kamailio-forwarding");
    assert_eq!(
        settings(&forwarding),
        [(
            Service::CallForwardingAlways,
            setting(true, Some("2424"), None)
        )]
    );
    assert_eq!(forwarding.events[0].device, Device::Empty);
}

#[test]
fn kamailio_says_nothing_before_anything_was_set() {
    assert_eq!(told("kamailio-initial"), Notification::default());
}

#[test]
fn opensips_sends_its_full_state_as_multipart() {
    let expected = [
        (Service::DoNotDisturb, setting(false, None, None)),
        (
            Service::CallForwardingAlways,
            setting(true, Some("sip:bob@10.0.0.11"), None),
        ),
        (Service::CallForwardingBusy, setting(false, None, None)),
        (
            Service::CallForwardingNoAnswer,
            setting(true, Some("2424"), Some(3)),
        ),
    ];
    let full = told("opensips-multipart");
    assert_eq!(settings(&full), expected);
    assert_eq!(oddities(&full), [""; 0]);
    let old = told("opensips-multipart-2019");
    assert_eq!(settings(&old), expected);
    let odd = oddities(&old);
    assert!(
        odd.contains(&"the closing delimiter lacks its hyphens"),
        "{odd:?}"
    );
    assert!(
        odd.iter()
            .any(|text| text.contains("www.ecmainternational.org")),
        "{odd:?}"
    );
}

#[test]
fn freeswitch_puts_its_delimiters_behind_a_bare_line_feed() {
    let full = told("freeswitch-multipart");
    assert_eq!(
        settings(&full),
        [
            (
                Service::CallForwardingAlways,
                setting(true, Some("2424"), None)
            ),
            (Service::CallForwardingBusy, setting(false, None, None)),
            (
                Service::CallForwardingNoAnswer,
                setting(false, None, Some(20))
            ),
            (Service::DoNotDisturb, setting(true, None, None)),
        ]
    );
    assert_eq!(oddities(&full), ["a bare LF before a delimiter"]);
    assert_eq!(told("freeswitch-end"), Notification::default());
}

#[test]
fn broadworks_writes_no_blank_behind_a_colon() {
    let full = told("broadworks-multipart");
    assert_eq!(full.events.len(), 4);
    assert_eq!(
        full.setting(Service::DoNotDisturb),
        Some(&setting(true, None, None))
    );
    assert_eq!(
        full.setting(Service::CallForwardingNoAnswer),
        Some(&setting(true, Some("2424"), Some(3)))
    );
    assert_eq!(full.events[0].device, Device::Text("5559430902".to_owned()));
    let delta = told("broadworks-delta");
    assert_eq!(
        settings(&delta),
        [(Service::DoNotDisturb, setting(true, None, None))]
    );
}

#[test]
fn documents_behind_each_other_are_all_read() {
    let both = told("asterisk-concatenated");
    assert_eq!(
        settings(&both),
        [
            (Service::DoNotDisturb, setting(true, None, None)),
            (Service::CallForwardingAlways, setting(false, None, None)),
        ]
    );
    assert!(oddities(&both).contains(&"several documents in one body"));
}

#[test]
fn one_unreadable_part_costs_only_itself() {
    let body = "--B\r\nContent-Type: application/x-as-feature-event+xml\r\n\r\n<DoNotDisturbEvent>\r\n\
                --B\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
                --B\r\nContent-Type: application/x-as-feature-event+xml\r\n\r\n\
                <DoNotDisturbEvent><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>\r\n--B--\r\n";
    let told = Notification::parse("multipart/mixed; boundary=B", body.as_bytes()).unwrap();
    assert_eq!(
        settings(&told),
        [(Service::DoNotDisturb, setting(true, None, None))]
    );
    let positions: Vec<usize> = told.unread.iter().map(|unread| unread.position).collect();
    assert_eq!(positions, [0, 1]);
}

#[test]
fn the_last_word_on_a_service_counts() {
    let one = |value| {
        format!("<DoNotDisturbEvent><doNotDisturbOn>{value}</doNotDisturbOn></DoNotDisturbEvent>")
    };
    let body = format!("{}{}", one("true"), one("false"));
    let told = Notification::parse("application/x-as-feature-event+xml", body.as_bytes()).unwrap();
    assert_eq!(
        told.setting(Service::DoNotDisturb),
        Some(&setting(false, None, None))
    );
}

#[test]
fn agent_events_are_no_services() {
    let body = b"<AgentReadyEvent><agentID/></AgentReadyEvent>";
    let refused = Notification::parse("application/x-as-feature-event+xml", body);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "unknown document <AgentReadyEvent>"
    );
}
