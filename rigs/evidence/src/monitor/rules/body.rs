//! The rules of the body group: BODY-01, BODY-02, BODY-07, BODY-11. Which of them a wrong screen breaks says `display`.

use crate::monitor::rules::menu::Displayed;
use crate::monitor::rules::rule::Rule;
use crate::monitor::scene::Scene;
use crate::monitor::scene::display::Check;
use crate::monitor::scene::notice::Notice;
use crate::record::Service;

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        displayed("BODY-01", |_, _| true),
        displayed("BODY-02", |check, scene| {
            notice(check, scene).is_some_and(|notice| notice.reading.multipart)
        }),
        displayed("BODY-07", |check, _| check.changed),
        displayed("BODY-11", |check, _| {
            check.rings && check.service == Service::CallForwardingNoAnswer
        }),
    ]
}

fn displayed(requirement: &'static str, trigger: fn(&Check, &Scene) -> bool) -> Box<dyn Rule> {
    Box::new(Displayed {
        requirement,
        trigger,
    })
}

/// The NOTIFY that a screen follows.
fn notice<'a>(check: &Check, scene: &'a Scene) -> Option<&'a Notice> {
    scene.arrival(check.source)?.notice.as_ref()
}
