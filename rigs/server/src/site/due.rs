//! What NOTIFYs are due after a SUBSCRIBE or a change, and what the fault plan makes of them.
//!
//! A [`Notice`] is what there is to notify. [`Sending`] is what the plan of faults wants done with it: nothing as a rule, so
//! that one [`DueNotify`] comes of it. Nothing is written here.

use crate::accounts::Update;
use crate::dialect::Extent;
use crate::fault::{Action, Ending, Purpose};
use crate::package::Package;
use crate::service::package_of;
use sip::service::{Service, Setting};
use std::time::Duration;

/// A NOTIFY that is due to a subscription.
#[derive(Clone, Debug)]
pub(super) struct DueNotify {
    pub(super) purpose: Purpose,
    pub(super) says: Says,
    pub(super) end: Option<Ending>,
}

/// What there is to notify.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// How much of the state a NOTIFY carries.
    pub(super) extent: Extent,
    /// The services it is about.
    pub(super) services: Vec<Service>,
    /// What held before.
    pub(super) before: Vec<(Service, Setting)>,
}

impl Notice {
    /// What a change of an account has for subscriptions to this package; nothing when it is about other services.
    pub(super) fn of_update(update: &Update, package: Package, usual: Extent) -> Option<Self> {
        let mut services = update.services.clone();
        services.retain(|service| package_of(*service) == Some(package));
        (!services.is_empty()).then(|| Self {
            extent: update.extent.unwrap_or(usual),
            services,
            before: update.before.clone(),
        })
    }
}

/// What the fault plan wants done with a NOTIFY that is due.
#[derive(Clone, Debug, Default)]
pub(super) struct Sending {
    withholds: bool,
    duplicates: bool,
    old_then_new: bool,
    /// How much later than usual.
    pub(super) delay: Duration,
    /// The end of the subscription.
    pub(super) end: Option<Ending>,
}

impl Sending {
    pub(super) fn new(actions: Vec<Action>) -> Self {
        let mut sending = Self::default();
        for action in actions {
            match action {
                Action::DelayNotify { milliseconds } => {
                    sending.delay += Duration::from_millis(milliseconds);
                }
                Action::DuplicateNotify => sending.duplicates = true,
                Action::EndSubscription {
                    reason,
                    retry_after,
                } => {
                    sending.end = Some(Ending {
                        reason,
                        retry_after,
                    });
                }
                Action::OldThenNewNotify => sending.old_then_new = true,
                Action::WithholdNotify => sending.withholds = true,
                _ => {}
            }
        }
        sending
    }

    /// Whether no NOTIFY is to be sent.
    pub(super) const fn withholds(&self) -> bool {
        self.withholds
    }

    /// The NOTIFYs that are due.
    pub(super) fn due(&self, purpose: Purpose, notice: &Notice) -> Vec<DueNotify> {
        if self.withholds {
            return Vec::new();
        }
        let one = |says| DueNotify {
            purpose,
            says,
            end: None,
        };
        if let Some(end) = self.end.clone() {
            return vec![DueNotify {
                end: Some(end),
                ..one(Says::Nothing)
            }];
        }
        let mut due = Vec::new();
        if self.old_then_new && !notice.services.is_empty() {
            let asked = |(service, _): &&(Service, Setting)| notice.services.contains(service);
            due.push(one(Says::Values(
                notice.before.iter().filter(asked).cloned().collect(),
            )));
        }
        let says = Says::new(notice.extent, &notice.services);
        if self.duplicates {
            due.push(one(says.clone()));
        }
        due.push(one(says));
        due
    }
}

/// What a NOTIFY that is due says.
#[derive(Clone, Debug)]
pub(super) enum Says {
    /// Every service of the package.
    Everything,
    /// No body.
    Nothing,
    /// These services as they are stored when it leaves.
    Services(Vec<Service>),
    /// These values.
    Values(Vec<(Service, Setting)>),
}

impl Says {
    pub(super) fn new(extent: Extent, services: &[Service]) -> Self {
        match extent {
            Extent::ChangedServices if !services.is_empty() => Self::Services(services.to_vec()),
            Extent::ChangedServices | Extent::FullState => Self::Everything,
        }
    }
}
