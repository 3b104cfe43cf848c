//! Calls to feature codes: the digits that a handset dials to switch a service.
//!
//! | state | INVITE | the time | ACK | BYE | CANCEL |
//! |-------|--------|----------|-----|-----|--------|
//! | none | code: 100 -> ringing; no code: 480; nobody: 404 | | | 481 | 481 |
//! | ringing | of the same account: busy | answer: 200 -> up | | 481 | 200, 487 -> none |
//! | up | of the same account: busy | store: the service is set; hang up, too long: BYE -> none | | 200 -> none | 200 |
//!
//! The service is set some time after the 200, and a caller that is gone by then has changed nothing, where the dialect
//! says so. There is never any voice: the SDP says that only the server would send.

use super::{Job, Site};
use crate::account::merged;
use crate::accounts::Accounts;
use crate::address::{dialled, user_part};
use crate::dialect::FeatureCodeCall;
use crate::feature_code::Switch;
use crate::service::Origin;
use crate::writer::Writer;
use bytes::Bytes;
use sip::dialog::Dialog;
use sip::endpoint::TransactionId;
use sip::message::Message;
use sip::node::Flow;
use sip::service::{Service, Setting};
use sip::time::Instant;
use std::fmt::Write as _;
use std::time::Duration;

/// After this long the server ends a call whose caller does not: our choice, because a code is stored within a second, and a
/// base that lost its power in the call must find its account free again.
const LONGEST_CALL: Duration = Duration::from_secs(60);

/// Names a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CallId(u64);

/// A call to a feature code.
#[derive(Clone, Debug)]
pub(super) struct Call {
    asked: Asked,
    invite: Message,
    transaction: TransactionId,
    flow: Flow,
    dialog: Dialog,
    phase: Phase,
    /// Whether the service is set.
    stored: bool,
}

/// What a caller asks for.
#[derive(Clone, Debug)]
struct Asked {
    user: String,
    service: Service,
    setting: Setting,
    habits: FeatureCodeCall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ringing,
    Up,
}

impl Site {
    /// An INVITE: a feature code, or a call that this server does not connect.
    pub(super) fn on_invite(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        transaction: TransactionId,
        flow: Flow,
        message: &Message,
    ) {
        match self.judge_invite(accounts, now, message) {
            Err(refused) => self.respond(now, transaction, &refused),
            Ok(asked) => {
                let trying = Writer::response_to(&self.dialect, message, 100, None, None);
                self.respond(now, transaction, &trying);
                let tag = self.endpoint.new_tag();
                let id = CallId(self.next_number());
                let wait = asked.habits.answer_after_milliseconds.value;
                let call = Call {
                    asked,
                    invite: message.clone(),
                    transaction,
                    flow,
                    dialog: Dialog::from_request(message, tag, 1),
                    phase: Phase::Ringing,
                    stored: false,
                };
                self.calls.insert(id, call);
                self.later(now + Self::milliseconds(wait), Job::AnswerCall(id));
            }
        }
    }

    fn judge_invite(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        message: &Message,
    ) -> Result<Asked, Writer> {
        let user = message.from_uri().map_or("", user_part);
        self.authenticate(accounts, now, message, user)?;
        if message.to_tag().is_some() {
            return Err(self.answer(message, 481));
        }
        let digits = dialled(message.request_uri().unwrap_or_default());
        let offered = self.dialect.mechanism.feature_codes.as_ref();
        let wanted = self.dialect.meaning(&digits);
        let Some((wanted, offered)) = wanted.zip(offered) else {
            let code = if accounts.get(&digits).is_some() {
                480
            } else {
                404
            };
            return Err(self.answer(message, code));
        };
        let habits = offered.call.clone();
        if self.calls.values().any(|call| call.asked.user == user) {
            return Err(self.answer(message, habits.busy_code.value));
        }
        let service = wanted.service;
        let Some(stored) = accounts.assigned(user, service) else {
            return Err(self.answer(message, 403));
        };
        let asked = Setting {
            active: match wanted.switch {
                Switch::Off => false,
                Switch::On => true,
                Switch::Toggle => !stored.active,
            },
            number: wanted.number,
            ..Setting::default()
        };
        let setting = merged(service, Some(stored), &asked);
        if setting.active && service.forwards() && setting.number.is_none() {
            return Err(self.answer(message, 484));
        }
        Ok(Asked {
            user: user.to_owned(),
            service,
            setting,
            habits,
        })
    }

    pub(super) fn answer_call(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.phase = Phase::Up;
        let habits = &call.asked.habits;
        let store = habits.store_after_milliseconds.value;
        let hang_up = match habits.hang_up_after_milliseconds.value {
            0 => LONGEST_CALL,
            hang_up => Self::milliseconds(hang_up),
        };
        let (transaction, flow) = (call.transaction, call.flow);
        let record_route = call.invite.values("Record-Route").join(", ");
        let mut writer = Writer::response_to(
            &self.dialect,
            &call.invite,
            200,
            None,
            Some(&call.dialog.local_tag),
        );
        if !record_route.is_empty() {
            writer = writer.header("Record-Route", &record_route);
        }
        let writer = writer
            .header("Contact", &Self::contact(flow))
            .header("Allow", &self.dialect.style.allow.value.join(", "))
            .body(
                "application/sdp",
                session_description(flow, call.invite.body()),
            );
        self.respond(now, transaction, &writer);
        self.later(now + Self::milliseconds(store), Job::StoreCall(id));
        self.later(now + hang_up, Job::HangUp(id));
    }

