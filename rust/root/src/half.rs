//! The doing side: one function per verb.

use std::os::fd::OwnedFd;

use osmoda_types::{Code, Problem};

use crate::file::{self, Places};
use crate::service;
use crate::spawn;
use crate::verb::{Answer, Verb};
use crate::{firewall, signal, sysctl};

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
        let answer = match verb {
            Verb::File(verb) => {
                let places = self.places.clone();
                let (answer, fds) = blocking(move || file::perform(&places, verb, given)).await?;
                return Ok((Answer::File(answer), fds));
            }
            Verb::Spawn(what) => Answer::Ended(spawn::run(what, given, self.shell_user.clone()).await?),
            Verb::Service { unit, act } => Answer::Job(service::act(&unit, act).await?),
            Verb::Sysctl { key, value } => blocking(move || sysctl::write(&key, &value)).await?,
            Verb::Signal { pid, start_time, signal } => {
                blocking(move || signal::send(pid, start_time, signal)).await?
            }
            Verb::FirewallList {} => firewall::list().await?,
            Verb::FirewallAllow { ports } => firewall::allow(ports).await?,
            Verb::FirewallRevoke { ports } => firewall::revoke(ports).await?,
        };
        Ok((answer, Vec::new()))
    }
}

/// Does what may wait for the kernel where it holds nobody up.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(act).await.unwrap_or_else(|_| Err(Code::InternalPanic.into()))
}
