//! The changes that a handset's user asks for, one outstanding at a time.
//!
//! | state | input | next |
//! |---|---|---|
//! | empty | `ask` | queued |
//! | queued | `ask` for the same service | queued, the newer change in place of the older |
//! | queued | `take` while nothing is outstanding | outstanding |
//! | outstanding | a state of its service | over: the server has the last word |
//! | outstanding | accepted | outstanding, for Timer N |
//! | outstanding, accepted | a NOTIFY without its service | outstanding, for five seconds more |
//! | outstanding | refused, unanswered, time over | over, refused |
//! | any | `refuse_all` | empty, all refused |
//!
//! It sends nothing and knows no SIP: its owner takes a change, writes the body and tells what came of it.

use sip::feature_event::{Service, Setting};
use sip::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// How long a change is outstanding after a NOTIFY that says nothing about its service: our choice, because another one
/// may follow.
const SECOND_NOTIFY: Duration = Duration::from_secs(5);

/// What a user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) service: Service,
    pub(super) setting: Setting,
    /// Not sent before.
    pub(super) not_before: Instant,
    /// Whether it is the first of its kind, not one that a defect made out of another.
    pub(super) original: bool,
}

#[derive(Clone, Debug)]
struct Outstanding {
    change: Change,
    give_up_at: Option<Instant>,
}

/// The changes of one handset.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    queue: VecDeque<Change>,
    outstanding: Option<Outstanding>,
}

impl Changes {
    /// Takes a change in.
    pub(super) fn ask(&mut self, change: Change) {
        let queued = self
            .queue
            .iter_mut()
            .find(|queued| queued.service == change.service);
        match queued {
            Some(queued) => *queued = change,
            None => self.queue.push_back(change),
        }
    }

    /// The next change to be sent, which is outstanding from then on.
    pub(super) fn take(&mut self, now: Instant) -> Option<Change> {
        let due = self
            .queue
            .front()
            .is_some_and(|change| change.not_before <= now);
        if self.outstanding.is_some() || !due {
            return None;
        }
        let change = self.queue.pop_front()?;
        self.outstanding = Some(Outstanding {
            change: change.clone(),
            give_up_at: None,
        });
        Some(change)
    }

    /// The change that is outstanding.
    pub(super) fn outstanding(&self) -> Option<&Change> {
        self.outstanding.as_ref().map(|open| &open.change)
    }

    /// The server has told the state of a service. The change that this answers, if it was outstanding.
    pub(super) fn on_state(&mut self, service: Service) -> Option<Change> {
        let answered = |open: &mut Outstanding| open.change.service == service;
        self.outstanding.take_if(answered).map(|open| open.change)
    }

    /// The server took the change. A NOTIFY may take so long from now.
    pub(super) fn on_accepted(&mut self, now: Instant, longest: Duration) {
        if let Some(open) = &mut self.outstanding {
            open.give_up_at.get_or_insert(now + longest);
        }
    }

    /// A NOTIFY has come. A change that was accepted may soon be confirmed by it or by another one.
    pub(super) fn on_notify(&mut self, now: Instant) {
        let outstanding = self.outstanding.as_mut();
        if let Some(give_up_at) = outstanding.and_then(|open| open.give_up_at.as_mut()) {
            *give_up_at = (*give_up_at).min(now + SECOND_NOTIFY);
        }
    }

    /// The change was refused or not answered. The service whose change is over.
    pub(super) fn on_failure(&mut self) -> Option<Service> {
        self.outstanding.take().map(|open| open.change.service)
    }

    /// Nothing can be asked for any more. The services whose changes are over.
    pub(super) fn refuse_all(&mut self) -> Vec<Service> {
        let open = self.outstanding.take().map(|open| open.change);
        let queued = std::mem::take(&mut self.queue);
        open.into_iter()
            .chain(queued)
            .map(|change| change.service)
            .collect()
    }

    /// Time has passed. The service whose change is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Service> {
        let over = |open: &mut Outstanding| open.give_up_at.is_some_and(|at| at <= now);
        self.outstanding
            .take_if(over)
            .map(|open| open.change.service)
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.outstanding {
            Some(open) => open.give_up_at,
            None => self.queue.front().map(|change| change.not_before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(service: Service, active: bool) -> Change {
        Change {
            service,
            setting: Setting {
                active,
                number: None,
                rings: None,
                agent: None,
            },
            not_before: Instant::EPOCH,
            original: true,
        }
    }

    #[test]
    fn the_newer_change_of_a_service_replaces_the_older_and_keeps_its_place() {
        let mut changes = Changes::default();
        changes.ask(change(Service::DoNotDisturb, true));
        changes.ask(change(Service::CallForwardingBusy, true));
        changes.ask(change(Service::DoNotDisturb, false));
        let first = changes.take(Instant::EPOCH).unwrap();
        assert_eq!(first, change(Service::DoNotDisturb, false));
        assert!(changes.take(Instant::EPOCH).is_none(), "one at a time");
        assert!(changes.on_state(Service::CallForwardingBusy).is_none());
        assert!(changes.on_state(Service::DoNotDisturb).is_some());
        let second = changes.take(Instant::EPOCH).unwrap();
        assert_eq!(second.service, Service::CallForwardingBusy);
    }

    #[test]
    fn a_notify_without_the_service_leaves_five_seconds() {
        let mut changes = Changes::default();
        changes.ask(change(Service::DoNotDisturb, true));
        changes.take(Instant::EPOCH).unwrap();
        assert!(changes.deadline().is_none());
        changes.on_notify(Instant::EPOCH);
        assert!(changes.deadline().is_none(), "it was not accepted yet");
        changes.on_accepted(Instant::EPOCH, Duration::from_secs(32));
        changes.on_notify(Instant::EPOCH);
        let at = changes.deadline().unwrap();
        assert_eq!(at, Instant::EPOCH + SECOND_NOTIFY);
        assert!(changes.handle_timeout(Instant::EPOCH).is_none());
        assert_eq!(changes.handle_timeout(at), Some(Service::DoNotDisturb));
        assert!(changes.deadline().is_none());
    }

    #[test]
    fn the_end_of_the_subscription_refuses_everything() {
        let mut changes = Changes::default();
        changes.ask(change(Service::DoNotDisturb, true));
        changes.take(Instant::EPOCH).unwrap();
        changes.ask(change(Service::CallForwardingBusy, true));
        let refused = changes.refuse_all();
        assert_eq!(
            refused,
            [Service::DoNotDisturb, Service::CallForwardingBusy]
        );
        assert!(changes.deadline().is_none());
    }
}
