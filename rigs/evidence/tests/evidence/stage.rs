//! Builds logs out of short SIP texts: a base with two handsets, Anna (1001) and Ben (1002), and its server.

use evidence::log::{Log, Stamp};
use evidence::monitor::{Judgement, Monitor, RuleReport};
use evidence::record::{
    ClaimStatus, Direction, Fate, Intent, KeyEffect, Observation, Parsed, PowerChange, Screen,
    Service, Sip, Unit, View,
};
use std::collections::BTreeSet;

pub(crate) const ANNA: &str = "029e74a599";
pub(crate) const BEN: &str = "02b6ec8aa5";
pub(crate) const EVENT: &str = "Event: as-feature-event";
pub(crate) const ACTIVE: &str = "Subscription-State: active;expires=1800";
pub(crate) const TYPE: &str = "Content-Type: application/x-as-feature-event+xml";
const NS: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";
const BASE: &str = "127.0.0.1:5060";
const SERVER: &str = "127.0.0.2:5060";

/// A log in the making.
pub(crate) struct Stage {
    pub(crate) log: Log,
    pub(crate) at: u64,
    pub(crate) transport: &'static str,
    /// The head of the last request of the base, and of the last request to it.
    asked: Vec<String>,
    told: Vec<String>,
    last: String,
    cseq: u32,
    notify: u32,
}

impl Stage {
    /// Claims only.
    pub(crate) fn bare() -> Self {
        let mut stage = Self {
            log: Log::new(),
            at: 0,
            transport: "UDP",
            asked: Vec::new(),
            told: Vec::new(),
            last: String::new(),
            cseq: 0,
            notify: 100,
        };
        let claims = [
            ("display.idle.do-not-disturb", "^Do Not Disturb$"),
            (
                "display.idle.call-forwarding-always",
                "^Divert all: (?P<number>.*)$",
            ),
            (
                "display.idle.call-forwarding-busy",
                "^Divert busy: (?P<number>.*)$",
            ),
            (
                "display.idle.call-forwarding-no-answer",
                "^Divert no reply: (?P<number>.*)$",
            ),
            ("display.menu.do-not-disturb.title", "Do Not Disturb"),
            ("display.menu.call-forwarding-always.title", "All Calls"),
            ("display.menu.call-forwarding-busy.title", "When Busy"),
            ("display.menu.call-forwarding-no-answer.title", "No Reply"),
            ("display.menu.status", "^Status: (?P<status>.+)$"),
            ("display.menu.on", "On"),
            ("display.menu.off", "Off"),
            ("display.menu.number", "^Phone Number: (?P<number>.*)$"),
            ("display.menu.rings", "^Rings: (?P<rings>.*)$"),
            ("sip.subscription-timer", "1800"),
        ];
        for (key, value) in claims {
            let status = if key.starts_with("display") {
                ClaimStatus::Assumed
            } else {
                ClaimStatus::Documented
            };
            stage.record(Observation::Claim {
                key: key.to_owned(),
                value: value.to_owned(),
                status,
                source: String::new(),
            });
        }
        stage
    }

    /// The profile claims something more.
    pub(crate) fn claim(&mut self, key: &str, value: &str) {
        self.record(Observation::Claim {
            key: key.to_owned(),
            value: value.to_owned(),
            status: ClaimStatus::Documented,
            source: String::new(),
        });
    }

    /// Provisioned, nothing sent.
    pub(crate) fn provisioned() -> Self {
        let mut stage = Self::bare();
        stage.provision(&[(ANNA, "1001", Some(true)), (BEN, "1002", Some(true))]);
        stage.wait(1000);
        stage
    }

    /// Anna is registered for an hour.
    pub(crate) fn registered() -> Self {
        let mut stage = Self::provisioned();
        stage.register("1001", 3600);
        stage
    }

    /// Anna is subscribed, and the full state has come: all off.
    pub(crate) fn synced() -> Self {
        Self::synced_for(1800)
    }

    /// As `synced`, with this granted life.
    pub(crate) fn synced_for(life: u32) -> Self {
        let mut stage = Self::registered();
        stage.subscribe_and_state("1001", life, &[]);
        stage.idle(ANNA, &[]);
        stage
    }

    pub(crate) fn record(&mut self, observation: Observation) -> u64 {
        let stamp = Stamp::at(self.at).by(&Unit::default());
        self.log.append(stamp, observation).seq
    }

    pub(crate) fn wait(&mut self, milliseconds: u64) -> &mut Self {
        self.at += milliseconds * 1000;
        self
    }

