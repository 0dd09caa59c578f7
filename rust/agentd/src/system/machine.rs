//! The machine as agentd's calls see it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use osmoda_types::api::agentd::system::{
    Cpu, Hostname, LoadAverage, MachineHealth, Memory, Query, QueryResult, Sort, Swap, SystemDiscoverOut,
    SystemQueryIn, SystemQueryOut, Uptime,
};
use osmoda_types::{Clock, Timestamp};
use procfs::Current;

use super::accounts::Accounts;
use super::sampler::Sampler;
use super::{HostError, discover, disks, generations, processes, sockets, units};

/// The machine; its sampler runs as long as this lives.
pub struct Machine {
    shared: Arc<Shared>,
}

/// What a look at the machine needs.
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sampler: Sampler,
    /// Mounts whose server did not answer yet; they are not asked twice at a time.
    pub(super) hanging: Mutex<HashSet<String>>,
}

impl Machine {
    /// Starts to sample; within a tokio runtime.
    pub fn start(clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared { clock, sampler: Sampler::start(), hanging: Mutex::default() }) }
    }

    /// How the machine is. Never waits for a sample, nor for a disk that does not answer.
    ///
    /// # Errors
    /// [`HostError::Proc`] where /proc is hidden.
    pub async fn health(&self, daemon_uptime_secs: u64) -> Result<MachineHealth, HostError> {
        let memory = procfs::Meminfo::current()?;
        let load = procfs::LoadAverage::current()?;
        let available = memory.mem_available.unwrap_or(memory.mem_free);
        let (usage_percent, cores) = self.shared.sampler.cpu();
        Ok(MachineHealth {
            cpu: Cpu { usage_percent, cores },
            memory: Memory {
                total_bytes: memory.mem_total,
                used_bytes: memory.mem_total.saturating_sub(available),
                available_bytes: available,
            },
            swap: Swap {
                total_bytes: memory.swap_total,
                used_bytes: memory.swap_total.saturating_sub(memory.swap_free),
            },
            load_average: LoadAverage { one: load.one, five: load.five, fifteen: load.fifteen },
            disks: disks::disks(&self.shared).await?,
            uptime: uptime()?.as_secs(),
            daemon_uptime_secs,
        })
    }

    /// Answers a query.
    ///
    /// # Errors
    /// What the query needs and the machine does not have.
    pub async fn query(&self, input: SystemQueryIn) -> Result<SystemQueryOut, HostError> {
        let (query, args) = (input.query, input.args);
        if args.sort.is_some() && query != Query::Processes {
            return Err(HostError::Argument { pointer: "/args/sort" });
        }
        if args.limit.is_some() && matches!(query, Query::Hostname | Query::Uptime) {
            return Err(HostError::Argument { pointer: "/args/limit" });
        }
        let limit = args.limit.map_or(100, |limit| usize::try_from(limit.get()).unwrap_or(usize::MAX));
        let sort = args.sort.unwrap_or(Sort::Cpu);
        let result = match query {
            Query::Processes => {
                let shared = self.shared.clone();
                QueryResult::Processes(looked(move || processes::processes(&shared, sort, limit)).await?)
            }
            Query::Disk => QueryResult::Disk(first(limit, disks::disks(&self.shared).await?)),
            Query::Hostname => QueryResult::Hostname(hostname()?),
            Query::Uptime => QueryResult::Uptime(self.uptime()?),
            Query::Services => QueryResult::Services(first(limit, units::services().await?)),
            Query::Ports => QueryResult::Ports(first(limit, looked(sockets::ports).await?.0)),
            Query::Connections => {
                QueryResult::Connections(looked(move || sockets::connections(limit)).await?)
            }
            Query::Users => QueryResult::Users(first(limit, Accounts::read()?.users())),
            Query::Mounts => QueryResult::Mounts(first(limit, disks::mounts()?)),
            Query::Generations => {
                QueryResult::Generations(first(limit, looked(generations::generations).await?))
            }
        };
        Ok(SystemQueryOut { query, result })
    }

    /// Finds out what runs here.
    ///
    /// # Errors
    /// [`HostError::Proc`] or [`HostError::Read`] where /proc is hidden.
    pub async fn discover(&self) -> Result<SystemDiscoverOut, HostError> {
        let units = match units::services().await {
            Err(HostError::NoSystemd) => None,
            answered => Some(answered?),
        };
        looked(move || discover::discover(units)).await
    }

    fn uptime(&self) -> Result<Uptime, HostError> {
        let up = uptime()?;
        Ok(Uptime { uptime_secs: up.as_secs(), booted_at: self.shared.clock.now().minus(up) })
    }
}

/// Runs a look at the machine where it may take its time.
async fn looked<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, HostError> + Send + 'static,
) -> Result<T, HostError> {
    tokio::task::spawn_blocking(look).await.unwrap_or(Err(HostError::Lost))
}

