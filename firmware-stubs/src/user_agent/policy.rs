//! What a subscriber of an account decides: the values of the model, and what the defects make of them.

use super::package::Package;
use super::request::Shared;
use crate::accounts::AccountSettings;
use crate::defect::Defect;
use sip::subscription::{
    ChangeDialog, EarlyNotify, EventMatch, Lifetime, NotifyOrder, RefreshRule, SubscriberPolicy,
    Unsubscribe,
};
use std::time::Duration;

/// How long a base waits before it asks a server again that does not know the package: our choice, beyond the half
/// hour of the catalogue.
const REFUSED: Duration = Duration::from_secs(3600);
/// The same under `resubscribes-every-minute`: our choice.
const REFUSED_BRIEFLY: Duration = Duration::from_secs(60);

/// The policy of an account for this package; the defects that are values are read here.
pub(super) fn of(
    shared: &Shared,
    settings: &AccountSettings,
    package: &Package,
) -> SubscriberPolicy {
    let has = |defect| shared.has(defect);
    let mut policy = SubscriberPolicy::new(&package.name);
    let expires = settings.provider.subscription_timer.as_secs();
    let expires = u32::try_from(expires).unwrap_or(u32::MAX);
    policy.expires = package.expires.unwrap_or(expires);
    policy.accept.clone_from(&package.accept);
    policy.timer_n = Some(shared.endpoint.timers().give_up());
    policy.retry_floor = shared.model.timers.subscription_retry;
    policy.retry_refused = Some(REFUSED);
    if has(Defect::AnswersNotifyBefore2xx481) {
        policy.early_notify = EarlyNotify::Refuse(481);
    }
    if has(Defect::AppliesLowerCseq) {
        policy.notify_order = NotifyOrder::AcceptLower;
    }
    if has(Defect::ComparesEventWithoutCase) {
        policy.event_match = EventMatch::IgnoreCase;
    }
    if has(Defect::ForgetsToUnsubscribe) {
        policy.unsubscribe = Unsubscribe::Silent;
    }
    if has(Defect::RefreshesByRequest) {
        policy.lifetime = Lifetime::Requested;
    }
    if has(Defect::ResubscribesEveryMinute) {
        policy.retry_refused = Some(REFUSED_BRIEFLY);
    }
    if has(Defect::SendsChangeOnNewDialog) {
        policy.change_dialog = ChangeDialog::New;
    }
    if has(Defect::NeverRefreshes) {
        policy.refresh = RefreshRule::Never;
    } else if has(Defect::RefreshesTooEarly) {
        policy.refresh = RefreshRule::AtPercent(20);
    } else if has(Defect::RefreshesAtLastSecond) {
        policy.refresh = RefreshRule::Ahead {
            percent: 100,
            margin: Duration::from_millis(500),
        };
    }
    policy
}
