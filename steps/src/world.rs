//! Cucumber's world: one scenario's stage, and how a step is performed on it.
//!
//! The verdict on a step is in the evidence before the step returns; what cucumber hears is only whether to go on.

use crate::scene::{Scene, StepFailure};
use crate::stage::{Collapsed, Stage};
use cucumber::gherkin::{self, StepType};
use evidence::record::StepPhase;
use std::fmt;

/// One scenario on its stage.
#[derive(Default, cucumber::World)]
pub struct World {
    stage: Option<Stage<Scene>>,
    collapsed: Option<Collapsed>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("collapsed", &self.collapsed)
            .finish_non_exhaustive()
    }
}

impl World {
    /// Puts the scenario on its stage.
    pub fn enter(&mut self, stage: Stage<Scene>) {
        self.stage = Some(stage);
    }

    /// Performs a step: what comes of it is written into the evidence, then given back.
    ///
    /// # Errors
    /// When the step does not hold, or could not be performed.
    pub async fn perform(
        &mut self,
        step: &gherkin::Step,
        body: impl FnOnce(&mut Scene) -> Result<(), StepFailure> + Send + 'static,
    ) -> Result<(), StepFailure> {
        let text = format!("{} {}", step.keyword.trim(), step.value);
        let phase = match step.ty {
            StepType::Given => StepPhase::Given,
            StepType::Then => StepPhase::Then,
            StepType::When => StepPhase::When,
        };
        self.on_stage(move |scene| scene.perform(phase, &text, body))
            .await?
    }

    /// Ends the scenario and hands over what is left of it.
    ///
    /// # Errors
    /// When the stage collapsed, now or in a step.
    pub async fn leave<R: Send + 'static>(
        &mut self,
        last: impl FnOnce(&mut Scene) -> R + Send + 'static,
    ) -> Result<R, StepFailure> {
        let result = self.on_stage(last).await;
        self.stage = None;
        result
    }

    async fn on_stage<R: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Scene) -> R + Send + 'static,
    ) -> Result<R, StepFailure> {
        let Some(stage) = self.stage.take() else {
            let words = self
                .collapsed
                .as_ref()
                .map_or_else(|| "no stage".to_owned(), ToString::to_string);
            return Err(StepFailure::Rig(words));
        };
        match stage.call(job).await {
            Ok((stage, result)) => {
                self.stage = Some(stage);
                Ok(result)
            }
            Err(collapsed) => {
                let failure = StepFailure::Rig(collapsed.to_string());
                self.collapsed = Some(collapsed);
                Err(failure)
            }
        }
    }
}
