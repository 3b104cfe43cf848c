//! Bindings of the registrar and whether they are renewed before they run out, for REG-01 and FAIL-03.

use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::Moment;
use crate::monitor::scene::time::SECOND;
use sip::message::Method;

#[derive(Clone, Debug, Default)]
pub(crate) struct Renewals {
    due: Deadlines<Binding>,
    /// Bindings that have run out, while it is open whether they are renewed late or never.
    over: Deadlines<Binding>,
}

/// What became of a binding that was not renewed in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lapse {
    pub(crate) binding: Binding,
    /// When it was renewed after all.
    pub(crate) late: Option<u64>,
}

/// How long after its end a binding may still be renewed late; after that it is never; our choice, twice Timer F.
const LATE: u64 = 64 * SECOND;

/// A binding that a 2xx granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) account: usize,
    pub(crate) granted: u64,
    pub(crate) lifetime: u64,
    pub(crate) seq: u64,
}

impl Renewals {
    /// Takes a moment; the bindings that were renewed late, or never, come back.
    pub(crate) fn on(&mut self, moment: Moment, scene: &Scene) -> Vec<Lapse> {
        match moment {
            Moment::Clock => {
                while let Some((at, binding)) = self.due.pass(scene.now) {
                    self.over
                        .set(at.saturating_add(LATE), Some(binding.account), binding);
                }
                self.never(scene.now)
            }
            Moment::End => self.never(u64::MAX),
            Moment::Boot => {
                self.due.clear();
                self.over.clear();
                Vec::new()
            }
            Moment::Provisioned(account) => {
                self.forget(account);
                Vec::new()
            }
            Moment::Request(place) => self.on_request(place, scene).into_iter().collect(),
            Moment::Answer(place) => {
                self.on_answer(place, scene);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        let deadlines = [self.due.next(), self.over.next()];
        deadlines.into_iter().flatten().min()
    }

    fn on_request(&mut self, place: Place, scene: &Scene) -> Option<Lapse> {
        let request = scene.request(place)?;
        let account = request.register()?;
        let late = self.over.forget(account);
        self.forget(account);
        Some(Lapse {
            binding: late?,
            late: Some(request.at),
        })
    }

    fn on_answer(&mut self, place: Place, scene: &Scene) -> Option<()> {
        let request = scene.request(place)?;
        let answer = request.answer.as_ref()?;
        let lifetime = request.granted_seconds().filter(|seconds| *seconds > 0);
        if request.method == Method::Register && request.granted() && !request.gives_up() {
            let lifetime = lifetime?.saturating_mul(SECOND);
            let binding = Binding {
                account: request.account?,
                granted: answer.at,
                lifetime,
                seq: answer.seq,
            };
            self.forget(binding.account);
            let end = answer.at.saturating_add(lifetime);
            self.due.set(end, Some(binding.account), binding);
        }
        None
    }

    fn never(&mut self, now: u64) -> Vec<Lapse> {
        let over = std::iter::from_fn(|| self.over.pass(now));
        over.map(|(_, binding)| Lapse {
            binding,
            late: None,
        })
        .collect()
    }

    fn forget(&mut self, account: usize) {
        self.due.forget(account);
        self.over.forget(account);
    }
}
