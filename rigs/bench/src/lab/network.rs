//! The network between units and server sites, as far as it misbehaves on request.
//!
//! Pure: the faults are asked once for every SIP message that leaves any node and say what becomes of it. When a message
//! arrives is the business of [`transit`], the one model of the network that both laboratories use.

pub mod transit;

use evidence::record::{Direction, Sip};
use sip::message::Method;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Which messages a fault is about. Everything `None` means every message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// Only messages in this direction.
    pub direction: Option<Direction>,
    /// Only requests with this method, and with [`answers`](Self::answers) the responses to it.
    pub method: Option<Method>,
    /// `Some(true)`: only responses; `Some(false)`: only requests.
    pub answers: Option<bool>,
    /// Only responses with this status.
    pub status: Option<u16>,
    /// Only messages from or to this host: one of several units or sites.
    pub host: Option<IpAddr>,
}

/// What happens to a message that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It arrives later than others by this much.
    Delay(Duration),
    /// It is lost.
    Drop,
    /// It arrives twice, the copy this much later.
    Duplicate(Duration),
    /// It is lost with this probability, in percent.
    Lose(u8),
    /// It is overtaken by the next message in the same direction; a piece of a stream never is.
    Reorder,
    /// The TCP connection it travels on is reset; a datagram is lost.
    Reset,
}

/// A way in which the network misbehaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which messages.
    pub matcher: Matcher,
    /// What happens to them.
    pub effect: Effect,
    /// How many matching messages pass unharmed first.
    pub skip: u32,
    /// How many are hit; `None` means all until the network calms.
    pub count: Option<u32>,
}

impl Fault {
    /// Hits every message.
    #[must_use]
    pub fn new(effect: Effect) -> Self {
        Self {
            matcher: Matcher::default(),
            effect,
            skip: 0,
            count: None,
        }
    }

    /// Nothing gets through in either direction: a pulled cable.
    #[must_use]
    pub fn partition() -> Self {
        Self::new(Effect::Drop)
    }

    /// Only messages from the base.
    #[must_use]
    pub fn from_base(mut self) -> Self {
        self.matcher.direction = Some(Direction::FromBase);
        self
    }

    /// Only messages to the base.
    #[must_use]
    pub fn to_base(mut self) -> Self {
        self.matcher.direction = Some(Direction::ToBase);
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn requests(mut self, method: Method) -> Self {
        self.matcher.method = Some(method);
        self.matcher.answers = Some(false);
        self
    }

    /// Only responses to requests with this method.
    #[must_use]
    pub fn responses_to(mut self, method: Method) -> Self {
        self.matcher.method = Some(method);
        self.matcher.answers = Some(true);
        self
    }

    /// Only messages from or to this host.
    #[must_use]
    pub fn at_host(mut self, host: IpAddr) -> Self {
        self.matcher.host = Some(host);
        self
    }

    /// Only the next `count` matching messages.
    #[must_use]
    pub fn next(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// Lets the first `skip` matching messages pass.
    #[must_use]
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.effect {
            Effect::Delay(length) => write!(f, "the network delays by {} ms", length.as_millis())?,
            Effect::Drop => f.write_str("the network loses")?,
            Effect::Duplicate(_) => f.write_str("the network duplicates")?,
            Effect::Lose(percent) => write!(f, "the network loses {percent} percent of")?,
            Effect::Reorder => f.write_str("the network reorders")?,
            Effect::Reset => f.write_str("the network resets the TCP connection of")?,
        }
        match self.count {
            None => f.write_str(" all")?,
            Some(count) => write!(f, " the next {count}")?,
        }
        let method = self.matcher.method.as_ref().map_or("", Method::as_str);
        let kind = match self.matcher.answers {
            None => "messages",
            Some(true) => "responses",
            Some(false) => "requests",
        };
        match (method, self.matcher.status) {
            ("", None) => write!(f, " {kind}")?,
            (method, None) => write!(f, " {method} {kind}")?,
            (method, Some(status)) => write!(f, " {method} {status} {kind}")?,
        }
        match self.matcher.direction {
            None => {}
            Some(Direction::FromBase) => f.write_str(" from the base")?,
            Some(Direction::ToBase) => f.write_str(" to the base")?,
        }
        if let Some(host) = self.matcher.host {
            write!(f, " at {host}")?;
        }
        if self.skip > 0 {
            write!(f, " after {}", self.skip)?;
        }
        Ok(())
    }
}

/// What the faults do to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// It arrives after the usual time plus this.
    Arrives(Duration),
    /// It arrives twice: after the usual time, and after that plus this.
    ArrivesTwice(Duration),
    /// It is held back until the next message in the same direction has been sent.
    Held,
    /// It is lost.
    Lost,
    /// It is lost and its stream breaks.
    StreamBroken,
}

