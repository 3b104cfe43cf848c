//! The wrong behaviours that an emulated base can be built with, one name each.
//!
//! A defect is read at one named point of the code, so that a mutant is the good base with exactly one decision turned
//! round. Wrong texts are template overrides and wrong timing on the wire is an interceptor; a defect is what neither
//! can say. The good base has none.
//!
//! Who drives it: a mutant file names one, [`Defects::has`] is asked at the point.

use crate::interceptor::InterceptorRule;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;

/// One wrong behaviour. Each variant says where it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defect {
    /// A NOTIFY of no known dialog is answered 200 and applied.
    ///
    /// Read at: notification: no subscriber claims the NOTIFY.
    AcceptsUnknownDialogs,
    /// The NOTIFY that closes a subscription is answered 481.
    ///
    /// Read at: notification: the answer to a `terminated` NOTIFY.
    #[serde(rename = "answers-closing-notify-481")]
    AnswersClosingNotify481,
    /// Every challenge is answered again, however often the server refuses.
    ///
    /// Read at: challenge: a second challenge without stale.
    AnswersEveryChallenge,
    /// A NOTIFY before the 2xx of its SUBSCRIBE is answered 481.
    ///
    /// Read at: subscription: the subscriber's policy.
    #[serde(rename = "answers-notify-before-2xx-481")]
    AnswersNotifyBefore2xx481,
    /// Only the first state of a subscription is applied.
    ///
    /// Read at: notification: a state of an account that has one already.
    AppliesFirstNotifyOnly,
    /// Of several parts only the first is applied.
    ///
    /// Read at: notification: the parts of a body.
    AppliesFirstPartOnly,
    /// A NOTIFY with a lower CSeq is answered 200 and applied.
    ///
    /// Read at: subscription: the subscriber's policy.
    AppliesLowerCseq,
    /// A state is shown some seconds after its NOTIFY.
    ///
    /// Read at: notification: handing a state to the owner.
    AppliesStateLate,
    /// The wish is shown as confirmed at the 2xx, and the NOTIFY that follows is not applied.
    ///
    /// Read at: change: the 2xx of a change.
    #[serde(rename = "believes-the-2xx")]
    BelievesThe2xx,
    /// A ring count out of range is taken as the nearest one in range.
    ///
    /// Read at: notification: applying forwarding on no answer.
    ClampsRings,
    /// A forwarding switches the two others off.
    ///
    /// Read at: notification: applying a forwarding.
    ClearsOtherForwardings,
    /// `As-Feature-Event` is taken for the package.
    ///
    /// Read at: notification: comparing the package.
    ComparesEventWithoutCase,
    /// A new nonce goes on with the old nonce count.
    ///
    /// Read at: challenge: authorizing a request.
    ContinuesNonceCount,
    /// A NOTIFY before the 2xx of its SUBSCRIBE is not answered at all.
    ///
    /// Read at: notification: the SUBSCRIBE is unanswered.
    #[serde(rename = "drops-notify-before-2xx")]
    DropsNotifyBefore2xx,
    /// The flag of a forwarding is applied, its number is not.
    ///
    /// Read at: notification: applying a forwarding.
    DropsNumber,
    /// Every service that a NOTIFY changes is sent back as a change.
    ///
    /// Read at: notification: after applying a state.
    EchoesNotify,
    /// Events whose device is not the account's user are ignored.
    ///
    /// Read at: notification: the events of a body.
    FiltersByDevice,
    /// A subscription that is not wanted any more is left to expire.
    ///
    /// Read at: subscription: giving it up.
    ForgetsToUnsubscribe,
    /// A new nonce is not taken when an old one was refused.
    ///
    /// Read at: challenge: a challenge with stale.
    IgnoresStale,
    /// The full state after a refresh is answered 200 and not applied.
    ///
    /// Read at: notification: the first state after a refresh.
    IgnoresStateAfterRefresh,
    /// On is sent as off, off as on.
    ///
    /// Read at: change: rendering the body.
    InvertsDoNotDisturb,
    /// The repeat with credentials has the CSeq of the refused request.
    ///
    /// Read at: challenge: repeating the request.
    KeepsCseqAfterChallenge,
    /// An indicator stays after its service was switched off.
    ///
    /// Read at: menu: the indicators of the idle screen.
    KeepsIndicators,
    /// The subscription goes on after feature key synchronisation was switched off.
    ///
    /// Read at: configuration: the switch is turned off.
    KeepsSubscriptionWithSwitchOff,
    /// A state is applied to every handset of the base.
    ///
    /// Read at: notification: handing a state to the owner.
    LeaksStateToOtherHandsets,
    /// A 401 without WWW-Authenticate is answered by the same request a second later, for ever.
    ///
    /// Read at: challenge: a 401 without a challenge.
    #[serde(rename = "loops-on-empty-401")]
    LoopsOnEmpty401,
    /// A challenged SUBSCRIBE is given up.
    ///
    /// Read at: challenge: a challenge to SUBSCRIBE.
    NeverAnswersChallenges,
    /// A subscription is left to expire and then made anew.
    ///
    /// Read at: subscription: the subscriber's policy.
    NeverRefreshes,
    /// Nothing is sent twice over UDP.
    ///
    /// Read at: user agent: the timers of the endpoint.
    NeverRetransmits,
    /// No subscription is made.
    ///
    /// Read at: subscription: after the first registration.
    NeverSubscribes,
    /// A subscription once given up is never made again.
    ///
    /// Read at: subscription: the switch is turned on again.
    NeverSubscribesAgain,
    /// Every refresh of a registration has a Call-ID of its own.
    ///
    /// Read at: registration: a refresh.
    NewCallIdForEveryRegister,
    /// An open editor does not follow the server.
    ///
    /// Read at: menu: a state while an editor is open.
    OpenMenuIgnoresServer,
    /// A subscription is refreshed less than two seconds before it ends.
    ///
    /// Read at: subscription: the subscriber's policy.
    RefreshesAtLastSecond,
    /// The requested expiry drives the refresh, not the granted one.
    ///
    /// Read at: subscription: the subscriber's policy.
    RefreshesByRequest,
    /// A refresh is a new subscription on a new dialog.
    ///
    /// Read at: subscription: a refresh.
    RefreshesOnNewDialog,
    /// A registration is refreshed after it has expired.
    ///
    /// Read at: registration: the refresh timer.
    RefreshesRegistrationTooLate,
    /// A subscription is refreshed after a fifth of its life.
    ///
    /// Read at: subscription: the subscriber's policy.
    RefreshesTooEarly,
    /// A NOTIFY whose CSeq leaps ahead is answered 500.
    ///
    /// Read at: notification: comparing the CSeq.
    RefusesCseqGaps,
    /// An Event with any parameter is answered 489.
    ///
    /// Read at: notification: comparing the package.
    RefusesEventParameters,
    /// A refresh carries the body of the last change again.
    ///
    /// Read at: subscription: a refresh.
    RepeatsChangeInRefresh,
    /// A change that the server contradicts is sent again.
    ///
    /// Read at: notification: after applying a state.
    RepeatsContradictedChange,
    /// A state without a ring count resets it to a default of the device.
    ///
    /// Read at: notification: applying forwarding on no answer.
    ResetsRingsWhenAbsent,
    /// 489 and 403 are answered by a new attempt every minute.
    ///
    /// Read at: subscription: the subscriber's policy.
    ResubscribesEveryMinute,
    /// Requests are sent again every second instead of at doubling gaps.
    ///
    /// Read at: user agent: the timers of the endpoint.
    RetransmitsEverySecond,
    /// A change leaves five seconds after the user asked.
    ///
    /// Read at: change: taking one from the queue.
    SendsChangeLate,
    /// A change is a new subscription on a new dialog.
    ///
    /// Read at: subscription: a change.
    SendsChangeOnNewDialog,
    /// Every change is sent twice.
    ///
    /// Read at: change: the 2xx of a change.
    SendsChangeTwice,
    /// The handset's own ringer setting is sent to the server as Do Not Disturb.
    ///
    /// Read at: menu: the tick of the local ringer setting.
    SendsRingerToServer,
    /// The idle screen never shows a service.
    ///
    /// Read at: menu: the indicators of the idle screen.
    ShowsNoIndicators,
    /// The handset's own ringer setting is shown as the service.
    ///
    /// Read at: menu: the indicators of the idle screen.
    ShowsRingerAsService,
    /// The CSeq of REGISTER rises by two at a refresh.
    ///
    /// Read at: registration: a refresh.
    SkipsCseqOfRegister,
    /// After 489 or 403 the account gives up its registration.
    ///
    /// Read at: subscription: a refusal for good.
    StopsRegisteringAfterRefusal,
    /// 202 is answered by another new subscription.
    ///
    /// Read at: subscription: a 202.
    #[serde(rename = "subscribes-after-202-again")]
    SubscribesAfter202Again,
    /// The subscription leaves together with the first REGISTER.
    ///
    /// Read at: registration: the first REGISTER.
    SubscribesBeforeRegistered,
    /// Every handset subscribes as the first one.
    ///
    /// Read at: subscription: rendering the request.
    SubscribesForTheFirstAccount,
    /// The subscription leaves a quarter of a minute after the registration.
    ///
    /// Read at: subscription: after the first registration.
    SubscribesLate,
    /// Forwarding on busy and on no answer are mixed up.
    ///
    /// Read at: notification: applying a forwarding.
    SwapsBusyAndNoAnswer,
    /// The switch for feature key synchronisation has no effect: it is always on.
    ///
    /// Read at: accounts: the switch of a provisioning document.
    SwitchIsIgnored,
    /// A switch that changes while the base runs takes effect after a reboot only.
    ///
    /// Read at: accounts: the switch of a provisioning document.
    SwitchNeedsReboot,
    /// A copy of a request that was answered already is taken for a new request.
    ///
    /// Read at: user agent: the timers of the endpoint.
    TreatsCopiesAsNew,
}

