//! Programs we know by name, by what an interpreter runs, or by where they listen.

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// It serves, whether or not it listens on a port; a runtime such as node serves only if it listens.
    pub(super) serves: bool,
}

/// The kind of a process by the kernel's name of it and its command line (words that end in NUL).
pub(super) fn kind(name: &str, command: &[u8]) -> Option<Kind> {
    let command = String::from_utf8_lossy(command);
    let mut words = command.split('\0').map(|word| word.rsplit('/').next().unwrap_or_default());
    // Some set their title: `nginx: master process`.
    let first = words.next().unwrap_or_default().split(':').next().unwrap_or_default();
    let programs = [program(name), program(first)];
    let serves = |name| Kind { name, serves: true };
    if let Some((kind, ..)) = SERVERS.iter().find(|(_, names, _)| programs.iter().any(|p| names.contains(p)))
    {
        return Some(serves(kind));
    }
    let is_of = |runtime: &str| programs.iter().any(|program| program.trim_end_matches(VERSION) == runtime);
    let runtime = RUNTIMES.iter().find(|(_, names)| names.iter().any(|name| is_of(name)))?;
    let is_run = |application: &str| words.clone().take(MOST_WORDS).any(|word| word.contains(application));
    let application = APPLICATIONS.iter().find(|(word, _)| is_run(word));
    Some(application.map_or(Kind { name: runtime.0, serves: false }, |(_, kind)| serves(kind)))
}

/// The kind of a process that is hidden from us: what usually listens there.
pub(super) fn kind_at(port: u16) -> Option<&'static str> {
    SERVERS.iter().find(|(_, _, ports)| ports.contains(&port)).map(|(kind, ..)| *kind)
}

/// Its name without what Nix puts around it: `.nginx-wrapped`, which the kernel cuts to 15 bytes.
pub(super) fn program(name: &str) -> &str {
    let Some(hidden) = name.strip_prefix('.') else { return name };
    hidden.split("-wrap").next().unwrap_or(hidden)
}

/// `python3.12` is python.
const VERSION: fn(char) -> bool = |letter| letter.is_ascii_digit() || letter == '.' || letter == '-';

/// How far into a command line we look for the application: JVM options are many.
const MOST_WORDS: usize = 64;

/// Kind, names of its programs (the kernel keeps 15 bytes), ports that it is known by.
const SERVERS: &[(&str, &[&str], &[u16])] = &[
    ("apache", &["apache2", "httpd"], &[]),
    ("avahi", &["avahi-daemon"], &[5353]),
    ("bind", &["named"], &[]),
    ("caddy", &["caddy"], &[2019]),
    ("chrony", &["chronyd"], &[123, 323]),
    ("cloudflared", &["cloudflared"], &[]),
    ("consul", &["consul"], &[8500]),
    ("containerd", &["containerd"], &[]),
    ("cups", &["cupsd"], &[631]),
    ("dnsmasq", &["dnsmasq"], &[]),
    ("docker", &["dockerd", "docker-proxy"], &[2375, 2376]),
    ("dovecot", &["dovecot"], &[143, 993]),
    ("elasticsearch", &["elasticsearch"], &[9200]),
    ("envoy", &["envoy"], &[]),
    ("erlang", &["beam.smp", "epmd"], &[4369]),
    ("etcd", &["etcd"], &[2379]),
    ("gitea", &["gitea", "forgejo"], &[]),
    ("grafana", &["grafana", "grafana-server"], &[]),
    ("haproxy", &["haproxy"], &[]),
    ("influxdb", &["influxd"], &[8086]),
    ("kubernetes", &["kubelet", "k3s-server", "kube-apiserver"], &[6443, 10250]),
    ("mariadb", &["mariadbd"], &[]),
    ("memcached", &["memcached"], &[11211]),
    ("minio", &["minio"], &[]),
    ("mongodb", &["mongod"], &[27017]),
    ("mosquitto", &["mosquitto"], &[1883]),
    ("mysql", &["mysqld"], &[3306]),
    ("nats", &["nats-server"], &[4222]),
    ("nfs", &["rpc.mountd", "rpc.nfsd"], &[2049]),
    ("nginx", &["nginx"], &[]),
    ("node-exporter", &["node_exporter"], &[9100]),
    ("ollama", &["ollama"], &[11434]),
    ("openvpn", &["openvpn"], &[1194]),
    (
        "osmoda",
        &[
            "agentd",
            "osmoda-egress",
            "osmoda-keyd",
            "osmoda-mcpd",
            "osmoda-mesh",
            "osmoda-routines",
            "osmoda-teachd",
            "osmoda-voice",
            "osmoda-watch",
        ],
        &[],
    ),
    ("php", &["php-fpm"], &[]),
    ("podman", &["podman"], &[]),
    ("postfix", &["master"], &[25]),
    ("postgres", &["postgres", "postmaster"], &[5432]),
    ("prometheus", &["prometheus"], &[9090]),
    ("rabbitmq", &["rabbitmq-server"], &[5672]),
    ("redis", &["redis-server"], &[6379]),
    ("resolved", &["systemd-resolve"], &[5355]),
    ("rpcbind", &["rpcbind"], &[111]),
    ("samba", &["smbd"], &[445]),
    ("sshd", &["sshd"], &[22]),
    ("syncthing", &["syncthing"], &[8384, 22000]),
    ("tailscale", &["tailscaled"], &[]),
    ("traefik", &["traefik"], &[]),
    ("unbound", &["unbound"], &[]),
    ("valkey", &["valkey-server"], &[]),
    ("vault", &["vault"], &[8200]),
    ("wireguard", &[], &[51820]),
    ("zookeeper", &[], &[2181]),
];