    pub(crate) fn provision(&mut self, accounts: &[(&str, &str, Option<bool>)]) {
        let mut document = String::from(
            "<provisioning version=\"1.1\" productID=\"e2\"><nvm> --> <oper name=\"DeleteNotProvisionedHS\"/>\
             <param name=\"SipProvider.0.Domain\" value=\"as.example\"/>",
        );
        for (handset, user, sync) in accounts {
            document += &format!(
                "<param name=\"SipAccount.{handset}.UserName\" value=\"{user}\"/>\
                 <param name=\"SipAccount.{handset}.AuthName\" value=\"{user}\"/>"
            );
            if let Some(sync) = sync {
                document += &format!(
                    "<param name=\"SipAccount.{handset}.FeatureKeySyncActive\" value=\"{}\"/>",
                    u8::from(*sync)
                );
            }
        }
        document += "</nvm></provisioning>";
        self.record(Observation::Provisioning {
            path: "/7c2f80000001.xml".to_owned(),
            status: 200,
            document,
        });
    }

    fn sip(&mut self, direction: Direction, fate: Fate, text: &str) -> u64 {
        self.sip_with(SERVER, direction, fate, text)
    }

    fn sip_with(&mut self, server: &str, direction: Direction, fate: Fate, text: &str) -> u64 {
        let (source, destination) = match direction {
            Direction::FromBase => (BASE, server),
            Direction::ToBase => (server, BASE),
        };
        self.record(Observation::Sip(Sip {
            direction,
            fate,
            transport: self.transport.to_owned(),
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            bytes: text
                .replace("\r\n", "\n")
                .replace('\n', "\r\n")
                .into_bytes()
                .into(),
            parsed: Parsed::default(),
        }))
    }

    /// The base sends this text.
    pub(crate) fn sends(&mut self, text: &str) -> u64 {
        self.last = text.to_owned();
        self.sip(Direction::FromBase, Fate::Sent, text)
    }

    /// This text reaches the base.
    pub(crate) fn gets(&mut self, text: &str) -> u64 {
        self.sip(Direction::ToBase, Fate::Delivered, text)
    }

    /// A request of the base, its branch made from Call-ID and CSeq.
    pub(crate) fn request(&mut self, ask: &Ask<'_>) -> u64 {
        let text = ask.text();
        self.asked = copied(&text);
        self.sends(&text)
    }

    /// The base sends its last request to this destination, with another branch.
    pub(crate) fn again_to(&mut self, server: &str) -> u64 {
        self.last = self.last.replace("z9hG4bK", "z9hG4bKx");
        let text = self.last.clone();
        self.sip_with(server, Direction::FromBase, Fate::Sent, &text)
    }

    /// The base sends its last request again, byte for byte.
    pub(crate) fn again(&mut self) -> u64 {
        let text = self.last.clone();
        self.sends(&text)
    }

    /// The server's answer to the last request reaches the base.
    pub(crate) fn answer(&mut self, status: u16, headers: &[&str]) -> u64 {
        let text = response(&self.asked, status, ";tag=as", headers);
        self.gets(&text)
    }

    /// REGISTER and its 200.
    pub(crate) fn register(&mut self, user: &str, expires: u32) {
        self.register_numbered(user, 1, expires);
    }

    pub(crate) fn register_numbered(&mut self, user: &str, cseq: u32, expires: u32) {
        self.request(&Ask::register(user, cseq));
        self.wait(30);
        let contact = format!("Contact: <sip:{user}@127.0.0.1:5060>;expires={expires}");
        self.answer(200, &[&contact]);
        self.wait(30);
    }

    /// SUBSCRIBE, its 200, the full state with these documents on, and its 200.
    pub(crate) fn subscribe_and_state(&mut self, user: &str, life: u32, on: &[String]) {
        self.request(&Ask::subscribe(user, 1));
        self.cseq = 1;
        self.wait(30);
        self.answer(200, &[&format!("Expires: {life}")]);
        self.wait(10);
        self.full_state(user, on);
        self.wait(10);
    }

    pub(crate) fn full_state(&mut self, user: &str, on: &[String]) {
        let mut parts = vec![
            dnd(false),
            cf("Immediate", false, "", ""),
            cf("Busy", false, "", ""),
            cf("NoAns", false, "", ""),
        ];
        for document in on {
            let kind = |text: &str| {
                [
                    "doNotDisturbOn",
                    "forwardImmediate",
                    "forwardBusy",
                    "forwardNoAns",
                ]
                .into_iter()
                .position(|word| text.contains(word))
            };
            if let Some(place) = kind(document) {
                parts[place].clone_from(document);
            }
        }
        self.notify_parts(user, &parts);
        self.wait(10);
        self.reply(200, &[]);
    }