impl Defect {
    /// Every defect, in the order of the names.
    pub const ALL: &[Self] = &[
        Self::AcceptsUnknownDialogs,
        Self::AnswersClosingNotify481,
        Self::AnswersEveryChallenge,
        Self::AnswersNotifyBefore2xx481,
        Self::AppliesFirstNotifyOnly,
        Self::AppliesFirstPartOnly,
        Self::AppliesLowerCseq,
        Self::AppliesStateLate,
        Self::BelievesThe2xx,
        Self::ClampsRings,
        Self::ClearsOtherForwardings,
        Self::ComparesEventWithoutCase,
        Self::ContinuesNonceCount,
        Self::DropsNotifyBefore2xx,
        Self::DropsNumber,
        Self::EchoesNotify,
        Self::FiltersByDevice,
        Self::ForgetsToUnsubscribe,
        Self::IgnoresStale,
        Self::IgnoresStateAfterRefresh,
        Self::InvertsDoNotDisturb,
        Self::KeepsCseqAfterChallenge,
        Self::KeepsIndicators,
        Self::KeepsSubscriptionWithSwitchOff,
        Self::LeaksStateToOtherHandsets,
        Self::LoopsOnEmpty401,
        Self::NeverAnswersChallenges,
        Self::NeverRefreshes,
        Self::NeverRetransmits,
        Self::NeverSubscribes,
        Self::NeverSubscribesAgain,
        Self::NewCallIdForEveryRegister,
        Self::OpenMenuIgnoresServer,
        Self::RefreshesAtLastSecond,
        Self::RefreshesByRequest,
        Self::RefreshesOnNewDialog,
        Self::RefreshesRegistrationTooLate,
        Self::RefreshesTooEarly,
        Self::RefusesCseqGaps,
        Self::RefusesEventParameters,
        Self::RepeatsChangeInRefresh,
        Self::RepeatsContradictedChange,
        Self::ResetsRingsWhenAbsent,
        Self::ResubscribesEveryMinute,
        Self::RetransmitsEverySecond,
        Self::SendsChangeLate,
        Self::SendsChangeOnNewDialog,
        Self::SendsChangeTwice,
        Self::SendsRingerToServer,
        Self::ShowsNoIndicators,
        Self::ShowsRingerAsService,
        Self::SkipsCseqOfRegister,
        Self::StopsRegisteringAfterRefusal,
        Self::SubscribesAfter202Again,
        Self::SubscribesBeforeRegistered,
        Self::SubscribesForTheFirstAccount,
        Self::SubscribesLate,
        Self::SwapsBusyAndNoAnswer,
        Self::SwitchIsIgnored,
        Self::SwitchNeedsReboot,
        Self::TreatsCopiesAsNew,
    ];