fn first<T>(limit: usize, mut rows: Vec<T>) -> Vec<T> {
    rows.truncate(limit);
    rows
}

fn uptime() -> Result<Duration, HostError> {
    Ok(procfs::Uptime::current()?.uptime_duration())
}

fn hostname() -> Result<Hostname, HostError> {
    let path = "/proc/sys/kernel/hostname";
    let text =
        std::fs::read_to_string(path).map_err(|source| HostError::Read { path: path.into(), source })?;
    Ok(Hostname { hostname: text.trim_end().to_owned() })
}

/// When the machine was started, seen from now.
pub(super) fn booted_at(clock: &dyn Clock) -> Result<Timestamp, HostError> {
    Ok(clock.now().minus(uptime()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::process::{Command, Stdio};

    use osmoda_runtime::SystemClock;
    use osmoda_types::api::agentd::system::{Protocol, QueryArgs};
    use osmoda_types::{Code, Problem, Within};

    use super::*;

    async fn ask(machine: &Machine, query: Query, args: QueryArgs) -> Result<QueryResult, Problem> {
        Ok(machine.query(SystemQueryIn { query, args }).await?.result)
    }

    fn machine() -> Machine {
        Machine::start(Arc::new(SystemClock))
    }

    #[tokio::test]
    async fn a_port_is_found_with_the_process_that_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let waiting = UdpSocket::bind("[::1]:0").unwrap();
        let wanted = [
            (Protocol::Tcp, listener.local_addr().unwrap().port()),
            (Protocol::Udp, waiting.local_addr().unwrap().port()),
        ];
        let Ok(QueryResult::Ports(ports)) = ask(&machine(), Query::Ports, QueryArgs::default()).await else {
            panic!("ports")
        };
        for (protocol, number) in wanted {
            let port = ports.iter().find(|port| (port.protocol, port.port) == (protocol, number)).unwrap();
            assert_eq!(port.pid, Some(std::process::id()), "{port:?}");
            assert!(port.process.is_some());
        }
        let found = machine().discover().await.unwrap();
        let ours = found.services.iter().find(|service| service.pid == std::process::id()).unwrap();
        assert_eq!(ours.ports.len(), 2);
    }

    #[tokio::test]
    async fn a_busy_process_is_on_top() {
        let mut busy =
            Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
        let machine = machine();
        let args = QueryArgs { sort: Some(Sort::Cpu), limit: Within::new(10_000) };
        // It is as busy as the machine lets it; wait for the kernel to have counted some of it.
        let found = loop {
            tokio::task::yield_now().await;
            let Ok(QueryResult::Processes(all)) = ask(&machine, Query::Processes, args.clone()).await else {
                panic!("processes")
            };
            assert!(all.windows(2).all(|pair| pair[0].cpu_percent >= pair[1].cpu_percent));
            if let Some(found) =
                all.into_iter().find(|process| process.pid == busy.id() && process.cpu_percent > 1.0)
            {
                break found;
            }
        };
        assert!(found.command.contains("while :") && found.name == "sh" && found.ppid == std::process::id());
        busy.kill().unwrap();
        busy.wait().unwrap();
    }

    #[tokio::test]
    async fn the_root_is_mounted_and_root_is_an_account() {
        let machine = machine();
        let Ok(QueryResult::Mounts(mounts)) = ask(&machine, Query::Mounts, QueryArgs::default()).await else {
            panic!("mounts")
        };
        assert!(mounts.iter().any(|mount| mount.mount == "/"));
        let Ok(QueryResult::Users(users)) = ask(&machine, Query::Users, QueryArgs::default()).await else {
            panic!("users")
        };
        assert!(users.iter().any(|user| user.name == "root" && user.uid == 0 && user.system));
        let health = machine.health(0).await.unwrap();
        assert!(health.cpu.cores.len() >= std::thread::available_parallelism().map_or(1, usize::from));
        assert!(
            health.memory.total_bytes >= health.memory.available_bytes && health.memory.available_bytes > 0
        );
        assert!(health.disks.iter().all(|disk| disk.total_bytes >= disk.used_bytes));
    }

    #[tokio::test]
    async fn an_argument_that_does_not_belong_to_the_query_is_refused() {
        let args = QueryArgs { sort: Some(Sort::Memory), limit: None };
        let problem = ask(&machine(), Query::Users, args).await.unwrap_err();
        assert_eq!((problem.code, problem.errors[0].at.as_str()), (Code::RequestField, "/args/sort"));
        let args = QueryArgs { sort: None, limit: Within::new(1) };
        assert_eq!(ask(&machine(), Query::Hostname, args).await.unwrap_err().errors[0].at, "/args/limit");
    }
}