/// The faults that are loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    loaded: Vec<Fault>,
}

impl Faults {
    /// Loads a fault; one that is for no message at all does nothing.
    pub fn load(&mut self, fault: Fault) {
        if fault.count != Some(0) {
            self.loaded.push(fault);
        }
    }

    /// Forgets all faults.
    pub fn clear(&mut self) {
        self.loaded.clear();
    }

    /// Whether a fault is loaded.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.loaded.is_empty()
    }

    /// What becomes of a message that leaves. The first loaded fault that matches decides; `chance` is a number from 0 to
    /// 99 that belongs to this message alone.
    pub fn pass(&mut self, sip: &Sip, chance: impl FnOnce() -> u8) -> Passage {
        let untouched = Passage::Arrives(Duration::ZERO);
        if self.loaded.is_empty() {
            return untouched;
        }
        let heading = Heading::read(&sip.bytes);
        for index in 0..self.loaded.len() {
            let Some(fault) = self.loaded.get_mut(index) else {
                break;
            };
            if !fault.matcher.matches(sip, &heading) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            let effect = fault.effect;
            if let Some(count) = &mut fault.count {
                *count -= 1;
                if *count == 0 {
                    self.loaded.remove(index);
                }
            }
            return match effect {
                Effect::Delay(length) => Passage::Arrives(length),
                Effect::Drop => Passage::Lost,
                Effect::Duplicate(later) => Passage::ArrivesTwice(later),
                Effect::Lose(percent) if chance() < percent => Passage::Lost,
                Effect::Lose(_) => untouched,
                Effect::Reorder => Passage::Held,
                Effect::Reset => Passage::StreamBroken,
            };
        }
        untouched
    }
}

impl Matcher {
    fn matches(&self, sip: &Sip, heading: &Heading<'_>) -> bool {
        self.direction.is_none_or(|wanted| wanted == sip.direction)
            && self
                .host
                .is_none_or(|host| sip.source.ip() == host || sip.destination.ip() == host)
            && self
                .method
                .as_ref()
                .is_none_or(|wanted| Some(wanted.as_str()) == heading.method)
            && self
                .answers
                .is_none_or(|wanted| wanted == heading.status.is_some())
            && self
                .status
                .is_none_or(|wanted| Some(wanted) == heading.status)
    }
}

/// What a fault looks at, read without parsing the whole message.
struct Heading<'a> {
    method: Option<&'a str>,
    status: Option<u16>,
}

