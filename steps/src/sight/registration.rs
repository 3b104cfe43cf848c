//! Which accounts the base has registered, and until when: read from the SIP at its own interface.
//!
//! | record | what follows |
//! |--------|--------------|
//! | a REGISTER leaves the base, first copy | its contacts are the base's own, and it waits for an answer |
//! | a 2xx to it reaches the base, first copy, no older than the last one of its Call-ID | the account's own contacts that it lists are bound, and no other |
//! | another final response | it waits no longer, and nothing changes |
//! | the unit loses its power, restarts, or ends | what it had is gone |
//!
//! A binding ends by itself when its lifetime is over. This reader knows nothing of the server's memory.

use super::{is_same, user_part};
use evidence::message::{Message, Method, address_uri, parameter};
use evidence::record::{Direction, Fate, Observation, PowerChange, Record, Unit};
use sip::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a lifetime that nobody states is taken for (RFC 3261 §10.2.1.1 names it for values that make no sense).
const UNSTATED: u32 = 3600;

/// How long a REGISTER may be answered: Timer F, 64 times T1 (RFC 3261 §17.1.2.2).
const TIMER_F: Duration = Duration::from_secs(32);

/// Names a request: its Call-ID and its CSeq number.
type RequestKey = (String, u32);

/// The registrations of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Registrations {
    accounts: BTreeMap<String, Account>,
    waiting: BTreeMap<RequestKey, Asked>,
}

/// A REGISTER that has no final answer yet.
#[derive(Clone, Debug)]
struct Asked {
    user: String,
    at: Instant,
    /// What it asks for, by contact; what it does not say is absent.
    lifetimes: BTreeMap<String, Option<u32>>,
    expires: Option<u32>,
}

#[derive(Clone, Debug, Default)]
struct Account {
    unit: Option<Unit>,
    /// The contacts that the base has asked to be bound: what others have bound is not the handset's registration.
    own: BTreeSet<String>,
    /// When each contact's binding ends.
    bound: BTreeMap<String, Instant>,
    /// The last CSeq number that was granted, by Call-ID.
    granted: BTreeMap<String, u32>,
}

