//! Which subscriptions the base has at the server: read from the SIP at its own interface.
//!
//! | record | what follows |
//! |--------|--------------|
//! | a SUBSCRIBE outside a dialog leaves the base, first copy | the base asks for a subscription |
//! | a 2xx to a SUBSCRIBE reaches the base, first copy | it is live until the granted lifetime is over; with Expires 0 it has ended |
//! | a response to one in the dialog that ends the dialog, or any refusal or challenge of the first | it has ended |
//! | a NOTIFY reaches the base | `terminated`: it has ended; a shorter `expires` counts |
//! | the base answers that NOTIFY with a 2xx | it is live, even when the 2xx to the SUBSCRIBE is still on its way |
//! | the base refuses that NOTIFY | it has ended, or it is in doubt: not every notifier keeps it then |
//! | the unit loses its power, restarts, or ends | what it had is gone |
//!
//! Only the package of the services counts, see [`is_about_services`]. This reader knows nothing of the server's memory.

use super::{is_about_services, is_same, user_part};
use evidence::message::{Message, Method, parameter};
use evidence::record::{Direction, Fate, Observation, PowerChange, Record, Unit};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// Codes that end a subscription whichever request of its dialog they answer (RFC 6665 §4.1.2.2, §4.2.2).
const ENDING_CODES: [u16; 13] = [
    404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604,
];

/// Seconds in a NOTIFY are rounded down: a subscription may last this much longer.
const ROUNDING: Duration = Duration::from_secs(1);

/// Names a dialog from its beginning: the Call-ID and the tag that the base chose.
type DialogKey = (String, String);

/// The subscriptions of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions {
    held: BTreeMap<DialogKey, Subscription>,
    /// SUBSCRIBEs without a final answer, by dialog and CSeq number.
    waiting: BTreeMap<(DialogKey, u32), Asked>,
    /// NOTIFYs without a final answer, by branch.
    told: BTreeMap<String, DialogKey>,
}

/// A SUBSCRIBE that has no final answer yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    is_first: bool,
    expires: Option<u32>,
}

#[derive(Clone, Debug)]
struct Subscription {
    user: String,
    unit: Option<Unit>,
    state: State,
    /// The CSeq number of the last SUBSCRIBE that was granted.
    granted: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No NOTIFY of it was accepted and no 2xx has come. A NOTIFY may have told when it ends.
    Asked { until: Option<Instant> },
    /// The server has granted it; without an end when nobody has named one.
    Live {
        until: Option<Instant>,
        in_doubt: bool,
    },
}