    /// A multipart NOTIFY reaches the base.
    pub(crate) fn notify_parts(&mut self, user: &str, parts: &[String]) -> u64 {
        let mut body = String::new();
        for part in parts {
            body += &format!("--B\r\n{TYPE}\r\n\r\n{part}\r\n");
        }
        body += "--B--\r\n";
        self.notify = self.notify.max(100) + 1;
        let number = self.notify;
        self.notify_with(
            user,
            number,
            &[EVENT, ACTIVE, "Content-Type: multipart/mixed;boundary=B"],
            &body,
        )
    }

    /// A NOTIFY with one document reaches the base, with the next CSeq.
    pub(crate) fn notify(&mut self, user: &str, document: &str) -> u64 {
        self.notify += 1;
        let number = self.notify;
        self.notify_with(user, number, &[EVENT, ACTIVE, TYPE], document)
    }

    /// A NOTIFY of the account's subscription with these headers reaches the base.
    pub(crate) fn notify_with(
        &mut self,
        user: &str,
        cseq: u32,
        headers: &[&str],
        body: &str,
    ) -> u64 {
        self.notify_in(
            &format!("sub-{user}"),
            &format!("tag-{user}"),
            user,
            cseq,
            headers,
            body,
        )
    }

    pub(crate) fn notify_in(
        &mut self,
        call: &str,
        tag: &str,
        user: &str,
        cseq: u32,
        headers: &[&str],
        body: &str,
    ) -> u64 {
        let mut text = format!(
            "NOTIFY sip:{user}@127.0.0.1:5060 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKn{call}{cseq}\n\
             Max-Forwards: 70\nFrom: <sip:{user}@as.example>;tag=as\nTo: <sip:{user}@as.example>;tag={tag}\n\
             Call-ID: {call}\nCSeq: {cseq} NOTIFY\nContact: <sip:127.0.0.2:5060>\n"
        );
        for header in headers {
            text += &format!("{header}\n");
        }
        let body = body.replace("\r\n", "\n").replace('\n', "\r\n");
        text += &format!("Content-Length: {}\n\n{body}", body.len());
        self.told = copied(&text);
        self.told.push(text.clone());
        self.gets(&text)
    }

    /// The last NOTIFY reaches the base again.
    pub(crate) fn notify_again(&mut self) -> u64 {
        let text = self.told.last().cloned().unwrap();
        self.gets(&text)
    }

    /// The base answers the last NOTIFY.
    pub(crate) fn reply(&mut self, status: u16, headers: &[&str]) -> u64 {
        let heads = self.told[..self.told.len() - 1].to_vec();
        let text = response(&heads, status, "", headers);
        self.sip(Direction::FromBase, Fate::Sent, &text)
    }

    /// The number of the last NOTIFY.
    pub(crate) fn notified(&self) -> u32 {
        self.notify
    }

    /// The next CSeq of Anna's subscription.
    pub(crate) fn next(&mut self) -> u32 {
        self.cseq += 1;
        self.cseq
    }

    /// Anna's base sends a change with this document within the subscription.
    pub(crate) fn change(&mut self, document: &str) -> u64 {
        let cseq = self.next();
        self.request(&Ask {
            to_tag: "as",
            body: document,
            ..Ask::subscribe("1001", cseq)
        })
    }

    /// The refresh of Anna's subscription.
    pub(crate) fn refresh(&mut self) -> u64 {
        let cseq = self.next();
        self.request(&Ask {
            to_tag: "as",
            ..Ask::subscribe("1001", cseq)
        })
    }

    /// The key that saves a change.
    pub(crate) fn request_change(
        &mut self,
        handset: &str,
        service: Service,
        active: bool,
        number: Option<&str>,
        rings: Option<u32>,
    ) -> u64 {
        self.record(Observation::Key {
            handset: handset.to_owned(),
            key: "soft-right".to_owned(),
            effect: KeyEffect::Save,
            intent: Some(Intent {
                service,
                active,
                number: number.map(str::to_owned),
                rings,
                agent: None,
            }),
        })
    }

    pub(crate) fn power(&mut self, change: PowerChange) -> u64 {
        self.record(Observation::Power { change })
    }