impl<'a> Heading<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let head = match bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => bytes.get(..end).unwrap_or_default(),
            None => bytes,
        };
        let mut lines = head
            .split(|byte| *byte == b'\n')
            .filter_map(|line| std::str::from_utf8(line).ok())
            .map(|line| line.trim_end_matches('\r'));
        let start = lines.next().unwrap_or_default();
        let Some(rest) = start.strip_prefix("SIP/2.0 ") else {
            return Self {
                method: start.split(' ').next(),
                status: None,
            };
        };
        let status = rest
            .split(' ')
            .next()
            .and_then(|code| code.parse().ok())
            .unwrap_or_default();
        let method = lines
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("CSeq"))
            .and_then(|(_, value)| value.split_ascii_whitespace().nth(1));
        Self {
            method,
            status: Some(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::record::{Fate, Parsed};

    const NOTIFY: &str = "NOTIFY sip:a@b SIP/2.0\r\nCSeq: 1 NOTIFY\r\n\r\n";
    const ANSWER: &str = "SIP/2.0 200 OK\r\ncseq: 1 NOTIFY\r\n\r\n";
    const PASSES: Passage = Passage::Arrives(Duration::ZERO);

    fn pass(faults: &mut Faults, direction: Direction, text: &str) -> Passage {
        let sip = Sip {
            direction,
            fate: Fate::Sent,
            transport: "UDP".to_owned(),
            source: "127.0.0.1:5060".parse().unwrap(),
            destination: "127.0.0.2:5060".parse().unwrap(),
            bytes: text.to_owned().into(),
            parsed: Parsed::default(),
        };
        faults.pass(&sip, || 50)
    }

    fn loaded(fault: Fault) -> Faults {
        let mut faults = Faults::default();
        faults.load(fault);
        faults
    }

    #[test]
    fn a_counted_fault_uses_itself_up() {
        let mut faults = loaded(Fault::new(Effect::Drop).requests(Method::Notify).next(2));
        let fates: Vec<_> = (0..3)
            .map(|_| pass(&mut faults, Direction::ToBase, NOTIFY))
            .collect();
        assert_eq!(fates, [Passage::Lost, Passage::Lost, PASSES]);
        assert!(!faults.any());
    }

    #[test]
    fn a_fault_for_no_message_does_nothing() {
        let mut faults = loaded(Fault::new(Effect::Drop).next(0));
        assert!(!faults.any());
        assert_eq!(pass(&mut faults, Direction::ToBase, NOTIFY), PASSES);
    }

    #[test]
    fn a_response_is_matched_by_the_method_it_answers() {
        let mut faults = loaded(Fault::new(Effect::Drop).responses_to(Method::Notify));
        assert_eq!(pass(&mut faults, Direction::ToBase, NOTIFY), PASSES);
        assert_eq!(
            pass(&mut faults, Direction::FromBase, ANSWER),
            Passage::Lost
        );
    }

    #[test]
    fn the_direction_and_the_skip_count() {
        let mut faults = loaded(Fault::partition().from_base().after(1));
        assert_eq!(pass(&mut faults, Direction::ToBase, NOTIFY), PASSES);
        assert_eq!(pass(&mut faults, Direction::FromBase, ANSWER), PASSES);
        assert_eq!(
            pass(&mut faults, Direction::FromBase, ANSWER),
            Passage::Lost
        );
    }

    #[test]
    fn one_host_of_several_can_be_cut_off() {
        let at = |host: &str| loaded(Fault::partition().at_host(host.parse().unwrap()));
        let lost = pass(&mut at("127.0.0.2"), Direction::ToBase, NOTIFY);
        assert_eq!(lost, Passage::Lost);
        let passes = pass(&mut at("127.0.0.3"), Direction::ToBase, NOTIFY);
        assert_eq!(passes, PASSES);
    }

    #[test]
    fn loss_by_chance_follows_the_number_of_the_message() {
        let mut rare = loaded(Fault::new(Effect::Lose(50)));
        assert_eq!(pass(&mut rare, Direction::ToBase, NOTIFY), PASSES);
        let mut often = loaded(Fault::new(Effect::Lose(51)));
        assert_eq!(pass(&mut often, Direction::ToBase, NOTIFY), Passage::Lost);
    }

    #[test]
    fn garbage_passes_through_the_matcher() {
        let mut faults = loaded(Fault::new(Effect::Drop).requests(Method::Notify));
        assert_eq!(pass(&mut faults, Direction::ToBase, "\u{ff}"), PASSES);
        assert_eq!(pass(&mut faults, Direction::ToBase, ""), PASSES);
    }

    #[test]
    fn a_fault_reads_as_a_sentence() {
        let fault = Fault::new(Effect::Drop)
            .requests(Method::Notify)
            .to_base()
            .next(2);
        assert_eq!(
            fault.to_string(),
            "the network loses the next 2 NOTIFY requests to the base"
        );
    }
}