impl Registrations {
    /// Takes the next record in.
    pub fn observe(&mut self, record: &Record) {
        match &record.observation {
            Observation::Power {
                change: PowerChange::Off | PowerChange::Rebooting | PowerChange::Ended,
            } => self.on_power_lost(record.unit.as_ref()),
            Observation::Sip(sip) => {
                let Some(message) = is_about_registers(&sip.bytes)
                    .then(|| sip.message())
                    .flatten()
                else {
                    return;
                };
                let at = Instant::from_micros(record.at);
                match (sip.direction, sip.fate) {
                    (Direction::FromBase, Fate::Sent) => {
                        self.on_request(at, record.unit.as_ref(), &message);
                    }
                    (Direction::ToBase, Fate::Delivered) => self.on_response(at, &message),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// When the registration of a user ends that lasts longest; nothing when none lasts beyond `now`.
    #[must_use]
    pub fn lasts_until(&self, user: &str, now: Instant) -> Option<Instant> {
        let account = self.accounts.get(user)?;
        account
            .bound
            .values()
            .copied()
            .filter(|end| *end > now)
            .max()
    }

    /// Whether a REGISTER of a user waits for its answer that left the base while a registration lasted: the base has seen
    /// to it in time, and only the answer is on its way.
    #[must_use]
    pub fn is_being_renewed(&self, user: &str, now: Instant) -> bool {
        let end = self.accounts.get(user);
        let end = end.and_then(|account| account.bound.values().max().copied());
        self.waiting.values().any(|asked| {
            asked.user == user
                && end.is_some_and(|end| asked.at <= end)
                && now.since(asked.at) < TIMER_F
        })
    }

    fn on_power_lost(&mut self, unit: Option<&Unit>) {
        let lost: BTreeSet<String> = (self.accounts.iter())
            .filter(|(_, account)| is_same(account.unit.as_ref(), unit))
            .map(|(user, _)| user.clone())
            .collect();
        self.accounts.retain(|user, _| !lost.contains(user));
        self.waiting.retain(|_, asked| !lost.contains(&asked.user));
    }

    fn on_request(&mut self, at: Instant, unit: Option<&Unit>, request: &Message) {
        let is_register = request.method() == Some(&Method::Register);
        let user = request.to_uri().and_then(user_part);
        let (true, Some(user), Some((cseq, _))) = (is_register, user, request.cseq()) else {
            return;
        };
        let lifetimes: BTreeMap<String, Option<u32>> = (request.values("Contact").into_iter())
            .filter(|contact| *contact != "*")
            .map(|contact| (address(contact), stated(contact)))
            .collect();
        let account = self.accounts.entry(user.to_owned()).or_default();
        account.unit = unit.cloned();
        account.own.extend(lifetimes.keys().cloned());
        let key = (request.call_id().to_owned(), cseq);
        self.waiting.entry(key).or_insert_with(|| Asked {
            user: user.to_owned(),
            at,
            lifetimes,
            expires: request.expires(),
        });
    }

    fn on_response(&mut self, at: Instant, response: &Message) {
        let Some((cseq, Method::Register)) = response.cseq() else {
            return;
        };
        let Some(status) = response.status().filter(|status| *status >= 200) else {
            return;
        };
        let call_id = response.call_id().to_owned();
        let Some(asked) = self.waiting.remove(&(call_id.clone(), cseq)) else {
            return;
        };
        let Some(account) = self.accounts.get_mut(&asked.user) else {
            return;
        };
        let last = account.granted.get(&call_id).copied();
        if status >= 300 || last.is_some_and(|last| cseq < last) {
            return;
        }
        account.granted.insert(call_id, cseq);
        // A 2xx lists every binding of the account (RFC 3261 §10.3, step 8).
        account.bound = (response.values("Contact").into_iter())
            .map(|contact| (address(contact), stated(contact)))
            .filter(|(contact, _)| account.own.contains(contact))
            .map(|(contact, granted)| {
                let wanted = asked.lifetimes.get(&contact).copied().flatten();
                let seconds = granted.or_else(|| response.expires());
                let seconds = seconds.or(wanted).or(asked.expires).unwrap_or(UNSTATED);
                (contact, at + Duration::from_secs(seconds.into()))
            })
            .collect();
    }
}

/// Whether these bytes may be a REGISTER or a response: nothing else is worth reading.
fn is_about_registers(bytes: &[u8]) -> bool {
    bytes.starts_with(b"REGISTER ") || bytes.starts_with(b"SIP/2.0 ")
}

/// The address inside a Contact, as far as it tells one contact from another: servers may add parameters or leave some out.
fn address(contact: &str) -> String {
    let uri = address_uri(contact);
    let bare = uri.split([';', '?']).next().unwrap_or_default();
    match bare.split_once('@') {
        Some((user, host)) => format!("{user}@{}", host.to_ascii_lowercase()),
        None => bare.to_ascii_lowercase(),
    }
}

/// The `expires` of a Contact.
fn stated(contact: &str) -> Option<u32> {
    let behind = contact.rfind('>').and_then(|close| contact.get(close..));
    parameter(behind.unwrap_or(contact), "expires")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sight::script::Script;

    fn folded(script: &Script) -> Registrations {
        let mut registrations = Registrations::default();
        for record in script.records() {
            registrations.observe(record);
        }
        registrations
    }

    fn second(number: u64) -> Instant {
        Instant::from_micros(number * 1_000_000)
    }

    fn registered(script: &Script, user: &str, seconds: u64) -> bool {
        folded(script).lasts_until(user, second(seconds)).is_some()
    }

    fn anna() -> Script {
        let mut script = Script::default();
        script.register(
            0,
            "anna",
            1,
            "Contact: <sip:anna@base:5060>\r\nExpires: 600\r\n",
        );
        script.granted(
            1,
            "anna",
            1,
            "Contact: <sip:anna@BASE:5060;x=1>;expires=60\r\n",
        );
        script
    }

    #[test]
    fn a_registration_lasts_as_long_as_the_server_grants_it_and_then_lapses() {
        let script = anna();
        assert!(registered(&script, "anna", 60));
        assert!(!registered(&script, "anna", 61));
        assert!(!registered(&script, "ben", 10));
    }

    #[test]
    fn a_register_without_answer_or_refused_registers_nobody() {
        let mut script = Script::default();
        script.register(0, "anna", 1, "Contact: <sip:anna@base>\r\n");
        assert!(!registered(&script, "anna", 1));
        script.answer(
            1,
            "REGISTER",
            "anna",
            1,
            403,
            "Contact: <sip:anna@base>\r\n",
        );
        assert!(!registered(&script, "anna", 2));
    }

    #[test]
    fn a_de_registered_handset_is_not_registered() {
        let mut star = anna();
        star.register(5, "anna", 2, "Contact: *\r\nExpires: 0\r\n");
        assert!(registered(&star, "anna", 6));
        star.granted(6, "anna", 2, "");
        assert!(!registered(&star, "anna", 6));
        let mut one = anna();
        one.register(5, "anna", 2, "Contact: <sip:anna@base:5060>;expires=0\r\n");
        one.granted(6, "anna", 2, "Contact: <sip:anna@base:5060>;expires=0\r\n");
        assert!(!registered(&one, "anna", 6));
    }

    #[test]
    fn a_registration_that_is_refreshed_before_its_end_lasts_on() {
        let mut script = anna();
        script.register(50, "anna", 2, "Contact: <sip:anna@base:5060>\r\n");
        script.granted(
            51,
            "anna",
            2,
            "Contact: <sip:anna@base:5060>;expires=60\r\n",
        );
        assert!(registered(&script, "anna", 110));
        assert!(!registered(&script, "anna", 111));
    }

    #[test]
    fn a_refresh_that_left_in_time_and_waits_is_a_renewal_and_a_late_one_is_none() {
        let fold = |sent: u64| {
            let mut script = anna();
            script.register(sent, "anna", 2, "Contact: <sip:anna@base:5060>\r\n");
            folded(&script)
        };
        assert!(fold(61).is_being_renewed("anna", second(62)));
        assert!(!fold(61).is_being_renewed("anna", second(93)));
        assert!(!fold(62).is_being_renewed("anna", second(63)));
        assert!(!fold(61).is_being_renewed("ben", second(62)));
    }

    #[test]
    fn copies_of_an_answer_and_older_answers_grant_nothing_again() {
        let mut script = anna();
        script.granted(
            30,
            "anna",
            1,
            "Contact: <sip:anna@base:5060>;expires=60\r\n",
        );
        assert!(!registered(&script, "anna", 61));
        let mut crossed = anna();
        crossed.register(10, "anna", 2, "Contact: <sip:anna@base:5060>\r\n");
        crossed.register(11, "anna", 3, "Contact: *\r\nExpires: 0\r\n");
        crossed.granted(12, "anna", 3, "");
        crossed.granted(
            13,
            "anna",
            2,
            "Contact: <sip:anna@base:5060>;expires=60\r\n",
        );
        assert!(!registered(&crossed, "anna", 14));
    }

    #[test]
    fn a_copy_of_a_register_does_not_wait_for_another_answer() {
        let mut script = Script::default();
        let contact = "Contact: <sip:anna@base>;expires=60\r\n";
        script.register(0, "anna", 1, contact);
        script.register(1, "anna", 1, contact);
        script.granted(2, "anna", 1, contact);
        script.granted(40, "anna", 1, contact);
        assert!(!registered(&script, "anna", 62));
    }

    #[test]
    fn one_contact_of_several_is_enough_and_a_strangers_is_none() {
        let mut script = Script::default();
        let two = "Contact: <sip:anna@base>, \"A, B\" <sip:anna@other>\r\n";
        script.register(0, "anna", 1, two);
        let granted = "Contact: <sip:anna@base>;expires=10\r\nContact: <sip:anna@other>;expires=20, <sip:anna@phone>;expires=900\r\n";
        script.granted(0, "anna", 1, granted);
        assert!(registered(&script, "anna", 19));
        assert!(!registered(&script, "anna", 20));
    }

    #[test]
    fn compact_names_and_an_expires_header_are_read() {
        let mut script = Script::default();
        script.compact_register(0, "anna", 1, "m: sip:anna@base\r\nExpires: 600\r\n");
        script.compact_granted(0, "anna", 1, "m: sip:anna@base\r\nExpires: 30\r\n");
        assert!(registered(&script, "anna", 29));
        assert!(!registered(&script, "anna", 30));
    }

    #[test]
    fn a_lifetime_that_the_server_does_not_state_is_what_was_asked_for() {
        let mut script = Script::default();
        script.register(
            0,
            "anna",
            1,
            "Contact: <sip:anna@base>;expires=40\r\nExpires: 90\r\n",
        );
        script.granted(0, "anna", 1, "Contact: <sip:anna@base>\r\n");
        assert!(registered(&script, "anna", 39));
        assert!(!registered(&script, "anna", 40));
    }

    #[test]
    fn what_a_base_had_before_a_power_cut_or_a_restart_is_gone() {
        for change in [PowerChange::Off, PowerChange::Rebooting] {
            let mut script = anna();
            script.power(20, change);
            assert!(!registered(&script, "anna", 21), "{change:?}");
        }
    }

    #[test]
    fn five_hundred_accounts_are_told_apart() {
        let mut script = Script::default();
        for number in 0..500 {
            let user = format!("user{number}");
            let contact = format!("Contact: <sip:{user}@base>\r\n");
            script.register(number, &user, 1, &contact);
            let granted = format!(
                "Contact: <sip:{user}@base>;expires={}\r\n",
                number % 2 * 900
            );
            script.granted(number, &user, 1, &granted);
        }
        let registrations = folded(&script);
        let now = second(500);
        let lasting: Vec<u64> = (0..500)
            .filter(|number| {
                let user = format!("user{number}");
                registrations.lasts_until(&user, now).is_some()
            })
            .collect();
        let odd: Vec<u64> = (0..500).filter(|number| number % 2 == 1).collect();
        assert_eq!(lasting, odd);
    }
}