    pub(super) fn store_call(&mut self, accounts: &mut Accounts, now: Instant, id: CallId) {
        let call = self.calls.get_mut(&id);
        if let Some(call) = call.filter(|call| !call.stored) {
            call.stored = true;
            let Asked {
                user,
                service,
                setting,
                ..
            } = &call.asked;
            accounts.change(now, user, *service, setting.clone(), Origin::FeatureCode);
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant, id: CallId) {
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        if call.phase == Phase::Ringing {
            let writer = Writer::response_to(
                &self.dialect,
                &call.invite,
                480,
                None,
                Some(&call.dialog.local_tag),
            );
            self.respond(now, call.transaction, &writer);
            return;
        }
        let branch = self.new_branch();
        let dialog = &mut call.dialog;
        dialog.local_cseq += 1;
        let from = format!("<{}>;tag={}", dialog.local_uri, dialog.local_tag);
        let tag = dialog.remote_tag.as_deref().unwrap_or_default();
        let mut writer = Writer::request(&self.dialect, "BYE", &dialog.remote_target)
            .header(
                "Via",
                &format!(
                    "SIP/2.0/{} {};branch={branch}",
                    call.flow.transport, call.flow.local
                ),
            )
            .header("From", &from)
            .header("To", &format!("<{}>;tag={tag}", dialog.remote_uri))
            .header("Call-ID", &dialog.call_id)
            .header("CSeq", &format!("{} BYE", dialog.local_cseq));
        for route in &dialog.route_set {
            writer = writer.header("Route", route);
        }
        let writer = writer.header(
            "Max-Forwards",
            &self.dialect.style.max_forwards.value.to_string(),
        );
        if let Ok(request) = writer.build() {
            self.endpoint.send_request(now, call.flow, request);
        }
    }

    /// The caller ends the call.
    pub(super) fn on_bye(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        message: &Message,
    ) -> Writer {
        let id = self.calls.iter().find(|(_, call)| {
            call.phase == Phase::Up
                && call.dialog.call_id == message.call_id()
                && message.to_tag() == Some(&call.dialog.local_tag)
                && message.from_tag() == call.dialog.remote_tag.as_deref()
        });
        let Some((id, call)) = id.map(|(id, call)| (*id, call)) else {
            return self.answer(message, 481);
        };
        if call.asked.habits.stores_after_early_hang_up.value {
            self.store_call(accounts, now, id);
        }
        self.calls.remove(&id);
        self.answer(message, 200)
    }

    /// The caller gives up before the answer.
    pub(super) fn on_cancel(&mut self, now: Instant, cancel: TransactionId, message: &Message) {
        let Some(invite) = self.endpoint.invite_of(cancel) else {
            let writer = self.answer(message, 481);
            self.respond(now, cancel, &writer);
            return;
        };
        let writer = self.answer(message, 200);
        self.respond(now, cancel, &writer);
        let ringing = self
            .calls
            .iter()
            .find(|(_, call)| call.transaction == invite && call.phase == Phase::Ringing);
        let Some(id) = ringing.map(|(id, _)| *id) else {
            return;
        };
        if let Some(call) = self.calls.remove(&id) {
            let tag = &call.dialog.local_tag;
            let writer = Writer::response_to(&self.dialect, &call.invite, 487, None, Some(tag));
            self.respond(now, invite, &writer);
        }
    }

    /// Nobody has acknowledged the answer (RFC 3261 §13.3.1.4).
    pub(super) fn on_call_failure(&mut self, now: Instant, transaction: TransactionId) {
        let call = self
            .calls
            .iter()
            .find(|(_, call)| call.transaction == transaction);
        if let Some(id) = call.map(|(id, _)| *id) {
            self.hang_up(now, id);
        }
    }
}

/// The answer to an offer, or an offer where there was none: one audio stream that only the server would send.
fn session_description(flow: Flow, offer: &[u8]) -> Bytes {
    let ip = flow.local.ip();
    let family = if ip.is_ipv6() { "IP6" } else { "IP4" };
    let mut text =
        format!("v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n");
    let offer = String::from_utf8_lossy(offer);
    let streams: Vec<&str> = offer
        .lines()
        .filter_map(|line| line.trim_end().strip_prefix("m="))
        .collect();
    if streams.is_empty() {
        text.push_str("m=audio 49170 RTP/AVP 0 8\r\na=sendonly\r\n");
        return text.into();
    }
    let mut has_audio = false;
    for stream in streams {
        let mut words = stream.split(' ');
        let media = words.next().unwrap_or_default();
        let _ = words.next();
        let protocol = words.next().unwrap_or("RTP/AVP");
        let format = words.next().unwrap_or("0");
        if media == "audio" && !has_audio {
            has_audio = true;
            let _ = write!(text, "m=audio 49170 {protocol} {format}\r\na=sendonly\r\n");
        } else {
            let _ = write!(text, "m={media} 0 {protocol} {format}\r\n");
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::node::Transport;

    fn answer_to(offer: &str) -> String {
        let flow = Flow {
            transport: Transport::Udp,
            local: "127.0.0.1:5060".parse().expect("address"),
            remote: "127.0.0.2:5060".parse().expect("address"),
        };
        let answer = session_description(flow, offer.as_bytes());
        String::from_utf8(answer.to_vec()).expect("text")
    }

    #[test]
    fn the_answer_takes_the_first_format_of_the_audio_stream() {
        let answer =
            answer_to("v=0\r\nm=audio 5004 RTP/AVP 9 8 0\r\na=x\r\nm=video 5006 RTP/AVP 96\r\n");
        assert!(
            answer.ends_with("m=audio 49170 RTP/AVP 9\r\na=sendonly\r\nm=video 0 RTP/AVP 96\r\n")
        );
    }

    #[test]
    fn without_an_offer_the_server_makes_one() {
        assert!(answer_to("").contains("m=audio 49170 RTP/AVP 0 8\r\n"));
    }
}