impl Subscriptions {
    /// Takes the next record in.
    pub fn observe(&mut self, record: &Record) {
        match &record.observation {
            Observation::Power {
                change: PowerChange::Off | PowerChange::Rebooting | PowerChange::Ended,
            } => self.on_power_lost(record.unit.as_ref()),
            Observation::Sip(sip) => {
                let read = is_about_subscriptions(&sip.bytes);
                let Some(message) = read.then(|| sip.message()).flatten() else {
                    return;
                };
                let at = Instant::from_micros(record.at);
                match (sip.direction, sip.fate, message.method()) {
                    (Direction::FromBase, Fate::Sent, Some(Method::Subscribe)) => {
                        self.on_subscribe(record.unit.as_ref(), &message);
                    }
                    (Direction::FromBase, Fate::Sent, None) => self.on_reply(&message),
                    (Direction::ToBase, Fate::Delivered, Some(Method::Notify)) => {
                        self.on_notify(at, &message);
                    }
                    (Direction::ToBase, Fate::Delivered, None) => self.on_response(at, &message),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// How many subscriptions of a user are live.
    #[must_use]
    pub fn count(&self, user: &str, now: Instant) -> usize {
        self.live(user, now).count()
    }

    /// Whether a user has a live subscription that no refused NOTIFY has put into doubt.
    #[must_use]
    pub fn has_sure_one(&self, user: &str, now: Instant) -> bool {
        self.live(user, now).any(|in_doubt| !in_doubt)
    }

    /// Of each live subscription of a user, whether it is in doubt.
    fn live(&self, user: &str, now: Instant) -> impl Iterator<Item = bool> {
        let own = self.held.values().filter(move |held| held.user == user);
        own.filter_map(move |held| match held.state {
            State::Live { until, in_doubt } => {
                until.is_none_or(|until| now < until).then_some(in_doubt)
            }
            State::Asked { .. } => None,
        })
    }

    fn end(&mut self, key: &DialogKey) {
        self.held.remove(key);
        self.told.retain(|_, own| own != key);
    }

    fn on_power_lost(&mut self, unit: Option<&Unit>) {
        self.held
            .retain(|_, held| !is_same(held.unit.as_ref(), unit));
        let held = &self.held;
        self.waiting.retain(|(key, _), _| held.contains_key(key));
        self.told.retain(|_, key| held.contains_key(key));
    }

    fn on_subscribe(&mut self, unit: Option<&Unit>, request: &Message) {
        let Some((key, cseq)) = own_key(request) else {
            return;
        };
        let user = request.from_uri().and_then(user_part);
        let (Some(user), true) = (user, is_about_services(request)) else {
            return;
        };
        let named = (key.clone(), cseq);
        if self.waiting.contains_key(&named) {
            return;
        }
        let is_first = request.to_tag().is_none();
        let expires = request.expires();
        self.waiting.insert(named, Asked { is_first, expires });
        if is_first {
            self.held.entry(key).or_insert_with(|| Subscription {
                user: user.to_owned(),
                unit: unit.cloned(),
                state: State::Asked { until: None },
                granted: 0,
            });
        }
    }

    fn on_response(&mut self, at: Instant, response: &Message) {
        let Some((cseq, Method::Subscribe)) = response.cseq() else {
            return;
        };
        let status = response.status().unwrap_or_default();
        let Some((key, _)) = own_key(response).filter(|_| status >= 200) else {
            return;
        };
        let Some(asked) = self.waiting.remove(&(key.clone(), cseq)) else {
            return;
        };
        let ends = match status {
            200..300 => response.expires().or(asked.expires) == Some(0),
            // Also when it is challenged: a base that has credentials asks once more.
            _ if asked.is_first => self.is_asked_for(&key),
            _ => ENDING_CODES.contains(&status),
        };
        if ends {
            self.end(&key);
        } else if status < 300
            && let Some(held) = self.held.get_mut(&key)
            && cseq >= held.granted
        {
            let seconds = response.expires().or(asked.expires);
            held.granted = cseq;
            held.state = State::Live {
                until: seconds.map(|seconds| at + Duration::from_secs(seconds.into())),
                in_doubt: false,
            };
        }
    }

    fn is_asked_for(&self, key: &DialogKey) -> bool {
        let state = self.held.get(key).map(|held| held.state);
        matches!(state, Some(State::Asked { .. }))
    }

    fn on_notify(&mut self, at: Instant, notify: &Message) {
        let Some(key) = peers_key(notify) else {
            return;
        };
        let held = self.held.get_mut(&key);
        let Some(held) = held.filter(|_| is_about_services(notify)) else {
            return;
        };
        let state = notify.header("Subscription-State").unwrap_or_default();
        let word = state.split(';').next().unwrap_or_default().trim();
        if word.eq_ignore_ascii_case("terminated") {
            self.end(&key);
            return;
        }
        let seconds = parameter(state, "expires").and_then(|seconds| seconds.parse().ok());
        let told = seconds.map(|seconds| at + Duration::from_secs(seconds) + ROUNDING);
        let (State::Asked { until } | State::Live { until, .. }) = &mut held.state;
        *until = until.iter().copied().chain(told).min();
        if let Some(branch) = notify.branch() {
            self.told.insert(branch.to_owned(), key);
        }
    }

    fn on_reply(&mut self, reply: &Message) {
        let status = reply.status().unwrap_or_default();
        let Some((_, Method::Notify)) = reply.cseq().filter(|_| status >= 200) else {
            return;
        };
        let Some(key) = reply.branch().and_then(|branch| self.told.remove(branch)) else {
            return;
        };
        if ENDING_CODES.contains(&status) {
            self.end(&key);
        } else if let Some(held) = self.held.get_mut(&key) {
            held.state = match held.state {
                State::Asked { until } if status < 300 => State::Live {
                    until,
                    in_doubt: false,
                },
                State::Live { until, .. } => State::Live {
                    until,
                    in_doubt: status >= 300,
                },
                asked @ State::Asked { .. } => asked,
            };
        }
    }
}

/// Whether these bytes may be about a subscription: nothing else is worth reading.
fn is_about_subscriptions(bytes: &[u8]) -> bool {
    [&b"SUBSCRIBE "[..], b"NOTIFY ", b"SIP/2.0 "]
        .iter()
        .any(|start| bytes.starts_with(start))
}

/// The dialog of a request that the base sent, or of the response to it, with its CSeq number.
fn own_key(message: &Message) -> Option<(DialogKey, u32)> {
    let (cseq, _) = message.cseq()?;
    let tag = message.from_tag()?.to_owned();
    Some(((message.call_id().to_owned(), tag), cseq))
}

/// The dialog of a request that the server sent.
fn peers_key(message: &Message) -> Option<DialogKey> {
    Some((message.call_id().to_owned(), message.to_tag()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sight::script::Script;

    const EVENT: &str = "Event: as-feature-event\r\n";
    const ACTIVE: &str = "Event: as-feature-event\r\nSubscription-State: active;expires=100\r\n";

    fn folded(script: &Script) -> Subscriptions {
        let mut subscriptions = Subscriptions::default();
        for record in script.records() {
            subscriptions.observe(record);
        }
        subscriptions
    }

    fn second(number: u64) -> Instant {
        Instant::from_micros(number * 1_000_000)
    }

    fn count(script: &Script, seconds: u64) -> usize {
        folded(script).count("anna", second(seconds))
    }

    fn subscribe(script: &mut Script, at: u64, cseq: u32, expires: u32) {
        let rest = format!("{EVENT}Expires: {expires}\r\n");
        script.request(at, "SUBSCRIBE", "anna", cseq, &rest);
    }

    fn refresh(script: &mut Script, at: u64, cseq: u32, expires: u32) {
        let rest = format!("{EVENT}Expires: {expires}\r\n");
        script.in_dialog(at, "SUBSCRIBE", "anna", cseq, &rest);
    }

    fn accept(script: &mut Script, at: u64, cseq: u32, expires: u32) {
        let rest = format!("Expires: {expires}\r\n");
        script.answer(at, "SUBSCRIBE", "anna", cseq, 200, &rest);
    }

    fn subscribed() -> Script {
        let mut script = Script::default();
        subscribe(&mut script, 0, 1, 600);
        accept(&mut script, 1, 1, 100);
        script
    }

    #[test]
    fn a_subscription_lasts_as_long_as_the_server_grants_it_and_then_expires() {
        let script = subscribed();
        assert_eq!((count(&script, 100), count(&script, 101)), (1, 0));
        assert_eq!(folded(&script).count("ben", second(1)), 0);
    }

    #[test]
    fn a_subscription_that_is_refreshed_before_its_end_lasts_on() {
        let mut script = subscribed();
        refresh(&mut script, 90, 2, 600);
        assert_eq!(count(&script, 101), 0);
        accept(&mut script, 91, 2, 100);
        assert_eq!((count(&script, 190), count(&script, 191)), (1, 0));
    }

    #[test]
    fn an_accepted_notify_makes_it_live_before_the_2xx() {
        let mut script = Script::default();
        subscribe(&mut script, 0, 1, 600);
        script.notify(1, "anna", 1, ACTIVE);
        assert_eq!(count(&script, 1), 0);
        script.reply(2, "anna", 1, 200);
        assert_eq!((count(&script, 2), count(&script, 102)), (1, 0));
    }

    #[test]
    fn a_notify_with_compact_names_is_read() {
        let mut script = Script::default();
        subscribe(&mut script, 0, 1, 600);
        script.compact_notify(1, "anna", 1, ACTIVE);
        script.reply(2, "anna", 1, 200);
        assert_eq!(count(&script, 2), 1);
    }

    #[test]
    fn the_base_ends_it_with_expires_0_and_the_server_with_terminated() {
        let mut left = subscribed();
        refresh(&mut left, 5, 2, 0);
        assert_eq!(count(&left, 5), 1);
        accept(&mut left, 6, 2, 0);
        assert_eq!(count(&left, 6), 0);
        let mut ended = subscribed();
        let over = "Event: as-feature-event\r\nSubscription-State: Terminated;reason=timeout\r\n";
        ended.notify(5, "anna", 1, over);
        assert_eq!(count(&ended, 5), 0);
    }

    #[test]
    fn a_refused_subscribe_is_no_subscription_and_a_challenged_one_may_become_one() {
        let mut refused = Script::default();
        subscribe(&mut refused, 0, 1, 600);
        refused.answer(1, "SUBSCRIBE", "anna", 1, 489, "");
        refused.notify(2, "anna", 1, ACTIVE);
        refused.reply(3, "anna", 1, 200);
        assert_eq!(count(&refused, 3), 0);
        let mut challenged = Script::default();
        subscribe(&mut challenged, 0, 1, 600);
        challenged.answer(1, "SUBSCRIBE", "anna", 1, 401, "");
        subscribe(&mut challenged, 2, 2, 600);
        accept(&mut challenged, 3, 2, 100);
        assert_eq!(count(&challenged, 3), 1);
    }

    #[test]
    fn a_refresh_that_is_answered_481_ends_it_and_503_does_not() {
        for (code, left) in [(481, 0), (503, 1)] {
            let mut script = subscribed();
            refresh(&mut script, 50, 2, 600);
            script.answer(51, "SUBSCRIBE", "anna", 2, code, "");
            assert_eq!(count(&script, 51), left, "{code}");
        }
    }

    #[test]
    fn a_refused_notify_puts_it_into_doubt_until_the_next_is_accepted() {
        let mut script = subscribed();
        script.notify(5, "anna", 1, ACTIVE);
        script.reply(6, "anna", 1, 415);
        assert_eq!(count(&script, 6), 1);
        assert!(!folded(&script).has_sure_one("anna", second(6)));
        script.notify(7, "anna", 2, ACTIVE);
        script.reply(8, "anna", 2, 200);
        assert!(folded(&script).has_sure_one("anna", second(8)));
        script.notify(9, "anna", 3, ACTIVE);
        script.reply(10, "anna", 3, 481);
        assert_eq!(count(&script, 10), 0);
    }

    #[test]
    fn copies_of_requests_and_answers_change_nothing() {
        let mut script = Script::default();
        subscribe(&mut script, 0, 1, 600);
        subscribe(&mut script, 1, 1, 600);
        accept(&mut script, 2, 1, 100);
        accept(&mut script, 50, 1, 100);
        assert_eq!((count(&script, 101), count(&script, 102)), (1, 0));
        refresh(&mut script, 60, 2, 0);
        refresh(&mut script, 61, 2, 0);
        accept(&mut script, 62, 2, 0);
        script.notify(63, "anna", 1, ACTIVE);
        script.reply(63, "anna", 1, 200);
        assert_eq!(count(&script, 63), 0);
    }

    #[test]
    fn a_copy_of_a_subscribe_does_not_revive_what_a_notify_has_closed() {
        let mut script = Script::default();
        subscribe(&mut script, 0, 1, 600);
        let over = "Event: as-feature-event\r\nSubscription-State: terminated\r\n";
        script.notify(1, "anna", 1, over);
        subscribe(&mut script, 2, 1, 600);
        accept(&mut script, 3, 1, 600);
        assert_eq!(count(&script, 4), 0);
    }

    #[test]
    fn an_older_answer_that_was_overtaken_grants_nothing() {
        let mut script = subscribed();
        refresh(&mut script, 10, 2, 600);
        refresh(&mut script, 11, 3, 20);
        accept(&mut script, 12, 3, 20);
        accept(&mut script, 13, 2, 600);
        assert_eq!((count(&script, 31), count(&script, 32)), (1, 0));
    }

    #[test]
    fn a_notify_may_shorten_the_lifetime_and_not_lengthen_it() {
        let mut script = subscribed();
        script.notify(50, "anna", 1, ACTIVE);
        assert_eq!((count(&script, 100), count(&script, 101)), (1, 0));
        let short = "Event: as-feature-event\r\nSubscription-State: active;expires=10\r\n";
        script.notify(60, "anna", 2, short);
        assert_eq!((count(&script, 70), count(&script, 71)), (1, 0));
    }

    #[test]
    fn other_packages_do_not_count() {
        for package in ["message-summary", "x-broadworks-hoteling"] {
            let mut script = Script::default();
            let rest = format!("Event: {package}\r\nExpires: 600\r\n");
            script.request(0, "SUBSCRIBE", "anna", 1, &rest);
            accept(&mut script, 1, 1, 600);
            assert_eq!(count(&script, 2), 0, "{package}");
        }
    }

    #[test]
    fn what_a_base_had_before_a_power_cut_or_a_restart_is_gone() {
        for change in [PowerChange::Off, PowerChange::Rebooting] {
            let mut script = subscribed();
            script.power(20, change);
            assert_eq!(count(&script, 21), 0, "{change:?}");
        }
    }

    #[test]
    fn five_hundred_accounts_are_told_apart() {
        let mut script = Script::default();
        let ask = format!("{EVENT}Expires: 600\r\n");
        for number in 0..500_u32 {
            let user = format!("user{number}");
            script.request(1, "SUBSCRIBE", &user, 1, &ask);
            let expires = format!("Expires: {}\r\n", 100 + number % 2 * 900);
            script.answer(1, "SUBSCRIBE", &user, 1, 200, &expires);
        }
        let subscriptions = folded(&script);
        for number in 0..500_usize {
            let user = format!("user{number}");
            assert_eq!(
                subscriptions.count(&user, second(101)),
                number % 2,
                "{user}"
            );
        }
    }
}
