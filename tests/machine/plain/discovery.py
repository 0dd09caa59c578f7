"""Discovery on a machine with systemd: real servers, each as its own user, found by an agentd that is an ordinary user.

A check takes `machine`: succeed(command) gives what it printed, call(method, path, body) an answer with .status and .json."""
import json, statistics, time

PACKAGES = ["nginx-light", "postgresql", "redis-server", "nodejs", "openssh-server", "nftables", "python3"]
NODE = "require('http').createServer((q, r) => r.end('x')).listen(3000, '127.0.0.1')"
# Kind, unit (a prefix: postgresql@15-main), a port it listens on.
SERVERS = [
    ("nginx", "nginx.service", 80),
    ("postgres", "postgresql@", 5432),
    ("redis", "redis-server.service", 6379),
    ("sshd", "ssh.service", 22),
    ("node", "test-node.service", 3000),
]


def checks(machine):
    def services():
        answer = machine.call("GET", "/system/discover", None)
        assert answer.status == 200, answer.json
        return answer.json

    def found():
        machine.succeed("systemctl start nginx postgresql redis-server ssh")
        machine.succeed(f"systemd-run --unit=test-node --uid=nobody node -e {json.dumps(NODE)}")
        end = time.monotonic() + 60
        while True:
            seen = services()
            lacking = [server for server in SERVERS if not match(seen, *server)]
            if not lacking:
                break
            assert time.monotonic() < end, (lacking, seen["services"])
            time.sleep(0.2)
        assert seen["systemd"]
        for kind, prefix, port in SERVERS:
            row = match(seen, kind, prefix, port)
            assert int(machine.succeed(f"systemctl show --property=MainPID --value {row['unit']}")) == row["pid"], row
            unit = next(unit for unit in seen["units"] if unit["unit"] == row["unit"])
            assert (unit["active"], unit["main_pid"]) == ("active", row["pid"]), unit

    def match(seen, kind, prefix, port):
        rows = (row for row in seen["services"] if row["kind"] == kind and (row["unit"] or "").startswith(prefix))
        return next((row for row in rows if any(at["port"] == port for at in row["ports"])), None)

    def gone():
        machine.succeed("systemctl stop redis-server")
        assert not match(services(), "redis", "redis", 6379)
        machine.succeed("systemctl start redis-server")

    def quick():
        machine.succeed("systemd-run --unit=test-crowd sh -c 'for i in $(seq 200); do sleep 600 & done; wait'")
        took = []
        for _ in range(20):
            begun = time.perf_counter()
            services()
            took.append(time.perf_counter() - begun)
        machine.succeed("systemctl stop test-crowd")
        print(f"discovery with 200 processes more: {statistics.median(took) * 1e3:.0f} ms (target < 60)")

    yield "each server is found with its kind, unit, main process and port", found
    yield "a server that was stopped is not found", gone
    yield "with 200 processes more it is still quick", quick
