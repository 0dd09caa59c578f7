//! One thread owns the writing connection and commits as many waiting jobs at once as it finds.
//!
//! There is no timer: an idle writer commits a lone job at once, and while a commit waits for the disk the next batch
//! gathers by itself. So a single write costs one sync, and many writers share one.

use std::path::{Path, PathBuf};
use std::{io, thread};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::Error;

/// What the writer's thread does with a job. The implementor may hold state in memory that mirrors the database.
pub trait Apply: Send + 'static {
    /// What callers ask for.
    type Job: Send + 'static;
    /// What they get once it is committed. A job that is refused before its first write is a reply, too.
    type Reply: Send + 'static;

    /// How much a job adds to a batch; a batch takes no more once it weighs 128.
    fn weight(_job: &Self::Job) -> usize {
        1
    }

    /// Applies one job inside the transaction of its batch.
    ///
    /// # Errors
    /// A failed statement. The whole batch is then rolled back and every job in it gets this error, so anything
    /// that can be refused is checked before the first write.
    fn apply(&mut self, transaction: &Transaction<'_>, job: Self::Job) -> rusqlite::Result<Self::Reply>;

    /// The batch is durable; its callers are answered next.
    fn committed(&mut self);

    /// The batch did not happen: state in memory goes back to what the last [`committed`](Self::committed) left.
    fn rolled_back(&mut self);
}

/// The sending side of a writer thread. Dropping it lets the thread finish what is queued and end.
pub struct Writer<A: Apply> {
    inbox: mpsc::Sender<Message<A>>,
}

impl<A: Apply> Writer<A> {
    /// Starts the thread `name` (at most 15 characters are shown by the kernel) over a connection from
    /// [`open`](crate::open); `path` is only for errors.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(name: &str, path: &Path, connection: Connection, applier: A) -> io::Result<Self> {
        let (inbox, messages) = mpsc::channel(QUEUE);
        let worker = Worker { path: path.to_owned(), connection, applier, messages };
        thread::Builder::new().name(name.to_owned()).spawn(move || worker.run())?;
        Ok(Self { inbox })
    }

    /// Hands over one job and waits until it is durable. Waits for a place while 1024 jobs are queued. Jobs of one
    /// caller are applied in the order of their calls; a caller that stops waiting does not take its job back.
    ///
    /// # Errors
    /// Why the batch was rolled back, or [`Error::Closed`]. The writer works again as soon as the cause is gone.
    pub async fn submit(&self, job: A::Job) -> Result<A::Reply, Error> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Message::Job(Waiting { job, reply })).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Lets everything queued so far become durable and closes the connection. Later jobs get [`Error::Closed`].
    pub async fn close(&self) {
        if self.inbox.send(Message::Close).await.is_ok() {
            self.inbox.closed().await;
        }
    }
}

enum Message<A: Apply> {
    Job(Waiting<A>),
    Close,
}

struct Waiting<A: Apply> {
    job: A::Job,
    reply: oneshot::Sender<Result<A::Reply, Error>>,
}

/// A caller and, once its job is applied, what it gets if the commit succeeds.
type Answer<A> = (oneshot::Sender<Result<<A as Apply>::Reply, Error>>, Option<<A as Apply>::Reply>);

// The order of the fields is the order of dropping: the inbox closes last, which is what `Writer::close` waits for.
struct Worker<A: Apply> {
    path: PathBuf,
    connection: Connection,
    applier: A,
    messages: mpsc::Receiver<Message<A>>,
}

impl<A: Apply> Worker<A> {
    fn run(mut self) {
        let mut closing = false;
        while !closing && let Some(Message::Job(first)) = self.messages.blocking_recv() {
            let mut answers = Vec::new();
            let outcome = self.commit_batch(first, &mut answers, &mut closing);
            match outcome {
                Ok(()) => self.applier.committed(),
                Err(_) => self.applier.rolled_back(),
            }
            let failure = outcome.map_err(|e| Error::sqlite(&self.path, e)).err();
            for (caller, reply) in answers {
                let answer = match &failure {
                    None => reply.ok_or(Error::Closed),
                    Some(failure) => Err(failure.clone()),
                };
                // A caller that went away needs no answer; its job counts all the same.
                let _ = caller.send(answer);
            }
        }
    }

    /// One transaction: `first`, and whatever is queued by the time the job before it is applied.
    fn commit_batch(
        &mut self,
        first: Waiting<A>,
        answers: &mut Vec<Answer<A>>,
        closing: &mut bool,
    ) -> rusqlite::Result<()> {
        let mut weight = A::weight(&first.job);
        answers.push((first.reply, None));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut job = first.job;
        loop {
            let reply = self.applier.apply(&transaction, job)?;
            if let Some((_, waiting)) = answers.last_mut() {
                *waiting = Some(reply);
            }
            if weight >= BATCH_WEIGHT {
                break;
            }
            match self.messages.try_recv() {
                Ok(Message::Job(next)) => {
                    weight += A::weight(&next.job);
                    answers.push((next.reply, None));
                    job = next.job;
                }
                Ok(Message::Close) => {
                    *closing = true;
                    break;
                }
                Err(_) => break,
            }
        }
        transaction.commit()
    }
}

/// Jobs that may wait; beyond it callers wait to hand over.
const QUEUE: usize = 1024;

/// Large enough that a sync is shared by all, small enough that nobody waits long for the others' pages.
const BATCH_WEIGHT: usize = 128;
