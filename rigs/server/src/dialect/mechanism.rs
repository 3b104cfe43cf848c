//! The mechanisms by which a server product keeps services in lockstep with a base, and what switches each on.
//!
//! A product offers any of them: subscriptions ([`SubscribeNotify`]), calls to feature codes ([`FeatureCodes`]), uaCSTA
//! ([`Csta`]). What is not in the file is not offered. A gate is a provisioning parameter of the base, so it is the same
//! for each product that uses the mechanism; the file says so all the same, because not every product needs it.

use super::{Dialect, Fact};
use crate::feature_code::{self, Pattern, Switch};
use serde::Deserialize;
use sip::service::Service;
use std::collections::BTreeMap;

/// A way to keep services in lockstep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// uaCSTA: requests of the server within a call or in INFO.
    Csta,
    /// Calls to digits that switch a service.
    FeatureCodes,
    /// SUBSCRIBE with a body for changes, NOTIFY for what holds.
    SubscribeNotify,
}

impl Mechanism {
    /// Every mechanism.
    pub const ALL: [Self; 3] = [Self::Csta, Self::FeatureCodes, Self::SubscribeNotify];
}

/// What switches a mechanism on at the base.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gate {
    /// The provisioning parameter.
    pub parameter: Fact<String>,
    /// The value that switches the mechanism on; any other leaves it off.
    pub on: Fact<String>,
}

/// `[mechanism]`: what the product offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Mechanisms {
    /// uaCSTA.
    pub csta: Option<Csta>,
    /// Feature codes.
    pub feature_codes: Option<FeatureCodes>,
    /// Subscriptions.
    pub subscribe_notify: Option<SubscribeNotify>,
}

/// `[mechanism.csta]`: uaCSTA. So far only its gate is known here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Csta {
    /// What switches it on; absent when nothing has to.
    #[serde(default)]
    pub gate: Option<Gate>,
}

/// `[mechanism.subscribe-notify]`: subscriptions, to the packages that `[package]` lists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SubscribeNotify {
    /// What switches it on; absent when nothing has to.
    #[serde(default)]
    pub gate: Option<Gate>,
}

/// `[mechanism.feature-codes]`: calls to digits that switch a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeatureCodes {
    /// What switches it on; absent when nothing has to.
    #[serde(default)]
    pub gate: Option<Gate>,
    /// How a call to a code goes.
    pub call: FeatureCodeCall,
    /// The digits of each service.
    pub code: BTreeMap<Service, FeatureCode>,
}

/// `[mechanism.feature-codes.code.<service>]`: the digits that switch a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeatureCode {
    /// Switches the service on, or to what it was not where it toggles.
    pub activate: Fact<Pattern>,
    /// Switches it off; there is none exactly when `activate` toggles.
    #[serde(default)]
    pub deactivate: Option<Fact<Pattern>>,
    /// Whether `activate` switches off what is on.
    #[serde(default)]
    pub toggle: Option<Fact<bool>>,
}

/// `[mechanism.feature-codes.call]`: how a call to a feature code goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeatureCodeCall {
    /// From the INVITE to the 200.
    pub answer_after_milliseconds: Fact<u64>,
    /// From the 200 to the stored state.
    pub store_after_milliseconds: Fact<u64>,
    /// From the 200 to the server's BYE; zero when the caller has to end the call.
    pub hang_up_after_milliseconds: Fact<u64>,
    /// Whether a caller that hangs up earlier has changed the state all the same.
    pub stores_after_early_hang_up: Fact<bool>,
    /// The answer to a second call of the same account meanwhile.
    pub busy_code: Fact<u16>,
}

impl FeatureCode {
    /// Whether one code switches on and off.
    #[must_use]
    pub fn toggles(&self) -> bool {
        self.toggle.as_ref().is_some_and(|toggle| toggle.value)
    }
}

impl FeatureCodes {
    /// What is wrong with the codes: the key of each and why.
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (service, code) in &self.code {
            let table = format!("mechanism.feature-codes.code.{}", service.key());
            if code.toggles() == code.deactivate.is_some() {
                let problem = "needs either `deactivate` or a `toggle` that is true";
                problems.push((table.clone(), problem.to_owned()));
            }
            if code.activate.value.takes_number() && !service.forwards() {
                let problem = "takes a number, and the service forwards nothing";
                problems.push((format!("{table}.activate"), problem.to_owned()));
            }
            let off = code.deactivate.as_ref();
            if off.is_some_and(|off| off.value.takes_number()) {
                let problem = "takes a number, and switches off";
                problems.push((format!("{table}.deactivate"), problem.to_owned()));
            }
        }
        let codes: Vec<_> = feature_code::codes(&self.code).collect();
        for (index, (service, switch, pattern)) in codes.iter().enumerate() {
            let mut earlier = codes.iter().take(index);
            if earlier.any(|(_, _, other)| pattern.is_ambiguous_with(other)) {
                let word = match switch {
                    Switch::Off => "deactivate",
                    Switch::On | Switch::Toggle => "activate",
                };
                let service = service.key();
                let key = format!("mechanism.feature-codes.code.{service}.{word}");
                let problem = "cannot be told from the code of another service or direction";
                problems.push((key, problem.to_owned()));
            }
        }
        problems
    }
}

impl Dialect {
    /// Whether the product offers this mechanism.
    #[must_use]
    pub const fn offers(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::Csta => self.mechanism.csta.is_some(),
            Mechanism::FeatureCodes => self.mechanism.feature_codes.is_some(),
            Mechanism::SubscribeNotify => self.mechanism.subscribe_notify.is_some(),
        }
    }

    /// What switches this mechanism on at the base; `None` when it is not offered or nothing has to be switched.
    #[must_use]
    pub fn gate(&self, mechanism: Mechanism) -> Option<&Gate> {
        let Mechanisms {
            csta,
            feature_codes,
            subscribe_notify,
        } = &self.mechanism;
        match mechanism {
            Mechanism::Csta => csta.as_ref()?.gate.as_ref(),
            Mechanism::FeatureCodes => feature_codes.as_ref()?.gate.as_ref(),
            Mechanism::SubscribeNotify => subscribe_notify.as_ref()?.gate.as_ref(),
        }
    }

    /// The digits that a user dials to switch a service, to this number where it is switched on; `None` when the product
    /// has no code for this, or when the digits would mean something else to it.
    #[must_use]
    pub fn dialled(&self, service: Service, active: bool, number: Option<&str>) -> Option<String> {
        let code = self.mechanism.feature_codes.as_ref()?.code.get(&service)?;
        let pattern = if active || code.toggles() {
            &code.activate
        } else {
            code.deactivate.as_ref()?
        };
        let digits = pattern.value.dialled(number);
        let meant = self.meaning(&digits)?;
        let switches = match meant.switch {
            Switch::Off => !active,
            Switch::On => active,
            Switch::Toggle => true,
        };
        let is_meant = meant.service == service
            && switches
            && (!active || meant.number.as_deref() == number.filter(|number| !number.is_empty()));
        is_meant.then_some(digits)
    }
}
