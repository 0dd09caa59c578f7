//! The machine as agentd's calls see it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agentd_root::systemd::SystemdError;
use osmoda_types::api::agentd::security::SecurityScoreOut;
use osmoda_types::api::agentd::system::{
    Hostname, MachineHealth, Query, QueryResult, Sort, SystemDiscoverOut, SystemQueryIn, SystemQueryOut,
    Uptime,
};
use osmoda_types::api::agentd::users::{UserListIn, UserListOut};
use osmoda_types::{Clock, Timestamp, Within};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::Semaphore;

use crate::security::{self, Seen};
use crate::telemetry::Ring;

use super::accounts::Accounts;
use super::keeper::Keeper;
use super::procfiles::ProcFiles;
use super::sampler::Sampler;
use super::{
    HostError, cgroups, discover, generations, groups, kernel, mounts, processes, sensors, sockets, units,
};

/// The machine; its sampler runs as long as this lives.
pub struct Machine {
    sampler: Sampler,
    /// Walks over /proc take time and memory: two at once, the others wait.
    walks: Semaphore,
}

const MOST_WALKS: usize = 2;

impl Machine {
    /// Takes the first sample, then samples in the background; within a tokio runtime.
    pub async fn start() -> Self {
        Self::sampling(None).await
    }

    /// As [`Machine::start`], and keeps a sample each 10 s.
    pub(crate) async fn keeping(ring: Arc<Ring>, clock: Arc<dyn Clock>) -> Self {
        Self::sampling(Some(Keeper::new(ring, clock))).await
    }

    async fn sampling(keeper: Option<Keeper>) -> Self {
        Self { sampler: Sampler::start(keeper).await, walks: Semaphore::new(MOST_WALKS) }
    }

    /// How the machine was at the last sample, at most 2 s ago, its disks at most 10 s ago. Reads nothing.
    ///
    /// # Errors
    /// [`HostError::Blind`] while /proc cannot be read.
    pub fn health(&self, daemon_uptime_secs: u64) -> Result<MachineHealth, HostError> {
        let reading = self.sampler.reading()?;
        Ok(MachineHealth {
            cpu: reading.cpu,
            memory: reading.memory,
            swap: reading.swap,
            load_average: reading.load_average,
            disks: reading.disks,
            uptime: uptime().as_secs(),
            daemon_uptime_secs,
        })
    }

    /// Answers a query.
    ///
    /// # Errors
    /// What the query needs and the machine does not have, or an argument that does not belong to it.
    pub async fn query(&self, input: SystemQueryIn) -> Result<SystemQueryOut, HostError> {
        self.answer(input).await.inspect_err(log)
    }

    /// Finds out what runs here.
    ///
    /// # Errors
    /// [`HostError`] where /proc is hidden or systemd does not answer.
    pub async fn discover(&self) -> Result<SystemDiscoverOut, HostError> {
        let units = async {
            match units::listed().await {
                Err(HostError::Systemd(SystemdError::Absent)) => Ok(None),
                answered => answered.map(Some),
            }
        };
        let (units, found) = tokio::join!(units, self.walk(discover::discover));
        let found = found.and_then(|found| Ok(found.with_units(units?)));
        found.inspect_err(log)
    }

    /// Lists accounts.
    ///
    /// # Errors
    /// [`HostError::Read`] where /etc hides them.
    pub async fn users(&self, input: UserListIn) -> Result<UserListOut, HostError> {
        self.walk(move || groups::list(&input)).await.inspect_err(log)
    }

    /// Judges how well the machine is guarded.
    ///
    /// # Errors
    /// [`HostError`] where the sockets are hidden.
    pub async fn security(&self) -> Result<SecurityScoreOut, HostError> {
        // What systemd does not tell is unknown to the one check that needs it.
        let units = units::listed().await.ok();
        let look = move || {
            let listening = sockets::ports(&mut ProcFiles::open()?, discover::MOST_PORTS)?;
            let root = Path::new("/");
            Ok(security::score(&Seen { root, ports: &listening.ports, units: units.as_deref() }))
        };
        self.walk(look).await.inspect_err(log)
    }

