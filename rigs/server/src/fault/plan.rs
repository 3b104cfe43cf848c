//! The faults that are loaded, and which of them a message meets.

use super::{Action, Fault, Matcher, Purpose, Stage};
use crate::address::user_part;
use crate::package::Package;
use serde::Serialize;
use sip::message::{Message, Method};
use std::collections::BTreeMap;

/// What the matcher of a fault is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) method: &'a str,
    /// The method of what caused it.
    pub(crate) cause: Option<&'a str>,
    pub(crate) user: &'a str,
    pub(crate) body: bool,
    pub(crate) in_dialog: bool,
    pub(crate) purpose: Option<Purpose>,
    pub(crate) package: Option<Package>,
}

impl<'a> Subject<'a> {
    /// A request as it came in.
    pub(crate) fn of_request(request: &'a Message) -> Self {
        let method = request.method().map_or("", Method::as_str);
        Self {
            method,
            cause: None,
            user: request.from_uri().map_or("", user_part),
            body: !request.body().is_empty(),
            in_dialog: request.to_tag().is_some(),
            purpose: (method == "SUBSCRIBE").then(|| Purpose::of_subscribe(request)),
            package: Package::of(request),
        }
    }

    /// A NOTIFY of this package with this purpose.
    pub(crate) const fn of_notify(
        user: &'a str,
        package: Package,
        purpose: Purpose,
        body: bool,
    ) -> Self {
        Self {
            method: "NOTIFY",
            cause: match purpose {
                Purpose::Change | Purpose::Initial | Purpose::Refresh | Purpose::Unsubscribe => {
                    Some("SUBSCRIBE")
                }
                Purpose::ServerChange | Purpose::Termination => None,
            },
            user,
            body,
            in_dialog: true,
            purpose: Some(purpose),
            package: Some(package),
        }
    }
}

impl Matcher {
    fn matches(&self, subject: &Subject<'_>) -> bool {
        fn fits<T: PartialEq>(wanted: Option<T>, is: T) -> bool {
            wanted.is_none_or(|wanted| wanted == is)
        }
        let named = |method: &str| method == subject.method || Some(method) == subject.cause;
        self.method.as_deref().is_none_or(named)
            && fits(self.user.as_deref(), subject.user)
            && fits(self.body, subject.body)
            && fits(self.in_dialog, subject.in_dialog)
            && (self.purpose.is_none() || self.purpose == subject.purpose)
            && (self.package.is_none() || self.package == subject.package)
    }
}

/// Names a fault of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A fault of the plan and how many times it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadedFault {
    /// Its name.
    pub id: FaultId,
    /// The fault.
    pub fault: Fault,
    /// How many times it was used.
    pub used: u32,
}

impl LoadedFault {
    fn is_left(&self) -> bool {
        self.fault.times.is_none_or(|times| self.used < times)
    }
}

/// The faults that are loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct FaultPlan {
    faults: BTreeMap<FaultId, LoadedFault>,
    last: u64,
}

impl FaultPlan {
    pub(crate) fn load(&mut self, fault: Fault) -> FaultId {
        self.last += 1;
        let id = FaultId(self.last);
        let used = 0;
        self.faults.insert(id, LoadedFault { id, fault, used });
        id
    }

    pub(crate) fn clear(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn remove(&mut self, id: FaultId) -> bool {
        self.faults.remove(&id).is_some()
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = &LoadedFault> {
        self.faults.values()
    }

    /// Whether there is a `drop` that is not used up.
    pub(crate) fn may_drop(&self) -> bool {
        let mut loaded = self.faults.values();
        loaded.any(|loaded| loaded.fault.action == Action::Drop && loaded.is_left())
    }

    /// Uses up a `drop` that matches, if there is one.
    pub(crate) fn drops(&mut self, subject: &Subject<'_>) -> bool {
        let hit = self.faults.values_mut().find(|loaded| {
            loaded.fault.action == Action::Drop
                && loaded.is_left()
                && loaded.fault.on.matches(subject)
        });
        hit.map(|loaded| loaded.used += 1).is_some()
    }

    /// Uses up every fault of this stage that matches, `drop` apart, and returns the actions in the order of loading.
    pub(crate) fn take(&mut self, stage: Stage, subject: &Subject<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for loaded in self.faults.values_mut() {
            let action = &loaded.fault.action;
            let applies = action.stage() == stage
                && *action != Action::Drop
                && loaded.is_left()
                && loaded.fault.on.matches(subject);
            if applies {
                loaded.used += 1;
                actions.push(action.clone());
                if action.settles() {
                    break;
                }
            }
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: Subject<'static> = Subject {
        method: "SUBSCRIBE",
        cause: None,
        user: "anna",
        body: true,
        in_dialog: true,
        purpose: Some(Purpose::Change),
        package: Some(Package::FeatureEvent),
    };

    #[test]
    fn a_fault_works_as_often_as_it_says() {
        let mut plan = FaultPlan::default();
        plan.load(Fault::new(Action::WithholdNotify).times(2));
        let uses: Vec<_> = (0..3)
            .map(|_| plan.take(Stage::Sending, &CHANGE).len())
            .collect();
        assert_eq!(uses, [1, 1, 0]);
    }

    #[test]
    fn a_matcher_compares_every_part_that_is_there() {
        let mut plan = FaultPlan::default();
        plan.load(Fault::new(Action::Drop).on_user("berta"));
        plan.load(Fault::new(Action::Drop).on_purpose(Purpose::Refresh));
        plan.load(Fault::new(Action::Drop).on_method(&Method::Register));
        assert!(!plan.drops(&CHANGE));
        plan.load(
            Fault::new(Action::Drop)
                .on_purpose(Purpose::Change)
                .times(1),
        );
        assert!(plan.drops(&CHANGE));
        assert!(!plan.drops(&CHANGE));
    }

    #[test]
    fn a_notify_is_named_by_its_own_method_and_by_that_of_its_cause() {
        for (method, purpose, count) in [
            (Method::Notify, Purpose::Change, 1),
            (Method::Subscribe, Purpose::Change, 1),
            (Method::Notify, Purpose::ServerChange, 1),
            (Method::Subscribe, Purpose::ServerChange, 0),
        ] {
            let mut plan = FaultPlan::default();
            plan.load(Fault::new(Action::WithholdNotify).on_method(&method));
            let subject = Subject::of_notify("anna", Package::FeatureEvent, purpose, true);
            assert_eq!(
                plan.take(Stage::Sending, &subject).len(),
                count,
                "{method} {purpose:?}"
            );
        }
    }

    #[test]
    fn an_answer_ends_the_search_and_spares_the_faults_behind_it() {
        let mut plan = FaultPlan::default();
        plan.load(Fault::new(Action::BareUnauthorized).times(1));
        plan.load(Fault::new(Action::StaleChallenge).times(1));
        assert_eq!(
            plan.take(Stage::Arrival, &CHANGE),
            [Action::BareUnauthorized]
        );
        assert_eq!(plan.take(Stage::Arrival, &CHANGE), [Action::StaleChallenge]);
    }
}