    /// The name in a mutant file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AcceptsUnknownDialogs => "accepts-unknown-dialogs",
            Self::AnswersClosingNotify481 => "answers-closing-notify-481",
            Self::AnswersEveryChallenge => "answers-every-challenge",
            Self::AnswersNotifyBefore2xx481 => "answers-notify-before-2xx-481",
            Self::AppliesFirstNotifyOnly => "applies-first-notify-only",
            Self::AppliesFirstPartOnly => "applies-first-part-only",
            Self::AppliesLowerCseq => "applies-lower-cseq",
            Self::AppliesStateLate => "applies-state-late",
            Self::BelievesThe2xx => "believes-the-2xx",
            Self::ClampsRings => "clamps-rings",
            Self::ClearsOtherForwardings => "clears-other-forwardings",
            Self::ComparesEventWithoutCase => "compares-event-without-case",
            Self::ContinuesNonceCount => "continues-nonce-count",
            Self::DropsNotifyBefore2xx => "drops-notify-before-2xx",
            Self::DropsNumber => "drops-number",
            Self::EchoesNotify => "echoes-notify",
            Self::FiltersByDevice => "filters-by-device",
            Self::ForgetsToUnsubscribe => "forgets-to-unsubscribe",
            Self::IgnoresStale => "ignores-stale",
            Self::IgnoresStateAfterRefresh => "ignores-state-after-refresh",
            Self::InvertsDoNotDisturb => "inverts-do-not-disturb",
            Self::KeepsCseqAfterChallenge => "keeps-cseq-after-challenge",
            Self::KeepsIndicators => "keeps-indicators",
            Self::KeepsSubscriptionWithSwitchOff => "keeps-subscription-with-switch-off",
            Self::LeaksStateToOtherHandsets => "leaks-state-to-other-handsets",
            Self::LoopsOnEmpty401 => "loops-on-empty-401",
            Self::NeverAnswersChallenges => "never-answers-challenges",
            Self::NeverRefreshes => "never-refreshes",
            Self::NeverRetransmits => "never-retransmits",
            Self::NeverSubscribes => "never-subscribes",
            Self::NeverSubscribesAgain => "never-subscribes-again",
            Self::NewCallIdForEveryRegister => "new-call-id-for-every-register",
            Self::OpenMenuIgnoresServer => "open-menu-ignores-server",
            Self::RefreshesAtLastSecond => "refreshes-at-last-second",
            Self::RefreshesByRequest => "refreshes-by-request",
            Self::RefreshesOnNewDialog => "refreshes-on-new-dialog",
            Self::RefreshesRegistrationTooLate => "refreshes-registration-too-late",
            Self::RefreshesTooEarly => "refreshes-too-early",
            Self::RefusesCseqGaps => "refuses-cseq-gaps",
            Self::RefusesEventParameters => "refuses-event-parameters",
            Self::RepeatsChangeInRefresh => "repeats-change-in-refresh",
            Self::RepeatsContradictedChange => "repeats-contradicted-change",
            Self::ResetsRingsWhenAbsent => "resets-rings-when-absent",
            Self::ResubscribesEveryMinute => "resubscribes-every-minute",
            Self::RetransmitsEverySecond => "retransmits-every-second",
            Self::SendsChangeLate => "sends-change-late",
            Self::SendsChangeOnNewDialog => "sends-change-on-new-dialog",
            Self::SendsChangeTwice => "sends-change-twice",
            Self::SendsRingerToServer => "sends-ringer-to-server",
            Self::ShowsNoIndicators => "shows-no-indicators",
            Self::ShowsRingerAsService => "shows-ringer-as-service",
            Self::SkipsCseqOfRegister => "skips-cseq-of-register",
            Self::StopsRegisteringAfterRefusal => "stops-registering-after-refusal",
            Self::SubscribesAfter202Again => "subscribes-after-202-again",
            Self::SubscribesBeforeRegistered => "subscribes-before-registered",
            Self::SubscribesForTheFirstAccount => "subscribes-for-the-first-account",
            Self::SubscribesLate => "subscribes-late",
            Self::SwapsBusyAndNoAnswer => "swaps-busy-and-no-answer",
            Self::SwitchIsIgnored => "switch-is-ignored",
            Self::SwitchNeedsReboot => "switch-needs-reboot",
            Self::TreatsCopiesAsNew => "treats-copies-as-new",
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with one base besides its texts: nothing, or the one thing of its mutant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defects {
    named: BTreeSet<Defect>,
    interceptor: Option<InterceptorRule>,
}

impl Defects {
    /// Whether the base behaves wrongly in this way.
    #[must_use]
    pub fn has(&self, defect: Defect) -> bool {
        self.named.contains(&defect)
    }

    /// What happens on the base's own wire.
    #[must_use]
    pub const fn interceptor(&self) -> Option<&InterceptorRule> {
        self.interceptor.as_ref()
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        Self {
            named: defects.into_iter().collect(),
            interceptor: None,
        }
    }
}

impl From<Defect> for Defects {
    fn from(defect: Defect) -> Self {
        std::iter::once(defect).collect()
    }
}

impl From<InterceptorRule> for Defects {
    fn from(rule: InterceptorRule) -> Self {
        Self {
            named: BTreeSet::new(),
            interceptor: Some(rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Line {
        defect: Defect,
    }

    #[test]
    fn the_name_in_a_file_is_the_name_that_is_printed() {
        for &defect in Defect::ALL {
            let line: Line = document::from_toml(&format!("defect = \"{defect}\""), "x").unwrap();
            assert_eq!(line.defect, defect);
        }
    }

    #[test]
    fn the_good_base_has_no_defect() {
        assert!(
            Defect::ALL
                .iter()
                .all(|&defect| !Defects::default().has(defect))
        );
        assert!(Defects::from(Defect::EchoesNotify).has(Defect::EchoesNotify));
    }
}
