//! The cover: which of the possible cases run by default.
//!
//! Each scenario runs once on the *reference*, the first configuration that it applies to, which is the first rig's first
//! face with the reference dialect of the scenario's mechanism. Then once more with each other dialect, once on each other
//! device, and once by each other face; faults, languages and combinations multiply nothing. In the wire laboratory, where
//! time is real, each scenario runs on its reference only, and each other dialect, device and face gets one scenario.
//! Where a rule finds only cases that do not apply, it takes the first of them, so that the plan can say why.

use super::configuration::Configuration;
use std::collections::BTreeSet;

/// One reason to run a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Each scenario runs on its reference.
    Reference,
    /// Each other dialect.
    EachDialect,
    /// Each other device.
    EachDevice,
    /// Each other face.
    EachFace,
}

/// The rules of the cover.
pub const RULES: [Rule; 4] = [
    Rule::Reference,
    Rule::EachDialect,
    Rule::EachDevice,
    Rule::EachFace,
];

impl Rule {
    /// What the rule wants to see each value of; nothing for the reference.
    fn value(self, configuration: &Configuration) -> Option<&str> {
        match self {
            Self::Reference => None,
            Self::EachDialect => Some(&configuration.dialect),
            Self::EachDevice => Some(&configuration.rig.name),
            Self::EachFace => Some(configuration.face.as_str()),
        }
    }

    /// Every value in these configurations, in their order.
    fn values(self, configurations: &[Configuration]) -> Vec<&str> {
        let mut values = Vec::new();
        for value in configurations.iter().filter_map(|it| self.value(it)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }
}

/// The possible cases of some scenarios in one laboratory.
pub(super) struct Possible<'p> {
    /// What there is to run on.
    pub(super) configurations: &'p [Configuration],
    /// For each scenario: whether it is one to try first, and whether it applies to each configuration.
    pub(super) scenarios: Vec<(bool, Vec<bool>)>,
}

/// A case: the scenario's and the configuration's place.
pub(super) type Place = (usize, usize);

impl Possible<'_> {
    /// The cases that run when lab time costs nothing.
    pub(super) fn cover(&self, rules: &[Rule]) -> BTreeSet<Place> {
        let mut chosen = BTreeSet::new();
        for scenario in 0..self.scenarios.len() {
            let Some(reference) = self.reference(scenario) else {
                // It applies nowhere: one case says so.
                chosen.extend((!self.configurations.is_empty()).then_some((scenario, 0)));
                continue;
            };
            for rule in rules {
                match rule {
                    Rule::Reference => {
                        chosen.insert((scenario, reference));
                    }
                    other => chosen.extend(self.other_values(*other, scenario, reference)),
                }
            }
        }
        chosen
    }

    /// The cases that run when time is real.
    pub(super) fn sparse_cover(&self, rules: &[Rule]) -> BTreeSet<Place> {
        let mut chosen = BTreeSet::new();
        if rules.contains(&Rule::Reference) {
            chosen = self.cover(&[Rule::Reference]);
        }
        for rule in rules {
            for value in rule.values(self.configurations) {
                let has_value = |at: usize| self.has_value(*rule, at, value);
                let is_met = |place: &Place| self.applies(place.0, place.1) && has_value(place.1);
                if !chosen.iter().any(is_met) {
                    chosen.extend(self.one_scenario(has_value));
                }
            }
        }
        chosen
    }

    /// The first configuration that a scenario applies to.
    fn reference(&self, scenario: usize) -> Option<usize> {
        (0..self.configurations.len()).find(|at| self.applies(scenario, *at))
    }

    /// One case for each value that the reference does not have.
    fn other_values(&self, rule: Rule, scenario: usize, reference: usize) -> Vec<Place> {
        let values = rule.values(self.configurations).into_iter();
        let others = values.filter(|value| !self.has_value(rule, reference, value));
        let case = |value| {
            let mut with_value =
                (0..self.configurations.len()).filter(|at| self.has_value(rule, *at, value));
            let first = with_value.clone().next();
            let best = with_value.find(|at| self.applies(scenario, *at));
            best.or(first).map(|at| (scenario, at))
        };
        others.filter_map(case).collect()
    }

    /// One case on a configuration of this kind: a scenario to try first, if one applies, else any that applies.
    fn one_scenario(&self, is_wanted: impl Fn(usize) -> bool) -> Option<Place> {
        let wanted = || (0..self.configurations.len()).filter(|at| is_wanted(*at));
        let mut order: Vec<usize> = (0..self.scenarios.len()).collect();
        order.sort_by_key(|scenario| !self.is_first_to_try(*scenario));
        let places = || order.iter().flat_map(|one| wanted().map(|at| (*one, at)));
        places()
            .find(|(scenario, at)| self.applies(*scenario, *at))
            .or_else(|| places().next())
    }

    fn has_value(&self, rule: Rule, configuration: usize, value: &str) -> bool {
        let at = self.configurations.get(configuration);
        at.and_then(|at| rule.value(at)) == Some(value)
    }

    fn applies(&self, scenario: usize, configuration: usize) -> bool {
        let of = self.scenarios.get(scenario);
        of.and_then(|(_, applies)| applies.get(configuration).copied())
            .unwrap_or_default()
    }

    fn is_first_to_try(&self, scenario: usize) -> bool {
        self.scenarios
            .get(scenario)
            .is_some_and(|(first, _)| *first)
    }
}
