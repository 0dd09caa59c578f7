import json
import shlex
from typing import Any


def call(
    machine: BaseMachine,
    method: str,
    path: str,
    body: Any = None,
    user: str = "root",
    headers: str = "",
) -> tuple[int, Any]:
    """Status and answer of a call to agentd, made with curl as `user`."""
    words = ["setpriv", f"--reuid={user}", f"--regid=$(id -g {user})", "--init-groups", "curl", "-s", "-X", method]
    if body is not None:
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(body))]
    words += ["-w", "'\\n%{http_code}'", "--unix-socket", "/run/osmoda/agentd.sock", headers, shlex.quote(f"http://l{path}")]
    answer, status = machine.succeed(" ".join(words)).rsplit("\n", 1)
    return int(status), json.loads(answer)


def done(machine: BaseMachine, method: str, path: str, body: Any = None, user: str = "root", headers: str = "") -> Any:
    """The answer of a call that must go well."""
    status, answer = call(machine, method, path, body, user, headers)
    assert status == 200, f"{method} {path}: {status} {answer}"
    return answer


def start_load(machine: BaseMachine, program: str, workers: int = 3, folder: str = "") -> None:
    """Calls to agentd without a pause (load.py), until `end_load`."""
    machine.succeed(f"mkdir -p /run/load && rm -f /run/load-stop /run/load/* && echo {shlex.quote(program)} > /run/load.py")
    for worker in range(workers):
        machine.succeed(
            f"systemd-run --quiet --unit=load-{worker} --property=StandardOutput=file:/run/load/{worker}"
            f" $(command -v python3) /run/load.py {folder}"
        )


def end_load(machine: BaseMachine, workers: int = 3) -> tuple[list[str], list[str]]:
    """What was acknowledged, and what failed."""
    machine.succeed("touch /run/load-stop")
    for worker in range(workers):
        machine.wait_until_fails(f"systemctl is-active load-{worker}")
    said = [json.loads(line) for line in machine.succeed("cat /run/load/*").splitlines()]
    assert len(said) == workers, said
    return [title for one in said for title in one["acknowledged"]], [why for one in said for why in one["failed"]]

start_all()
server.wait_for_unit("osmoda-agentd.service")
server.wait_for_unit("nftables.service")
server.succeed("systemd-run --unit=web $(command -v python3) -m http.server 8000")
server.wait_for_open_port(8000)
address = client.succeed("getent ahostsv4 client | cut -d' ' -f1 | head -n 1").strip()
get = "curl -s -o /dev/null --max-time 20 http://server:8000/"
closed = get.replace("20", "1")


def firewall(verb: str, **what: Any) -> Any:
    path = "/network/firewall" if verb == "allow" else "/network/firewall/revoke"
    return done(server, "POST", path, {"protocol": "tcp", "port": 8000, **what}, user="osmoda-agent")


with subtest("the port is closed as declared"):
    client.wait_until_succeeds("ping -c 1 server")
    client.fail(closed)
    t.assertEqual(done(server, "GET", "/network/firewall")["openings"], [])

with subtest("opened for everybody, it answers; revoked, it does not"):
    firewall("allow")
    client.succeed(get)
    t.assertEqual([row["port"] for row in done(server, "GET", "/network/firewall")["openings"]], [8000])
    firewall("revoke")
    client.fail(closed)

with subtest("opened for one network, others stay outside"):
    firewall("allow", source="203.0.113.0/24")
    client.fail(closed)
    firewall("allow", source=f"{address}/32")
    client.succeed(get)
    firewall("revoke", source=f"{address}/32")
    client.fail(closed)

with subtest("opened for some seconds, it closes by itself"):
    firewall("allow", ttl_secs=8)
    client.succeed(get)
    client.wait_until_fails(closed, timeout=120)

with subtest("undo shuts what was opened"):
    firewall("allow")
    client.succeed(get)
    done(server, "POST", "/undo", {"since": "5m"}, user="osmoda-agent")
    client.fail(closed)
    t.assertEqual(done(server, "GET", "/network/firewall")["openings"], [])
