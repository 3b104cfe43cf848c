//! What one handset knows about its services.
//!
//! Where synchronisation is on, a service is unknown until the server has said something about it. A field that the
//! server leaves out keeps its value, and so does the number of a forwarding that is off: servers write nothing, a blank
//! or `0` there. A ring count that no server could mean is not taken.

use sip::service::{Service, Setting};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The ring counts that a server can mean.
pub(super) const RINGS: RangeInclusive<u32> = 1..=100;

/// One service as the handset knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// On or off.
    pub active: bool,
    /// The destination, empty when there is none.
    pub number: String,
    /// The number of rings.
    pub rings: Option<u32>,
}

/// All services of one handset. What is missing is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services(BTreeMap<Service, Known>);

impl Services {
    /// These services, off.
    #[must_use]
    pub fn off(services: &[Service]) -> Self {
        let off = services.iter().map(|service| (*service, Known::default()));
        Self(off.collect())
    }

    /// What is known about this service.
    #[must_use]
    pub fn known(&self, service: Service) -> Option<&Known> {
        self.0.get(&service)
    }

    /// Takes what the server says.
    pub fn take(&mut self, service: Service, setting: &Setting) {
        let known = self.0.entry(service).or_default();
        known.active = setting.active;
        if let Some(number) = setting.number.as_deref().map(str::trim) {
            let says_nothing = !setting.active && matches!(number, "" | "0");
            if !says_nothing {
                number.clone_into(&mut known.number);
            }
        }
        if let Some(rings) = setting.rings.filter(|rings| RINGS.contains(rings)) {
            known.rings = Some(rings);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(active: bool, number: Option<&str>, rings: Option<u32>) -> Setting {
        Setting {
            active,
            number: number.map(str::to_owned),
            rings,
            agent: None,
        }
    }

    fn after(settings: &[Setting]) -> Known {
        let mut services = Services::default();
        for setting in settings {
            services.take(Service::CallForwardingNoAnswer, setting);
        }
        let known = services.known(Service::CallForwardingNoAnswer);
        known.cloned().unwrap_or_default()
    }

    #[test]
    fn nothing_is_known_before_the_server_speaks() {
        assert_eq!(Services::default().known(Service::DoNotDisturb), None);
        let known = Services::off(&[Service::DoNotDisturb])
            .known(Service::DoNotDisturb)
            .cloned();
        assert_eq!(known, Some(Known::default()));
    }

    #[test]
    fn a_forwarding_that_is_off_keeps_its_number() {
        let on = setting(true, Some("2424"), Some(3));
        for nothing in [None, Some(""), Some(" "), Some("0")] {
            let known = after(&[on.clone(), setting(false, nothing, None)]);
            assert_eq!(known.number, "2424", "{nothing:?}");
            assert!(!known.active);
        }
        let moved = after(&[on, setting(false, Some("2525"), None)]);
        assert_eq!(moved.number, "2525");
    }

    #[test]
    fn an_active_forwarding_without_destination_has_none() {
        let known = after(&[
            setting(true, Some("2424"), None),
            setting(true, Some(""), None),
        ]);
        assert_eq!(known.number, "");
    }

    #[test]
    fn a_senseless_ring_count_is_not_taken() {
        for rings in [None, Some(0), Some(101)] {
            let known = after(&[setting(true, None, Some(3)), setting(true, None, rings)]);
            assert_eq!(known.rings, Some(3), "{rings:?}");
        }
    }
}
