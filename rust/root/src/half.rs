//! The doing side: one function per verb.

use std::os::fd::OwnedFd;

use osmoda_types::{Code, Problem};

use crate::file::{self, Places};
use crate::service;
use crate::spawn;
use crate::verb::{Answer, Verb};

/// Does what verbs say, with the rights of its process.
#[derive(Debug)]
pub struct Half {
    places: Places,
    shell_user: Option<String>,
}

impl Half {
    /// A half that touches files in these places, and runs programs as `shell_user`; without one, as itself.
    pub fn new(places: Places, shell_user: Option<String>) -> Self {
        Self { places, shell_user }
    }

    /// Does one verb. `given` are descriptors that came with it; those of the answer go back.
    ///
    /// # Errors
    /// Why it was refused or failed, as the caller's caller may read it.
    pub async fn perform(&self, verb: Verb, given: Vec<OwnedFd>) -> Result<(Answer, Vec<OwnedFd>), Problem> {
        match verb {
            Verb::File(verb) => {
                let places = self.places.clone();
                let done = tokio::task::spawn_blocking(move || file::perform(&places, verb, given)).await;
                let (answer, fds) = done.map_err(|_| Problem::new(Code::InternalPanic))??;
                Ok((Answer::File(answer), fds))
            }
            Verb::Spawn(what) => {
                let ended = spawn::run(what, given, self.shell_user.clone()).await?;
                Ok((Answer::Ended(ended), Vec::new()))
            }
            Verb::Service { unit, act } => Ok((Answer::Job(service::act(&unit, act).await?), Vec::new())),
        }
    }
}
