//! The thread that a scenario runs on.
//!
//! Cucumber's whole suite is one future that cannot leave its thread, so a step that blocked would stop every other
//! scenario. A scenario's bench therefore has a thread of its own; a step sends it a piece of work and awaits the
//! answer. A panic on that thread is the rig's fault and ends the case with an error.

use futures::channel::oneshot;
use std::any::Any;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

type Work<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that owns an `S` and does what it is sent.
pub struct Stage<S> {
    work: mpsc::Sender<Work<S>>,
    thread: JoinHandle<()>,
}

/// The stage has collapsed; what it said is in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rig panicked: {0}")]
pub struct Collapsed(pub String);

impl<S: 'static> Stage<S> {
    /// Starts the thread; `open` makes the state on it.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(name: &str, open: impl FnOnce() -> S + Send + 'static) -> std::io::Result<Self> {
        let (work, inbox) = mpsc::channel::<Work<S>>();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut state = open();
                while let Ok(job) = inbox.recv() {
                    job(&mut state);
                }
            })?;
        Ok(Self { work, thread })
    }

    /// Has `job` done on the thread and gives its result.
    ///
    /// # Errors
    /// When the thread has panicked; the stage is gone then.
    pub async fn call<R: Send + 'static>(
        self,
        job: impl FnOnce(&mut S) -> R + Send + 'static,
    ) -> Result<(Self, R), Collapsed> {
        let (answer, result) = oneshot::channel();
        let sent = self.work.send(Box::new(move |state: &mut S| {
            // Nobody listens any more only when cucumber dropped the scenario.
            let _ = answer.send(job(state));
        }));
        let outcome = if sent.is_ok() {
            result.await.ok()
        } else {
            None
        };
        match outcome {
            Some(result) => Ok((self, result)),
            None => Err(Collapsed(self.last_words())),
        }
    }

    fn last_words(self) -> String {
        drop(self.work);
        match self.thread.join() {
            Ok(()) => "its thread ended".to_owned(),
            Err(panic) => panic_text(panic.as_ref()),
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;

    #[test]
    fn work_is_done_in_order_on_one_state() {
        let stage = Stage::start("counter", || 0_u32).unwrap();
        let (stage, first) = block_on(stage.call(|n| {
            *n += 1;
            *n
        }))
        .unwrap();
        let (_, second) = block_on(stage.call(|n| *n + 10)).unwrap();
        assert_eq!((first, second), (1, 11));
    }

    #[test]
    fn a_panic_on_the_thread_is_told_with_its_words() {
        let stage = Stage::start("clumsy", || ()).unwrap();
        let ended = block_on(stage.call(|()| -> u32 { panic!("the invariant {} broke", 7) }));
        assert_eq!(
            ended.err(),
            Some(Collapsed("the invariant 7 broke".to_owned()))
        );
    }
}