    /// When the machine was booted, to the second.
    ///
    /// # Errors
    /// [`HostError::Blind`] while /proc cannot be read.
    pub fn booted_at(&self) -> Result<Timestamp, HostError> {
        Ok(self.sampler.reading()?.booted_at)
    }

    async fn answer(
        &self,
        SystemQueryIn { query, args }: SystemQueryIn,
    ) -> Result<SystemQueryOut, HostError> {
        if args.sort.is_some() && query != Query::Processes {
            return Err(HostError::Argument { pointer: "/args/sort" });
        }
        if args.limit.is_some() && matches!(query, Query::Hostname | Query::Uptime | Query::Kernel) {
            return Err(HostError::Argument { pointer: "/args/limit" });
        }
        let limit = Within::or(args.limit, 100);
        let (answer, total) = match query {
            Query::Processes => {
                let since = processes::Since {
                    booted_at: self.sampler.reading()?.booted_at,
                    uptime: uptime(),
                    earlier: self.sampler.earlier(),
                };
                let sort = args.sort.unwrap_or(Sort::Cpu);
                let (rows, total) = self.walk(move || processes::processes(&since, sort, limit)).await?;
                (QueryResult::Processes(rows), Some(total))
            }
            Query::Disk => listed(QueryResult::Disk, self.sampler.disks.ask().await?, limit),
            Query::Hostname => (QueryResult::Hostname(hostname()?), None),
            Query::Uptime => (QueryResult::Uptime(self.uptime()?), None),
            Query::Services => listed(QueryResult::Services, units::services().await?, limit),
            Query::Ports => {
                let listening = self.walk(move || sockets::ports(&mut ProcFiles::open()?, limit)).await?;
                (QueryResult::Ports(listening.ports), Some(listening.total))
            }
            Query::Connections => {
                let (rows, total) =
                    self.walk(move || sockets::connections(&mut ProcFiles::open()?, limit)).await?;
                (QueryResult::Connections(rows), Some(total))
            }
            Query::Users => listed(QueryResult::Users, Accounts::read()?.users(), limit),
            Query::Mounts => listed(QueryResult::Mounts, mounts::mounts()?, limit),
            Query::Generations => {
                listed(QueryResult::Generations, self.walk(generations::generations).await?, limit)
            }
            Query::Sensors => {
                listed(QueryResult::Sensors, self.walk(|| Ok(sensors::sensors())).await?, limit)
            }
            Query::Cgroups => listed(QueryResult::Cgroups, self.walk(cgroups::cgroups).await?, limit),
            Query::Kernel => (QueryResult::Kernel(self.walk(kernel::kernel).await?), None),
        };
        Ok(SystemQueryOut { answer, total })
    }

    fn uptime(&self) -> Result<Uptime, HostError> {
        Ok(Uptime { uptime_secs: uptime().as_secs(), booted_at: self.sampler.reading()?.booted_at })
    }

    /// Looks at the machine where a look may take its time.
    async fn walk<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, HostError> {
        let _turn = self.walks.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(look).await.unwrap_or(Err(HostError::Lost))
    }
}

/// The first rows and how many there are.
fn listed<T>(
    answer: impl FnOnce(Vec<T>) -> QueryResult,
    mut rows: Vec<T>,
    limit: usize,
) -> (QueryResult, Option<u64>) {
    let total = rows.len() as u64;
    rows.truncate(limit);
    (answer(rows), Some(total))
}

/// Since boot, time asleep included.
fn uptime() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

fn hostname() -> Result<Hostname, HostError> {
    let path = "/proc/sys/kernel/hostname";
    let text = fs::read_to_string(path).map_err(|source| HostError::Read { path: path.into(), source })?;
    Ok(Hostname { hostname: text.trim_end().to_owned() })
}

