//! A call that a handset makes: a feature code, dialled as an ordinary call and ended by whoever ends it first.
//!
//! | state | input | next |
//! |---|---|---|
//! | Calling | 401, 407 with a challenge that can be answered | Calling, CSeq+1 |
//! | Calling | 2xx | Talking, ACK sent; Ending with BYE when the user hung up before |
//! | Calling | any other final response, no answer | ended |
//! | Calling | `hang_up` | Calling, CANCEL as soon as a provisional response is there |
//! | Talking | 2xx again | Talking, ACK sent again |
//! | Talking | BYE | ended, 200 sent |
//! | Talking | `hang_up`, ten seconds | Ending, BYE sent |
//! | Ending | any final response, no answer | ended |
//!
//! Nothing is heard and nothing is said: no media leaves a base of this rig.

use super::challenge::Challenge;
use super::request::{Draft, Server, Shared, address_of_record, escaped};
use crate::accounts::AccountSettings;
use crate::user_agent::template::{TemplateName, Values};
use bytes::Bytes;
use sip::dialog::Dialog;
use sip::endpoint::TransactionId;
use sip::message::{Message, Method, StartLine};
use sip::node::Flow;
use sip::time::Instant;
use std::time::Duration;

/// How long the base waits for the server to end an answered call: our choice.
const LONGEST_TALK: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
enum State {
    Calling(TransactionId),
    Talking { hang_up_at: Instant },
    Ending(TransactionId),
}

/// What became of a call; without it the call goes on.
pub(super) type Ended = Option<String>;

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    state: State,
    request: Message,
    dialog: Dialog,
    challenge: Challenge,
    hung_up: bool,
    ack: Option<(Flow, Bytes)>,
}

impl Call {
    /// Calls these digits.
    pub(super) fn start(
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        digits: &str,
    ) -> Option<Self> {
        let remote = format!("sip:{}@{}", escaped(digits), settings.provider.domain);
        let dialog = Dialog::outgoing(
            shared.endpoint.new_call_id(),
            shared.endpoint.new_tag(),
            address_of_record(settings),
            remote,
            1,
        );
        let challenge = Challenge::new(shared, settings);
        let mut dialog_and_challenge = (dialog, challenge);
        let (transaction, request) = invite(now, shared, settings, &mut dialog_and_challenge)?;
        let (dialog, challenge) = dialog_and_challenge;
        Some(Self {
            state: State::Calling(transaction),
            request,
            dialog,
            challenge,
            hung_up: false,
            ack: None,
        })
    }

    pub(super) fn reseed(&mut self, shared: &mut Shared) {
        self.challenge.reseed(shared);
    }

    /// Whether the user, or the base itself, has ended it.
    pub(super) const fn is_hung_up(&self) -> bool {
        self.hung_up || matches!(self.state, State::Ending(_))
    }

    /// Whether this transaction, or the response of an INVITE that was answered already, is of this call.
    pub(super) fn owns(&self, transaction: TransactionId, message: Option<&Message>) -> bool {
        match self.state {
            State::Calling(open) | State::Ending(open) if open == transaction => true,
            _ => message.is_some_and(|message| message.call_id() == self.dialog.call_id),
        }
    }

    pub(super) fn call_id(&self) -> &str {
        &self.dialog.call_id
    }

    /// Whether a request from the server belongs to this call.
    pub(super) fn owns_request(&self, request: &Message) -> bool {
        self.dialog.is_established() && self.dialog.owns(request)
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        flow: Flow,
        response: &Message,
    ) -> Ended {
        let code = response.status().unwrap_or_default();
        match (&self.state, code) {
            (_, ..200) => None,
            (State::Calling(_), 200..300) => self.on_answer(now, shared, settings, flow, response),
            (State::Calling(_), 401 | 407) if self.challenge.take(shared, response) => {
                self.repeat(now, shared, settings)
            }
            (State::Calling(_), _) => Some(reason(response)),
            (State::Talking { .. }, _) => {
                if let Some((flow, ack)) = self.ack.clone() {
                    shared.endpoint.send_raw(flow, ack);
                }
                None
            }
            (State::Ending(_), 401 | 407) if self.challenge.take(shared, response) => {
                self.bye(now, shared, settings)
            }
            (State::Ending(_), _) => Some("ended".to_owned()),
        }
    }

