//! The asking side: the privileged half, wherever it runs.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use osmoda_types::Problem;

use crate::half::Half;
use crate::verb::{Answer, Verb};

/// agentd's hands.
#[derive(Clone, Debug)]
pub enum Hands {
    /// In this process, as this user.
    Here(Arc<Half>),
}

impl Hands {
    /// Asks for one verb.
    ///
    /// # Errors
    /// What [`Half::perform`] answers.
    pub async fn ask(&self, verb: Verb) -> Result<Answer, Problem> {
        self.ask_with(verb, Vec::new()).await.map(|(answer, _)| answer)
    }

    /// Asks for one verb that takes or gives descriptors.
    ///
    /// # Errors
    /// What [`Half::perform`] answers.
    pub async fn ask_with(&self, verb: Verb, given: Vec<OwnedFd>) -> Result<(Answer, Vec<OwnedFd>), Problem> {
        match self {
            Self::Here(half) => half.perform(verb, given).await,
        }
    }
}
