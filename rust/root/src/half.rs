//! The doing side: one function per verb.

use std::os::fd::OwnedFd;

use osmoda_types::Problem;

use crate::service;
use crate::verb::{Answer, Verb};

/// Does what verbs say, with the rights of its process.
#[derive(Debug, Default)]
pub struct Half {}

impl Half {
    /// Does one verb. `given` are descriptors that came with it; those of the answer go back.
    ///
    /// # Errors
    /// Why it was refused or failed, as the caller's caller may read it.
    pub async fn perform(&self, verb: Verb, given: Vec<OwnedFd>) -> Result<(Answer, Vec<OwnedFd>), Problem> {
        drop(given);
        match verb {
            Verb::Service { unit, act } => Ok((Answer::Job(service::act(&unit, act).await?), Vec::new())),
        }
    }
}
