//! Feature codes: which change of a service a dialled number stands for.

use crate::dialect::FeatureCode;
use sip::feature_event::Service;
use std::collections::BTreeMap;

/// What a caller asks for with a feature code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialled {
    pub(crate) service: Service,
    pub(crate) active: bool,
    /// The digits behind the code.
    pub(crate) number: Option<String>,
}

/// The meaning of dialled digits; the longest code wins.
pub(crate) fn meaning(codes: &BTreeMap<Service, FeatureCode>, digits: &str) -> Option<Dialled> {
    let mut best: Option<(usize, Dialled)> = None;
    for (service, code) in codes {
        for (prefix, active) in [
            (&code.activate.value, true),
            (&code.deactivate.value, false),
        ] {
            let Some(number) = digits.strip_prefix(prefix.as_str()) else {
                continue;
            };
            let takes_number = active && *service != Service::DoNotDisturb;
            let longest = best
                .as_ref()
                .is_none_or(|(length, _)| prefix.len() > *length);
            if longest && (takes_number || number.is_empty()) {
                let number = Some(number).filter(|number| !number.is_empty());
                let dialled = Dialled {
                    service: *service,
                    active,
                    number: number.map(str::to_owned),
                };
                best = Some((prefix.len(), dialled));
            }
        }
    }
    best.map(|(_, dialled)| dialled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn dial(digits: &str) -> Option<(Service, bool, Option<String>)> {
        let dialect = Dialect::broadsoft();
        meaning(&dialect.feature_codes, digits)
            .map(|dialled| (dialled.service, dialled.active, dialled.number))
    }

    #[test]
    fn codes_switch_their_own_service_and_direction() {
        assert_eq!(dial("*78"), Some((Service::DoNotDisturb, true, None)));
        assert_eq!(dial("*79"), Some((Service::DoNotDisturb, false, None)));
        let busy = Some((Service::CallForwardingBusy, false, None));
        assert_eq!(dial("*91"), busy);
    }

    #[test]
    fn the_number_follows_an_activating_code() {
        let always = Service::CallForwardingAlways;
        assert_eq!(
            dial("*722424"),
            Some((always, true, Some("2424".to_owned())))
        );
        assert_eq!(dial("*72"), Some((always, true, None)));
    }

    #[test]
    fn what_is_no_code_means_nothing() {
        assert_eq!(dial("2424"), None);
        assert_eq!(dial("*732424"), None);
        assert_eq!(dial("*781"), None);
        assert_eq!(dial(""), None);
    }
}