    pub(super) fn handle_failure(&self) -> Ended {
        Some("no answer".to_owned())
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) -> Ended {
        match self.state {
            State::Talking { hang_up_at } if hang_up_at <= now => self.bye(now, shared, settings),
            _ => None,
        }
    }

    /// When something is due.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Talking { hang_up_at } => Some(hang_up_at),
            State::Calling(_) | State::Ending(_) => None,
        }
    }

    /// The user ends it.
    pub(super) fn hang_up(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) -> Ended {
        self.hung_up = true;
        match self.state {
            State::Calling(transaction) => {
                shared.endpoint.cancel(now, transaction);
                None
            }
            State::Talking { .. } => self.bye(now, shared, settings),
            State::Ending(_) => None,
        }
    }

    fn repeat(&mut self, now: Instant, shared: &mut Shared, settings: &AccountSettings) -> Ended {
        let mut dialog_and_challenge = (self.dialog.clone(), self.challenge.clone());
        let sent = invite(now, shared, settings, &mut dialog_and_challenge);
        (self.dialog, self.challenge) = dialog_and_challenge;
        let Some((transaction, request)) = sent else {
            return Some("not sent".to_owned());
        };
        self.state = State::Calling(transaction);
        self.request = request;
        None
    }

    fn on_answer(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        flow: Flow,
        response: &Message,
    ) -> Ended {
        self.dialog = Dialog::from_response(&self.request, response);
        self.challenge.accepted(response);
        let draft = self.draft(TemplateName::Ack, self.dialog.local_cseq, None);
        let ack = shared.write(settings, &draft);
        let flow = shared.flow(settings, Server::Proxy).unwrap_or(flow);
        shared.endpoint.send_raw(flow, ack.clone());
        self.ack = Some((flow, ack));
        self.state = State::Talking {
            hang_up_at: now + LONGEST_TALK,
        };
        if self.hung_up {
            return self.bye(now, shared, settings);
        }
        None
    }

    fn bye(&mut self, now: Instant, shared: &mut Shared, settings: &AccountSettings) -> Ended {
        let cseq = self.dialog.next_cseq();
        let uri = self.dialog.remote_target.clone();
        let authorization = self.challenge.authorize(&Method::Bye, &uri, &[]);
        let draft = self.draft(TemplateName::Bye, cseq, authorization);
        match shared.send(now, settings, Server::Proxy, &draft) {
            Some((transaction, _)) => {
                self.state = State::Ending(transaction);
                None
            }
            None => Some("ended".to_owned()),
        }
    }

    fn draft(
        &self,
        template: TemplateName,
        cseq: u32,
        authorization: Option<(&'static str, String)>,
    ) -> Draft {
        Draft {
            template,
            uri: self.dialog.remote_target.clone(),
            call_id: self.dialog.call_id.clone(),
            cseq,
            local_tag: self.dialog.local_tag.clone(),
            remote_tag: self.dialog.remote_tag.clone(),
            route: self.dialog.route_set.clone(),
            expires: None,
            remote: self.dialog.remote_uri.clone(),
            authorization,
            body: None,
            package: None,
        }
    }
}

fn invite(
    now: Instant,
    shared: &mut Shared,
    settings: &AccountSettings,
    (dialog, challenge): &mut (Dialog, Challenge),
) -> Option<(TransactionId, Message)> {
    let cseq = dialog.next_cseq();
    let family = if shared.sip.is_ipv4() { "IP4" } else { "IP6" };
    let values = Values::new()
        .with("address", format!("{family} {}", shared.sip.ip()))
        .with("session", cseq)
        .with("user", "-");
    let description = shared
        .model
        .sip
        .templates
        .text(TemplateName::Description, &values);
    let uri = dialog.remote_uri.clone();
    let authorization = challenge.authorize(&Method::Invite, &uri, description.as_bytes());
    let draft = Draft {
        template: TemplateName::Invite,
        uri: uri.clone(),
        call_id: dialog.call_id.clone(),
        cseq,
        local_tag: dialog.local_tag.clone(),
        remote_tag: None,
        route: Vec::new(),
        expires: None,
        remote: uri,
        authorization,
        body: Some(("application/sdp".to_owned(), description.into())),
        package: None,
    };
    shared.send(now, settings, Server::Proxy, &draft)
}

fn reason(response: &Message) -> String {
    match response.start_line() {
        StartLine::Response { code, reason } => format!("{code} {reason}"),
        StartLine::Request { .. } => String::new(),
    }
}