    pub(crate) fn key(&mut self, handset: &str, key: &str) {
        let effect = match key {
            "talk" => KeyEffect::Talk,
            "left" | "right" | "clear" => KeyEffect::Edit,
            key if key.bytes().all(|byte| byte.is_ascii_digit()) => KeyEffect::Edit,
            _ => KeyEffect::Walk,
        };
        self.record(Observation::Key {
            handset: handset.to_owned(),
            key: key.to_owned(),
            effect,
            intent: None,
        });
    }

    pub(crate) fn idle(&mut self, handset: &str, lines: &[&str]) -> u64 {
        self.screen(handset, View::Idle, "", lines)
    }

    pub(crate) fn menu(&mut self, handset: &str, title: &str, lines: &[&str]) -> u64 {
        self.screen(handset, View::Menu, title, lines)
    }

    fn screen(&mut self, handset: &str, view: View, title: &str, lines: &[&str]) -> u64 {
        self.record(Observation::Screen(Screen {
            handset: handset.to_owned(),
            view,
            title: title.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            cursor: None,
            softkeys: Vec::new(),
        }))
    }

    /// What the rules say; the same when they are told more than they ask for, also of a base that restarts in between, or
    /// finds the switches of all accounts turned over in its provisioning.
    #[track_caller]
    pub(crate) fn judge(&mut self) -> Vec<RuleReport> {
        let reports = ask_enough(&self.log, self.at);
        let records = self.log.records();
        let fetched = records.iter().rev().find_map(|record| {
            let mut fetched = record.observation.clone();
            let Observation::Provisioning { document, .. } = &mut fetched else {
                return None;
            };
            let (on, off) = ("Active\" value=\"1\"", "Active\" value=\"0\"");
            *document = document.replace(on, "turning").replace(off, on);
            *document = document.replace("turning", off);
            Some(vec![fetched])
        });
        let power = [PowerChange::Off, PowerChange::On];
        let restarted = power.map(|change| Observation::Power { change }).to_vec();
        for between in fetched.into_iter().chain([restarted]) {
            for part in 1..6 {
                let place = records.len() * part / 6;
                let mut log = Log::new();
                for (at, record) in records.iter().enumerate() {
                    if at == place {
                        for observation in &between {
                            log.append(Stamp::of(record), observation.clone());
                        }
                    }
                    log.append(Stamp::of(record), record.observation.clone());
                }
                ask_enough(&log, self.at);
            }
        }
        reports
    }

    /// The requirements with findings.
    pub(crate) fn broken(&mut self) -> BTreeSet<String> {
        let failed = self
            .judge()
            .into_iter()
            .filter(|report| report.judgement == Judgement::Fail);
        failed
            .map(|report| report.requirement.to_string())
            .collect()
    }

    /// Asserts that exactly these requirements are broken.
    #[track_caller]
    pub(crate) fn breaks(&mut self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
        let findings: Vec<String> = self
            .judge()
            .into_iter()
            .flat_map(|report| report.findings)
            .map(|finding| {
                format!(
                    "{}: {} {:?}",
                    finding.requirement, finding.text, finding.records
                )
            })
            .collect();
        assert_eq!(self.broken(), expected, "findings: {findings:#?}");
    }

    /// Asserts that nothing is broken and these rules were exercised.
    #[track_caller]
    pub(crate) fn keeps(&mut self, exercised: &[&str]) {
        self.breaks(&[]);
        let reports = self.judge();
        for id in exercised {
            let report = reports
                .iter()
                .find(|report| report.requirement.as_str() == *id);
            assert_eq!(report.unwrap().judgement, Judgement::Pass, "{id}");
        }
    }

    /// What a rule came to.
    pub(crate) fn judgement(&mut self, id: &str) -> Judgement {
        let reports = self.judge();
        let report = reports
            .into_iter()
            .find(|report| report.requirement.as_str() == id);
        report.unwrap().judgement
    }
}

/// What the rules say of a log; the same when they are told everything.
#[track_caller]
fn ask_enough(log: &Log, at: u64) -> Vec<RuleReport> {
    let judged_by = |mut monitor: Monitor| {
        for record in log.records() {
            monitor.observe(record);
        }
        monitor.finish(at)
    };
    let reports = judged_by(Monitor::new());
    for (report, told_all) in reports.iter().zip(judged_by(Monitor::attentive())) {
        let id = &report.requirement;
        assert_eq!(report, &told_all, "{id} does not ask for all it needs");
    }
    reports
}