/// The caller learns that the machine cannot be read, the log learns why.
fn log(error: &HostError) {
    // systemd's trouble is logged where it is answered.
    if !matches!(
        error,
        HostError::Systemd(_) | HostError::NoGenerations | HostError::NoCgroups | HostError::Argument { .. }
    ) {
        tracing::error!(error = error as &dyn std::error::Error, "the machine cannot be read");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::process::{Child, ChildStdout, Command, Stdio};

    use osmoda_types::api::agentd::system::{
        Port, Process, Protocol, QueryArgs, SystemDiscover, SystemQuery,
    };
    use osmoda_types::{Code, Endpoint, Problem, Within};

    use super::*;

    async fn ask(query: Query, args: QueryArgs) -> Result<SystemQueryOut, Problem> {
        Ok(Machine::start().await.query(SystemQueryIn { query, args }).await?)
    }

    fn all() -> QueryArgs {
        QueryArgs { sort: None, limit: Within::new(10_000) }
    }

    /// A child that is killed with the test.
    struct Running(Child);

    impl Running {
        fn start(script: &str) -> (Self, BufReader<ChildStdout>) {
            let mut command = Command::new("sh");
            let mut child =
                command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let told = BufReader::new(child.stdout.take().unwrap());
            (Self(child), told)
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    async fn ports() -> Vec<Port> {
        let Ok(SystemQueryOut { answer: QueryResult::Ports(ports), total }) = ask(Query::Ports, all()).await
        else {
            panic!("ports")
        };
        assert_eq!(total, Some(ports.len() as u64));
        ports
    }

    #[tokio::test]
    async fn a_port_is_found_with_the_process_that_listens() {
        let listeners = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
        let wanted = [
            (Protocol::Tcp, listeners.0.local_addr().unwrap()),
            (Protocol::Udp, listeners.1.local_addr().unwrap()),
        ];
        let ports = ports().await;
        for (protocol, at) in wanted {
            let is_it = |port: &&Port| (port.protocol, port.port) == (protocol, at.port());
            let port = ports.iter().find(is_it).unwrap();
            assert_eq!((port.address.clone(), port.pid), (at.ip().to_string(), Some(std::process::id())));
            assert!(port.process.is_some() && !port.pid_hidden);
        }
        let found = Machine::start().await.discover().await.unwrap();
        let ours = found.services.iter().find(|service| service.pid == Some(std::process::id())).unwrap();
        for (_, at) in wanted {
            assert!(ours.ports.iter().any(|port| port.port == at.port()));
        }
        assert_eq!(found.systemd, fs::exists("/run/systemd/system").unwrap());
    }

    #[tokio::test]
    async fn a_connection_is_found_from_both_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        let Ok(SystemQueryOut { answer: QueryResult::Connections(found), .. }) =
            ask(Query::Connections, all()).await
        else {
            panic!("connections")
        };
        for end in [&near, &far] {
            let local = end.local_addr().unwrap().to_string();
            let remote = end.peer_addr().unwrap().to_string();
            let row = found.iter().find(|row| row.local == local && row.remote == remote).unwrap();
            assert_eq!((row.state.as_str(), row.pid), ("established", Some(std::process::id())));
        }
    }

    #[tokio::test]
    async fn a_busy_process_stands_before_an_idle_one() {
        let (idle, mut told) = Running::start("echo started; read line");
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        // It says so after it has used some time, so that the test need not wait for the kernel to count it.
        let (busy, mut told) = Running::start(
            "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo used; while :; do :; done",
        );
        told.read_line(&mut line).unwrap();
        let Ok(SystemQueryOut { answer: QueryResult::Processes(found), total }) =
            ask(Query::Processes, all()).await
        else {
            panic!("processes")
        };
        assert!(total >= Some(found.len() as u64));
        let in_order = |pair: &[Process]| {
            pair[0].cpu_percent > pair[1].cpu_percent
                || (pair[0].cpu_percent == pair[1].cpu_percent && pair[0].pid < pair[1].pid)
        };
        assert!(found.windows(2).all(in_order));
        let place = |child: &Running| found.iter().position(|process| process.pid == child.0.id()).unwrap();
        let process: &Process = &found[place(&busy)];
        assert!(place(&busy) < place(&idle) && process.cpu_percent > 1.0, "{process:?}");
        assert!(process.command.starts_with("sh -c i=0;") && process.name == "sh");
        assert_eq!((process.ppid, process.uid), (std::process::id(), rustix::process::geteuid().as_raw()));
        assert!(process.memory_bytes > 0 && process.threads == 1);
    }

    #[tokio::test]
    async fn processes_that_end_while_they_are_looked_at_are_left_out() {
        let (_breeder, mut told) = Running::start("echo go; while :; do true & true & wait; done");
        told.read_line(&mut String::new()).unwrap();
        let machine = Machine::start().await;
        for _ in 0..20 {
            let answer = machine.query(SystemQueryIn { query: Query::Processes, args: all() }).await.unwrap();
            let QueryResult::Processes(found) = answer.answer else { panic!("processes") };
            assert!(found.iter().any(|process| process.pid == std::process::id()));
            machine.discover().await.unwrap();
        }
    }

    #[tokio::test]
    async fn every_answer_is_as_its_schema_says() {
        let queries = [
            Query::Processes,
            Query::Disk,
            Query::Hostname,
            Query::Uptime,
            Query::Services,
            Query::Ports,
            Query::Connections,
            Query::Users,
            Query::Mounts,
            Query::Generations,
            Query::Sensors,
            Query::Cgroups,
            Query::Kernel,
        ];
        let conforms = |schema: schemars::Schema, answer: serde_json::Value| {
            jsonschema::validate(&schema.to_value(), &answer)
                .unwrap_or_else(|error| panic!("{error}: {answer}"));
        };
        for query in queries {
            match ask(query, QueryArgs::default()).await {
                Ok(answer) => {
                    let value = serde_json::to_value(&answer).unwrap();
                    assert_eq!(serde_json::from_value::<SystemQueryOut>(value.clone()).unwrap(), answer);
                    assert_eq!(value["query"], serde_json::to_value(query).unwrap());
                    conforms((SystemQuery::CALL.output)(), value);
                }
                Err(problem) => {
                    assert!(
                        [Code::SystemdAbsent, Code::NixAbsent, Code::CgroupAbsent].contains(&problem.code),
                        "{query:?}"
                    );
                }
            }
        }
        let found = Machine::start().await.discover().await.unwrap();
        conforms((SystemDiscover::CALL.output)(), serde_json::to_value(found).unwrap());
    }

    #[tokio::test]
    async fn the_root_is_mounted_and_root_is_an_account() {
        let Ok(QueryResult::Mounts(mounts)) = ask(Query::Mounts, all()).await.map(|out| out.answer) else {
            panic!("mounts")
        };
        assert!(mounts.iter().any(|mount| mount.mount == "/"));
        let Ok(QueryResult::Users(users)) = ask(Query::Users, all()).await.map(|out| out.answer) else {
            panic!("users")
        };
        assert!(users.iter().any(|user| user.name == "root" && user.uid == 0 && user.system));
    }

    #[tokio::test]
    async fn health_is_there_from_the_start() {
        let health = Machine::start().await.health(7).unwrap();
        assert!(health.cpu.cores.len() >= std::thread::available_parallelism().map_or(1, usize::from));
        assert!(health.cpu.cores.iter().all(|core| (0.0..=100.0).contains(&core.usage_percent)));
        assert!(health.memory.total_bytes >= health.memory.available_bytes);
        assert_eq!(health.daemon_uptime_secs, 7);
    }

    #[tokio::test]
    async fn a_limit_leaves_rows_out_and_says_how_many_there_are() {
        let args = QueryArgs { sort: Some(Sort::Memory), limit: Within::new(1) };
        let answer = ask(Query::Processes, args).await.unwrap();
        let QueryResult::Processes(rows) = answer.answer else { panic!("processes") };
        assert!(rows.len() == 1 && answer.total > Some(1));
    }

    #[tokio::test]
    async fn an_argument_that_does_not_belong_to_the_query_is_refused() {
        let args = QueryArgs { sort: Some(Sort::Memory), limit: None };
        let problem = ask(Query::Users, args).await.unwrap_err();
        assert_eq!((problem.code, problem.errors[0].at.as_str()), (Code::RequestField, "/args/sort"));
        let args = QueryArgs { sort: None, limit: Within::new(1) };
        assert_eq!(ask(Query::Hostname, args).await.unwrap_err().errors[0].at, "/args/limit");
    }
}
