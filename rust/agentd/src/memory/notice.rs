//! The kernel's word on what changes in the folder (inotify(7)).

use std::collections::{BTreeSet, HashMap};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::files::{Tree, is_entry_name, is_number};

/// What changed since the last time.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Files.
    pub(super) paths: BTreeSet<String>,
    /// Months that came or went.
    pub(super) months: BTreeSet<String>,
    /// Too much to tell, or the folders themselves: look at everything and watch anew.
    pub(super) all: bool,
}

impl Changed {
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.months.is_empty() && !self.all
    }
}

/// Watches the folder, its years and its months.
pub(super) struct Notices {
    queue: AsyncFd<OwnedFd>,
    folders: HashMap<i32, String>,
}

impl Notices {
    /// Blocks for a moment.
    ///
    /// # Errors
    /// Where the kernel gives no more watches.
    pub(super) fn new(tree: &Tree) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "its replacement is unsafe for the sake of types that may close early; an OwnedFd does not"
        )]
        let queue = AsyncFd::new(queue)?;
        let mut notices = Self { queue, folders: HashMap::new() };
        notices.add(tree, "")?;
        for year in tree.folders("", 4).map_err(io::Error::other)? {
            notices.add_year(tree, &year)?;
        }
        Ok(notices)
    }

    fn add_year(&mut self, tree: &Tree, year: &str) -> io::Result<Vec<String>> {
        self.add(tree, year)?;
        let months = tree.folders(year, 2).map_err(io::Error::other)?;
        let months: Vec<String> = months.into_iter().map(|month| format!("{year}/{month}")).collect();
        months.iter().try_for_each(|month| self.add(tree, month))?;
        Ok(months)
    }

    fn add(&mut self, tree: &Tree, folder: &str) -> io::Result<()> {
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::EXCL_UNLINK;
        match inotify::add_watch(self.queue.get_ref(), tree.path(folder), flags) {
            Ok(number) => {
                self.folders.insert(number, folder.to_owned());
                Ok(())
            }
            // It went again; its parent tells.
            Err(Errno::NOENT | Errno::NOTDIR) if !folder.is_empty() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for a change and takes all that are there.
    pub(super) async fn next(&mut self, tree: &Tree) -> io::Result<Changed> {
        loop {
            let mut ready = self.queue.readable().await?;
            let events = match ready.try_io(|queue| take(queue.get_ref())) {
                Ok(events) => events?,
                Err(_) => continue,
            };
            drop(ready);
            let mut changed = Changed::default();
            for (number, flags, name) in events {
                self.note(tree, &mut changed, number, flags, name)?;
            }
            if !changed.is_empty() {
                return Ok(changed);
            }
        }
    }

    fn note(
        &mut self,
        tree: &Tree,
        changed: &mut Changed,
        number: i32,
        flags: ReadFlags,
        name: Option<String>,
    ) -> io::Result<()> {
        let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF;
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) || flags.intersects(gone) {
            changed.all = true;
            return Ok(());
        }
        let (Some(folder), Some(name)) = (self.folders.get(&number).cloned(), name) else { return Ok(()) };
        let came = flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        match folder.len() {
            0 if is_number(&name, 4) => {
                if came {
                    let months = self.add_year(tree, &name)?;
                    changed.months.extend(months);
                } else {
                    changed.all = true;
                }
            }
            4 if is_number(&name, 2) => {
                let month = format!("{folder}/{name}");
                if came {
                    self.add(tree, &month)?;
                }
                changed.months.insert(month);
            }
            7 if is_entry_name(&name) => {
                changed.paths.insert(format!("{folder}/{name}"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Everything in the queue: folder, what happened, and to which name. Names that are not UTF-8 are no entries.
fn take(queue: &OwnedFd) -> io::Result<Vec<(i32, ReadFlags, Option<String>)>> {
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut reader = Reader::new(queue, &mut buffer);
    let mut events = Vec::new();
    // Only an empty buffer may be dropped: what it holds is taken, however much there is already.
    while events.len() < AT_ONCE || !reader.is_buffer_empty() {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name().and_then(|name| name.to_str().ok()).map(str::to_owned);
                events.push((event.wd(), event.events(), name));
            }
            Err(Errno::AGAIN) if events.is_empty() => return Err(ErrorKind::WouldBlock.into()),
            Err(Errno::AGAIN) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(events)
}

/// Events taken before they are worked on; one buffer more at the most.
const AT_ONCE: usize = 4096;