/// A request of the base in the making.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) call: &'a str,
    pub(crate) cseq: u32,
    pub(crate) to_tag: &'a str,
    pub(crate) expires: &'a str,
    pub(crate) event: &'a str,
    pub(crate) extra: &'a [&'a str],
    pub(crate) body: &'a str,
}

impl<'a> Ask<'a> {
    pub(crate) fn register(user: &'a str, cseq: u32) -> Self {
        Self {
            method: "REGISTER",
            uri: "sip:as.example",
            from: user,
            to: user,
            call: "reg",
            cseq,
            to_tag: "",
            expires: "3600",
            event: "",
            extra: &[],
            body: "",
        }
    }

    pub(crate) fn subscribe(user: &'a str, cseq: u32) -> Self {
        Self {
            method: "SUBSCRIBE",
            uri: "",
            from: user,
            to: user,
            call: "sub",
            cseq,
            to_tag: "",
            expires: "1800",
            event: EVENT,
            extra: &[],
            body: "",
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self {
            method,
            from,
            to,
            call,
            cseq,
            ..
        } = self;
        let uri = match (self.uri, self.to_tag) {
            ("", "") => format!("sip:{from}@as.example"),
            ("", _) => "sip:127.0.0.2:5060".to_owned(),
            (uri, _) => uri.to_owned(),
        };
        let to_tag = match self.to_tag {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        let mut text = format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{call}{from}{cseq}\n\
             Max-Forwards: 70\nFrom: <sip:{from}@as.example>;tag=tag-{from}\nTo: <sip:{to}@as.example>{to_tag}\n\
             Call-ID: {call}-{from}\nCSeq: {cseq} {method}\nContact: <sip:{from}@127.0.0.1:5060>\n"
        );
        if !self.expires.is_empty() {
            text += &format!("Expires: {}\n", self.expires);
        }
        if !self.event.is_empty() {
            text += &format!("{}\n", self.event);
        }
        for header in self.extra {
            text += &format!("{header}\n");
        }
        let body = self.body.replace("\r\n", "\n").replace('\n', "\r\n");
        if !body.is_empty()
            && !self
                .extra
                .iter()
                .any(|header| header.starts_with("Content-Type"))
        {
            text += &format!("{TYPE}\n");
        }
        text + &format!("Content-Length: {}\n\n{body}", body.len())
    }
}

/// The headers that a response copies.
fn copied(request: &str) -> Vec<String> {
    let names = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let wanted = |line: &&str| names.iter().any(|name| line.starts_with(name));
    request.lines().filter(wanted).map(str::to_owned).collect()
}

fn response(copied: &[String], status: u16, tag: &str, headers: &[&str]) -> String {
    let mut text = format!("SIP/2.0 {status} Reason\n");
    for header in copied {
        let add = if header.starts_with("To:") && !header.contains("tag=") {
            tag
        } else {
            ""
        };
        text += &format!("{header}{add}\n");
    }
    for header in headers {
        text += &format!("{header}\n");
    }
    text + "Content-Length: 0\n\n"
}

/// A DoNotDisturbEvent.
pub(crate) fn dnd(on: bool) -> String {
    format!(
        "<DoNotDisturbEvent xmlns=\"{NS}\"><device>1001</device><doNotDisturbOn>{on}</doNotDisturbOn></DoNotDisturbEvent>"
    )
}

/// A ForwardingEvent.
pub(crate) fn cf(kind: &str, on: bool, number: &str, rings: &str) -> String {
    format!(
        "<ForwardingEvent xmlns=\"{NS}\"><device>1001</device><forwardingType>forward{kind}</forwardingType>\
         <forwardStatus>{on}</forwardStatus><forwardTo>{number}</forwardTo><ringCount>{rings}</ringCount></ForwardingEvent>"
    )
}

/// A SetDoNotDisturb.
pub(crate) fn set_dnd(on: bool) -> String {
    format!(
        "<SetDoNotDisturb xmlns=\"{NS}\"><device>1001</device><doNotDisturbOn>{on}</doNotDisturbOn></SetDoNotDisturb>"
    )
}

/// A SetForwarding.
pub(crate) fn set_cf(kind: &str, on: bool, number: &str, rings: &str) -> String {
    let rings = if rings.is_empty() {
        String::new()
    } else {
        format!("<ringCount>{rings}</ringCount>")
    };
    format!(
        "<SetForwarding xmlns=\"{NS}\"><device>1001</device><forwardingType>forward{kind}</forwardingType>\
         <activateForward>{on}</activateForward><forwardDN>{number}</forwardDN>{rings}</SetForwarding>"
    )
}
