//! One commit at a time, of as many waiting jobs at once as there are.
//!
//! There is no timer: a lone job is committed at once, on the caller's own thread, because two hand-overs between
//! threads cost as much as a sync. Jobs that come while a commit is under way gather, and a thread of their own
//! commits them as the next batch. So a single write costs one sync, and many writers share one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::block_in_place;

use crate::Error;

/// What the writer does with a job. The implementor may hold state in memory that mirrors the database.
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

    /// The batch did not happen: state in memory is that of the last [`committed`](Self::committed) again before the
    /// next job is applied.
    fn rolled_back(&mut self);
}

/// The sending side of a writer. Dropping it lets what is queued become durable.
pub struct Writer<A: Apply> {
    inbox: mpsc::Sender<Message<A>>,
    shared: Arc<Shared<A>>,
}

/// What callers and the thread `name` take turns at.
struct Shared<A> {
    path: PathBuf,
    /// None once it is closed.
    worker: Mutex<Option<Worker<A>>>,
    /// Jobs that were handed over and are not committed.
    queued: AtomicUsize,
}

struct Worker<A> {
    connection: Connection,
    applier: A,
}

impl<A: Apply> Writer<A> {
    /// Starts the thread `name` (at most 15 characters are shown by the kernel) over a connection from
    /// [`open`](crate::open); `path` is only for errors.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(name: &str, path: &Path, connection: Connection, applier: A) -> io::Result<Self> {
        let (inbox, messages) = mpsc::channel(QUEUE);
        let worker = Mutex::new(Some(Worker { connection, applier }));
        let shared = Arc::new(Shared { path: path.to_owned(), worker, queued: AtomicUsize::new(0) });
        let queue = Queue { shared: shared.clone(), messages };
        thread::Builder::new().name(name.to_owned()).spawn(move || queue.work())?;
        Ok(Self { inbox, shared })
    }

    /// Commits one job, or hands it over where others are at work, and answers when it is durable. Waits for a place
    /// while 1024 jobs are queued. Jobs of one caller are applied in the order of their calls; a caller that stops
    /// waiting does not take its job back.
    ///
    /// # Errors
    /// Why the batch was rolled back, or [`Error::Closed`]. The writer works again as soon as the cause is gone.
    pub async fn submit(&self, job: A::Job) -> Result<A::Reply, Error> {
        let job = match self.at_once(job) {
            Ok(answer) => return answer,
            Err(job) => job,
        };
        let place = self.inbox.reserve().await.map_err(|_| Error::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.shared.queued.fetch_add(1, Ordering::SeqCst);
        place.send(Message::Job(Waiting { job, reply }));
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Commits the job here and now if nothing else is under way and this thread may block.
    fn at_once(&self, job: A::Job) -> Result<Result<A::Reply, Error>, A::Job> {
        if self.shared.queued.load(Ordering::SeqCst) > 0 || !may_block() {
            return Err(job);
        }
        let Ok(mut worker) = self.shared.worker.try_lock() else { return Err(job) };
        let Some(worker) = &mut *worker else { return Ok(Err(Error::Closed)) };
        let committed = block_in_place(|| worker.commit(job, || None));
        let failed = |error| Error::sqlite(&self.shared.path, error);
        Ok(committed.map_err(failed).and_then(|mut replies| replies.pop().ok_or(Error::Closed)))
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

/// The thread's side.
struct Queue<A: Apply> {
    shared: Arc<Shared<A>>,
    messages: mpsc::Receiver<Message<A>>,
}

impl<A: Apply> Queue<A> {
    fn work(mut self) {
        let mut closing = false;
        while !closing && let Some(Message::Job(first)) = self.messages.blocking_recv() {
            let mut callers = vec![first.reply];
            let next = || match self.messages.try_recv() {
                Ok(Message::Job(next)) => {
                    callers.push(next.reply);
                    Some(next.job)
                }
                Ok(Message::Close) => {
                    closing = true;
                    None
                }
                Err(_) => None,
            };
            // Poisoned when a job panicked: what it left in memory is not to be trusted.
            let Ok(mut worker) = self.shared.worker.lock() else { break };
            let Some(open) = &mut *worker else { break };
            let committed = open.commit(first.job, next);
            drop(worker);
            self.shared.queued.fetch_sub(callers.len(), Ordering::SeqCst);
            // A caller that went away needs no answer; its job counts all the same.
            match committed {
                Ok(replies) => {
                    callers.into_iter().zip(replies).for_each(|(caller, reply)| drop(caller.send(Ok(reply))));
                }
                Err(error) => {
                    let failure = Error::sqlite(&self.shared.path, error);
                    callers.into_iter().for_each(|caller| drop(caller.send(Err(failure.clone()))));
                }
            }
        }
        // Before the inbox closes, which is what `Writer::close` waits for.
        self.shared.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl<A: Apply> Worker<A> {
    /// One transaction of `first` and what `next` gives until it has nothing or the batch is full.
    fn commit(
        &mut self,
        first: A::Job,
        next: impl FnMut() -> Option<A::Job>,
    ) -> rusqlite::Result<Vec<A::Reply>> {
        let committed = self.transact(first, next);
        match committed {
            Ok(_) => self.applier.committed(),
            Err(_) => self.applier.rolled_back(),
        }
        committed
    }

    fn transact(
        &mut self,
        first: A::Job,
        mut next: impl FnMut() -> Option<A::Job>,
    ) -> rusqlite::Result<Vec<A::Reply>> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut replies, mut weight, mut job) = (Vec::new(), 0, Some(first));
        while let Some(this) = job {
            weight += A::weight(&this);
            replies.push(self.applier.apply(&transaction, this)?);
            job = if weight < BATCH_WEIGHT { next() } else { None };
        }
        transaction.commit()?;
        Ok(replies)
    }
}

/// Whether a wait for the disk on this thread leaves others to do its work meanwhile.
fn may_block() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// Jobs that may wait; beyond it callers wait to hand over.
const QUEUE: usize = 1024;

/// Large enough that a sync is shared by all, small enough that nobody waits long for the others' pages.
const BATCH_WEIGHT: usize = 128;
