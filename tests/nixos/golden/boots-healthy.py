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

machine.wait_for_unit("multi-user.target")

with subtest("agentd is ready and healthy without a key, a network or a person"):
    machine.wait_for_unit("osmoda-agentd.service")
    health = done(machine, "GET", "/health")
    t.assertEqual(health["status"], "ok", health)
    t.assertEqual([check for check in health["checks"] if check["status"] != "ok"], [])

with subtest("nothing failed, and nobody complained"):
    t.assertEqual(machine.succeed("systemctl list-units --failed --plain --no-legend 'osmoda*'"), "")
    t.assertEqual(machine.succeed("journalctl --boot --unit='osmoda*' --priority=warning --output=cat --no-pager"), "")

with subtest("systemd understands every unit"):
    said = machine.succeed("systemd-analyze verify --man=no --recursive-errors=no /etc/systemd/system/osmoda-*.service /etc/systemd/system/osmoda-*.socket 2>&1")
    t.assertEqual(said, "")

with subtest("agentd sees no programs but sh and env, and its own PATH has what it needs"):
    view = machine.succeed("ls /proc/$(systemctl show --value -P MainPID osmoda-agentd)/root/usr/bin").split()
    t.assertLessEqual(set(view), {"env", "sh"})
    path = machine.succeed("tr '\\0' '\\n' < /proc/$(systemctl show --value -P MainPID osmoda-agentd)/environ | sed -n s/^PATH=//p")
    t.assertNotIn("/usr/bin", path)
    machine.succeed(f"PATH={path.strip()} command -v journalctl", f"PATH={path.strip()} command -v age")

with subtest("the ledger began with this machine, and is whole"):
    machine.succeed("agentctl verify-ledger")
    first = done(machine, "GET", "/events/log?after_id=0&limit=1")["events"][0]
    t.assertEqual((first["id"], first["type"], first["actor"]), (1, "agentd.ledger.created", "daemon:agentd"))

with subtest("it comes back by itself after a loss of power, with the same ledger"):
    machine.succeed("sync")
    machine.crash()
    machine.start()
    machine.wait_for_unit("osmoda-agentd.service")
    t.assertEqual(done(machine, "GET", "/events/log?after_id=0&limit=1")["events"][0], first)
    machine.succeed("agentctl verify-ledger")
