//! The rules of the body group: BODY-01, BODY-02, BODY-07, BODY-11. Which of them a wrong screen breaks says `display`.

use crate::monitor::rules::menu::Displayed;
use crate::monitor::rules::rule::Rule;
use crate::monitor::scene::display::Check;
use crate::record::Service;

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        displayed("BODY-01", |_| true),
        displayed("BODY-02", |check| check.origin.multipart),
        displayed("BODY-07", |check| check.changed),
        displayed("BODY-11", |check| {
            check.rings && check.service == Service::CallForwardingNoAnswer
        }),
    ]
}

fn displayed(requirement: &'static str, trigger: fn(&Check) -> bool) -> Box<dyn Rule> {
    Box::new(Displayed {
        requirement,
        trigger,
    })
}
