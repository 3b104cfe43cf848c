//! The rules of the subscribe group: SUB-01, SUB-02, SUB-03, SUB-04, SUB-05, SUB-08.

use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::time::clock;
use crate::monitor::scene::traffic::{Purpose, Request, Subscribe, host};
use crate::monitor::scene::unasked::Unasked;
use sip::message::Method;

mod accepted;
mod leave;
mod retransmission;

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(WellFormedSubscribe),
        Box::new(ConfiguredExpires),
        Box::new(NoBodyUnasked),
        Box::new(retransmission::RepeatedByTheBook::default()),
        Box::new(accepted::AcceptedIsGranted::default()),
        Box::new(leave::TakesLeave::default()),
    ]
}

/// The SUBSCRIBE of a moment that is one.
pub(crate) fn subscribe(
    moment: Moment,
    scene: &Scene,
) -> Option<(Place, &Request, &Subscribe, usize)> {
    let Moment::Request(place) = moment else {
        return None;
    };
    let request = scene.request(place)?;
    Some((place, request, request.subscribe()?, request.account?))
}

/// SUB-01
#[derive(Clone, Debug)]
struct WellFormedSubscribe;

impl WellFormedSubscribe {
    fn lint(request: &Request, subscribe: &Subscribe, scene: &Scene) -> Option<String> {
        let message = &request.message;
        let events: Vec<&str> = message.headers("Event").collect();
        if events.as_slice() != [crate::monitor::PACKAGE] {
            return Some(format!(
                "it must have one Event header with the value {}, but has {}",
                crate::monitor::PACKAGE,
                if events.is_empty() {
                    "none".to_owned()
                } else {
                    events.join(" and ")
                }
            ));
        }
        for name in [
            "Via",
            "Max-Forwards",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
        ] {
            if message.header(name).is_none_or(str::is_empty) {
                return Some(format!("the header {name} is missing"));
            }
        }
        if message.from_tag().is_none_or(str::is_empty) {
            return Some("From has no tag".to_owned());
        }
        if message
            .cseq()
            .is_none_or(|(_, method)| method != Method::Subscribe)
        {
            return Some("CSeq names another method".to_owned());
        }
        let contact = message.contact_uri().unwrap_or_default();
        if message.values("Contact").len() != 1
            || !(contact.starts_with("sip:") || contact.starts_with("sips:"))
            || matches!(host(contact), "" | "0.0.0.0" | "::")
        {
            return Some(format!("its Contact `{contact}` cannot be reached"));
        }
        if scene.is_other_call_id(message.call_id()) {
            return Some("it has the Call-ID of a REGISTER or INVITE".to_owned());
        }
        let invented = message.to_tag().is_some()
            && !subscribe.in_dialog
            && subscribe.previous_cseq.is_none()
            && scene.is_complete();
        invented.then(|| "it is the first of its Call-ID and has a To tag".to_owned())
    }
}

impl Rule for WellFormedSubscribe {
    fn requirement(&self) -> &'static str {
        "SUB-01"
    }

    fn hears(&self) -> Kinds {
        Kinds::REQUEST
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Some((_, request, subscribe, account)) = subscribe(moment, scene) else {
            return;
        };
        tell.exercise();
        if let Some(wrong) = Self::lint(request, subscribe, scene) {
            let who = user_of(scene, account);
            let text = format!(
                "the SUBSCRIBE of {who} at {} is malformed: {wrong}",
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}

/// SUB-02
#[derive(Clone, Debug)]
struct ConfiguredExpires;

impl Rule for ConfiguredExpires {
    fn requirement(&self) -> &'static str {
        "SUB-02"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["sip.subscription-timer"]
    }

    fn hears(&self) -> Kinds {
        Kinds::REQUEST
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Some((_, request, subscribe, account)) = subscribe(moment, scene) else {
            return;
        };
        tell.exercise();
        let who = user_of(scene, account);
        let Some(expires) = request.message.expires() else {
            let text = format!(
                "the SUBSCRIBE of {who} at {} has no Expires",
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
            return;
        };
        let configured = scene
            .claim("sip.subscription-timer")
            .and_then(|text| text.trim().parse().ok());
        let Some(configured) = configured.filter(|_| subscribe.purpose == Purpose::Initial) else {
            return;
        };
        let forced = scene
            .requests
            .of(Some(account))
            .map(|(_, before)| before)
            .filter(|before| before.status() == Some(423))
            .filter_map(|before| {
                before
                    .answer
                    .as_ref()?
                    .message
                    .header("Min-Expires")?
                    .parse()
                    .ok()
            })
            .any(|minimum: u32| expires >= minimum);
        let asked: u32 = configured;
        if expires != asked && !forced {
            let text = format!(
                "the initial SUBSCRIBE of {who} at {} must ask for the configured {asked} s, but asks for {expires} s",
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}

/// SUB-03
#[derive(Clone, Debug)]
struct NoBodyUnasked;

impl Rule for NoBodyUnasked {
    fn requirement(&self) -> &'static str {
        "SUB-03"
    }

    fn hears(&self) -> Kinds {
        Kinds::REQUEST
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Some((_, request, subscribe, account)) = subscribe(moment, scene) else {
            return;
        };
        let wrong = match subscribe.purpose {
            Purpose::Initial | Purpose::Refresh => {
                tell.exercise();
                let typed = request.message.header("Content-Type");
                typed.map(|typed| format!("no body, but the Content-Type {typed}"))
            }
            Purpose::Change if subscribe.unasked == Some(Unasked::Plain) => Some(format!(
                "a body of {} bytes, and no user asked for anything",
                request.message.body().len()
            )),
            Purpose::Change | Purpose::Unsubscribe => None,
        };
        if let Some(wrong) = wrong {
            let text = format!(
                "a SUBSCRIBE without a change must have no body: that of {} at {} has {wrong}",
                user_of(scene, account),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}