/// Interpreters and virtual machines; node calls its main thread `MainThread`.
const RUNTIMES: &[(&str, &[&str])] = &[
    ("bun", &["bun"]),
    ("deno", &["deno"]),
    ("dotnet", &["dotnet"]),
    ("java", &["java"]),
    ("node", &["node", "nodejs"]),
    ("php", &["php", "php-fpm"]),
    ("python", &["python"]),
    ("ruby", &["ruby"]),
];

/// What an interpreter runs, by a part of the file name of one of its words.
const APPLICATIONS: &[(&str, &str)] = &[
    ("celery", "celery"),
    ("elasticsearch", "elasticsearch"),
    ("gunicorn", "gunicorn"),
    ("home-assistant", "home-assistant"),
    ("hass", "home-assistant"),
    ("jenkins", "jenkins"),
    ("jupyter", "jupyter"),
    ("kafka", "kafka"),
    ("keycloak", "keycloak"),
    ("openclaw", "openclaw"),
    ("puma", "puma"),
    ("uvicorn", "uvicorn"),
    ("vllm", "vllm"),
    ("zookeeper", "zookeeper"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(name: &str, command: &str) -> Option<&'static str> {
        kind(name, command.replace(' ', "\0").as_bytes()).map(|kind| kind.name)
    }

    #[test]
    fn a_program_is_known_however_it_was_started() {
        assert_eq!(name_of("nginx", "nginx: master process"), Some("nginx"));
        assert_eq!(
            name_of(".postgres-wrapp", "/nix/store/x-postgresql/bin/postgres -D /x"),
            Some("postgres")
        );
        assert_eq!(name_of(".nginx-wrapped", ""), Some("nginx"));
        assert_eq!(name_of("redis-server", "/usr/bin/redis-server 127.0.0.1:6379"), Some("redis"));
        assert_eq!(name_of("MainThread", "/usr/bin/node server.js"), Some("node"));
        assert_eq!(name_of("php-fpm8.2", "php-fpm: master process"), Some("php"));
        assert_eq!(name_of("bash", "bash nginx.sh"), None);
        assert_eq!(name_of("", ""), None);
    }

    #[test]
    fn a_runtime_is_what_it_runs_where_that_is_known() {
        assert_eq!(name_of("gunicorn", "/usr/bin/python3.12 /usr/bin/gunicorn app:app"), Some("gunicorn"));
        assert_eq!(name_of("java", "java -Xmx1g -jar /opt/kafka/libs/kafka.jar"), Some("kafka"));
        let python = kind("python3", b"python3\0a.py\0").unwrap();
        assert_eq!(python, Kind { name: "python", serves: false });
    }

    #[test]
    fn no_port_and_no_program_is_two_kinds() {
        let mut ports: Vec<u16> = SERVERS.iter().flat_map(|(_, _, ports)| *ports).copied().collect();
        let mut programs: Vec<&str> =
            SERVERS.iter().flat_map(|(_, programs, _)| *programs).copied().collect();
        assert!(programs.iter().all(|program| program.len() <= 15));
        let (all_ports, all_programs) = (ports.len(), programs.len());
        ports.sort_unstable();
        ports.dedup();
        programs.sort_unstable();
        programs.dedup();
        assert_eq!((ports.len(), programs.len()), (all_ports, all_programs));
        assert_eq!((kind_at(5432), kind_at(5433)), (Some("postgres"), None));
    }
}
