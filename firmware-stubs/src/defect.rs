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

/// Makes the list of the defects out of one row for each: what is wrong, the variant, its name in a mutant file, the files
/// of the code that read it, and the point. It is the only list: a test holds the files against the code.
macro_rules! defects {
    ($($(#[doc = $wrong:literal])+ $variant:ident = $name:literal, read in $($file:literal),+ at $point:literal;)+) => {
        /// One wrong behaviour. Each variant says where it is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        pub enum Defect {
            $(
                $(#[doc = $wrong])+
                #[doc = concat!("\nRead at: ", $point, $(", `", $file, "`"),+, ".")]
                #[serde(rename = $name)]
                $variant,
            )+
        }

        impl Defect {
            /// Every defect, in the order of the names.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in a mutant file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The files below `src` that read it.
            #[must_use]
            pub const fn read_in(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => &[$($file),+],)+
                }
            }
        }
    };
}

defects! {
    /// A NOTIFY of no known dialog is answered 200 and applied.
    AcceptsUnknownDialogs = "accepts-unknown-dialogs", read in "user_agent/incoming.rs" at "no subscriber claims the NOTIFY";

    /// The NOTIFY that closes a subscription is answered 481.
    AnswersClosingNotify481 = "answers-closing-notify-481", read in "user_agent/subscription.rs" at "the answer to a `terminated` NOTIFY";

    /// Every challenge is answered again, however often the server refuses.
    AnswersEveryChallenge = "answers-every-challenge", read in "user_agent/challenge.rs" at "a second challenge without stale";

    /// A NOTIFY before the 2xx of its SUBSCRIBE is answered 481.
    AnswersNotifyBefore2xx481 = "answers-notify-before-2xx-481", read in "user_agent/policy.rs" at "the subscriber's policy";

    /// Only the first state of a subscription is applied.
    AppliesFirstNotifyOnly = "applies-first-notify-only", read in "user_agent/subscription/states.rs" at "a state of an account that has one already";

    /// Of several parts only the first is applied.
    AppliesFirstPartOnly = "applies-first-part-only", read in "user_agent/subscription/states.rs" at "the parts of a body";

    /// A NOTIFY with a lower CSeq is answered 200 and applied.
    AppliesLowerCseq = "applies-lower-cseq", read in "user_agent/policy.rs" at "the subscriber's policy";

    /// A state is shown some seconds after its NOTIFY.
    AppliesStateLate = "applies-state-late", read in "user_agent/subscription/states.rs" at "handing a state to the owner";

    /// The change is shown as confirmed at the 2xx, and the NOTIFY that follows is not applied.
    BelievesThe2xx = "believes-the-2xx", read in "user_agent/subscription/states.rs" at "the 2xx of a change";

    /// A ring count out of range is taken as the nearest one in range.
    ClampsRings = "clamps-rings", read in "user_agent/notification.rs" at "applying forwarding on no answer";

    /// A forwarding switches the two others off.
    ClearsOtherForwardings = "clears-other-forwardings", read in "user_agent/notification.rs" at "applying a forwarding";

    /// `As-Feature-Event` is taken for the package.
    ComparesEventWithoutCase = "compares-event-without-case", read in "user_agent/incoming.rs", "user_agent/policy.rs", "user_agent/subscriptions.rs" at "comparing the package";

    /// A new nonce goes on with the old nonce count.
    ContinuesNonceCount = "continues-nonce-count", read in "user_agent/challenge.rs" at "authorizing a request";

    /// A NOTIFY before the 2xx of its SUBSCRIBE is not answered at all.
    DropsNotifyBefore2xx = "drops-notify-before-2xx", read in "user_agent/subscription.rs" at "the SUBSCRIBE is unanswered";

    /// The flag of a forwarding is applied, its number is not.
    DropsNumber = "drops-number", read in "user_agent/notification.rs" at "applying a forwarding";

    /// Every service that a NOTIFY changes is sent back as a change.
    EchoesNotify = "echoes-notify", read in "user_agent/subscription/states.rs" at "after applying a state";

    /// Events whose device is not the account's user are ignored.
    FiltersByDevice = "filters-by-device", read in "user_agent/notification.rs" at "the events of a body";

    /// A subscription that is not wanted any more is left to expire.
    ForgetsToUnsubscribe = "forgets-to-unsubscribe", read in "user_agent/policy.rs" at "giving it up";

    /// A new nonce is not taken when an old one was refused.
    IgnoresStale = "ignores-stale", read in "user_agent/challenge.rs" at "a challenge with stale";

    /// The full state after a refresh is answered 200 and not applied.
    IgnoresStateAfterRefresh = "ignores-state-after-refresh", read in "user_agent/subscription.rs" at "the first state after a refresh";

    /// On is sent as off, off as on.
    InvertsDoNotDisturb = "inverts-do-not-disturb", read in "user_agent/body.rs" at "rendering the body";

    /// The repeat with credentials has the CSeq of the refused request.
    KeepsCseqAfterChallenge = "keeps-cseq-after-challenge", read in "user_agent/subscription.rs" at "repeating the request";

    /// An indicator stays after its service was switched off.
    KeepsIndicators = "keeps-indicators", read in "menu/mod.rs" at "the indicators of the idle screen";

    /// The subscription goes on after feature key synchronisation was switched off.
    KeepsSubscriptionWithSwitchOff = "keeps-subscription-with-switch-off", read in "user_agent/account.rs" at "the switch is turned off";

    /// A state is applied to every handset of the base.
    LeaksStateToOtherHandsets = "leaks-state-to-other-handsets", read in "user_agent/mod.rs" at "handing a state to the owner";

    /// A 401 without WWW-Authenticate is answered by the same request a second later, for ever.
    LoopsOnEmpty401 = "loops-on-empty-401", read in "user_agent/subscription.rs" at "a 401 without a challenge";

    /// A challenged SUBSCRIBE is given up.
    NeverAnswersChallenges = "never-answers-challenges", read in "user_agent/subscription.rs" at "a challenge to SUBSCRIBE";

    /// A subscription is left to expire and then made anew.
    NeverRefreshes = "never-refreshes", read in "user_agent/policy.rs" at "the subscriber's policy";

    /// Nothing is sent twice over UDP.
    NeverRetransmits = "never-retransmits", read in "user_agent/request.rs" at "the timers of the endpoint";

    /// No subscription is made.
    NeverSubscribes = "never-subscribes", read in "user_agent/subscription.rs" at "after the first registration";

    /// A subscription once given up is never made again.
    NeverSubscribesAgain = "never-subscribes-again", read in "user_agent/subscription.rs" at "the switch is turned on again";

    /// Every refresh of a registration has a Call-ID of its own.
    NewCallIdForEveryRegister = "new-call-id-for-every-register", read in "user_agent/registration.rs" at "a refresh";

    /// An open editor does not follow the server.
    OpenMenuIgnoresServer = "open-menu-ignores-server", read in "menu/mod.rs" at "a state while an editor is open";

    /// A subscription is refreshed less than two seconds before it ends.
    RefreshesAtLastSecond = "refreshes-at-last-second", read in "user_agent/policy.rs" at "the subscriber's policy";

    /// The requested expiry drives the refresh, not the granted one.
    RefreshesByRequest = "refreshes-by-request", read in "user_agent/policy.rs" at "the subscriber's policy";

    /// A refresh is a new subscription on a new dialog.
    RefreshesOnNewDialog = "refreshes-on-new-dialog", read in "user_agent/subscription.rs" at "a refresh";

    /// A registration is refreshed after it has expired.
    RefreshesRegistrationTooLate = "refreshes-registration-too-late", read in "user_agent/registration.rs" at "the refresh timer";

    /// A subscription is refreshed after a fifth of its lifetime.
    RefreshesTooEarly = "refreshes-too-early", read in "user_agent/policy.rs" at "the subscriber's policy";

    /// A NOTIFY whose CSeq leaps ahead is answered 500.
    RefusesCseqGaps = "refuses-cseq-gaps", read in "user_agent/subscription.rs" at "comparing the CSeq";

    /// An Event with any parameter is answered 489.
    RefusesEventParameters = "refuses-event-parameters", read in "user_agent/incoming.rs" at "comparing the package";

    /// A refresh carries the body of the last change again.
    RepeatsChangeInRefresh = "repeats-change-in-refresh", read in "user_agent/subscription.rs" at "a refresh";

    /// A change that the server contradicts is sent again.
    RepeatsContradictedChange = "repeats-contradicted-change", read in "user_agent/subscription/states.rs" at "after applying a state";

    /// A state without a ring count resets it to a default of the device.
    ResetsRingsWhenAbsent = "resets-rings-when-absent", read in "user_agent/notification.rs" at "applying forwarding on no answer";

    /// 489 and 403 are answered by a new attempt every minute.
    ResubscribesEveryMinute = "resubscribes-every-minute", read in "user_agent/policy.rs" at "the subscriber's policy";

    /// Requests are sent again every second instead of at doubling gaps.
    RetransmitsEverySecond = "retransmits-every-second", read in "user_agent/request.rs" at "the timers of the endpoint";

    /// A change leaves five seconds after the user asked.
    SendsChangeLate = "sends-change-late", read in "user_agent/account.rs" at "taking one from the queue";

    /// A change is a new subscription on a new dialog.
    SendsChangeOnNewDialog = "sends-change-on-new-dialog", read in "user_agent/policy.rs" at "a change";

    /// Every change is sent twice.
    SendsChangeTwice = "sends-change-twice", read in "user_agent/subscription/states.rs" at "the 2xx of a change";

    /// The handset's own ringer setting is sent to the server as Do Not Disturb.
    SendsRingerToServer = "sends-ringer-to-server", read in "menu/mod.rs" at "the tick of the local ringer setting";

    /// The idle screen never shows a service.
    ShowsNoIndicators = "shows-no-indicators", read in "menu/display.rs" at "the indicators of the idle screen";

    /// The handset's own ringer setting is shown as the service.
    ShowsRingerAsService = "shows-ringer-as-service", read in "menu/display.rs" at "the indicators of the idle screen";

    /// The CSeq of REGISTER rises by two at a refresh.
    SkipsCseqOfRegister = "skips-cseq-of-register", read in "user_agent/registration.rs" at "a refresh";

    /// After 489 or 403 the account gives up its registration.
    StopsRegisteringAfterRefusal = "stops-registering-after-refusal", read in "user_agent/subscription/states.rs" at "a refusal for good";

    /// 202 is answered by another new subscription.
    SubscribesAfter202Again = "subscribes-after-202-again", read in "user_agent/subscription/states.rs" at "a 202";

    /// The subscription leaves together with the first REGISTER.
    SubscribesBeforeRegistered = "subscribes-before-registered", read in "user_agent/account.rs", "user_agent/subscription.rs" at "the first REGISTER";

    /// Every handset subscribes as the first one.
    SubscribesForTheFirstAccount = "subscribes-for-the-first-account", read in "user_agent/mod.rs" at "rendering the request";

    /// The subscription leaves a quarter of a minute after the registration.
    SubscribesLate = "subscribes-late", read in "user_agent/subscription.rs" at "after the first registration";

    /// Forwarding on busy and on no answer are mixed up.
    SwapsBusyAndNoAnswer = "swaps-busy-and-no-answer", read in "user_agent/notification.rs" at "applying a forwarding";

    /// The switch for feature key synchronisation has no effect: it is always on.
    SwitchIsIgnored = "switch-is-ignored", read in "accounts.rs" at "the switch of a provisioning document";

    /// A switch that changes while the base runs takes effect after a reboot only.
    SwitchNeedsReboot = "switch-needs-reboot", read in "accounts.rs" at "the switch of a provisioning document";

    /// A copy of a request that was answered already is taken for a new request.
    TreatsCopiesAsNew = "treats-copies-as-new", read in "user_agent/request.rs" at "the timers of the endpoint";
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
    use std::fs;
    use std::path::Path;

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

    /// The code of each file below this folder, without its tests, by its path there.
    fn code(folder: &Path, above: &str) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            let name = format!("{above}{name}");
            if path.is_dir() {
                all.extend(code(&path, &format!("{name}/")));
            } else if name != "defect.rs" {
                let text = fs::read_to_string(&path).unwrap();
                let own = text.split("#[cfg(test)]").next().unwrap_or_default();
                all.push((name, own.to_owned()));
            }
        }
        all
    }

    #[test]
    fn each_defect_is_read_where_the_list_says_and_nowhere_else() {
        let code = code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "");
        for &defect in Defect::ALL {
            let words = format!("Defect::{defect:?}");
            let reads = |text: &str| {
                let mut after = text.split(&words).skip(1);
                after.any(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
            };
            let files = code.iter().filter(|(_, text)| reads(text));
            let mut files: Vec<&str> = files.map(|(name, _)| name.as_str()).collect();
            files.sort_unstable();
            assert_eq!(files, defect.read_in(), "{defect}");
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
