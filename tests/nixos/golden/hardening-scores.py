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

machine.wait_for_unit("osmoda-agentd.service")
done(machine, "POST", "/file/write", {"path": "/srv/hello", "content": "hello"}, user="osmoda-agent")

services = machine.succeed("systemctl list-unit-files --no-legend --plain 'osmoda-*.service' | cut -d' ' -f1").split()
units = {name: machine.get_unit_info(name) for name in services}
root = [name for name, unit in units.items() if unit.get("User", "") in ["", "root"] and unit.get("DynamicUser") != "yes"]

with subtest("every unprivileged daemon scores 2.0 or better"):
    plain = sorted(set(services) - set(root))
    t.assertIn("osmoda-agentd.service", plain)
    for name in plain:
        machine.succeed(f"systemd-analyze security --no-pager --threshold=20 {name}")

with subtest("one daemon is root, and it is the one that is known"):
    t.assertEqual(root, ["osmoda-agentd-root.service"])

with subtest("agentd can write its state and its backups, and nothing else"):
    pid = machine.succeed("systemctl show --value -P MainPID osmoda-agentd").strip()
    mounts = [line.split() for line in machine.succeed(f"cat /proc/{pid}/mountinfo").splitlines()]
    on_disk = {line[4] for line in mounts if line[line.index("-") + 1] in ["overlay", "ext4", "btrfs", "9p"] and "rw" in line[5].split(",") and not line[4].startswith("/run/")}
    t.assertTrue(on_disk, mounts)
    for place in on_disk:
        t.assertRegex(place, "^(/var/lib/osmoda/|/var/backups/osmoda|/tmp|/var/tmp)")
    for place in ["/", "/etc", "/home", "/nix/store", "/srv", "/usr", "/var/log"]:
        machine.fail(f"nsenter --target {pid} --mount --setuid $(id -u osmoda-agentd) --setgid $(id -g osmoda-agentd) touch {place}/from-agentd 2>/dev/null")

with subtest("agentd may open no socket to the network and load no program into the kernel"):
    info = machine.get_unit_info("osmoda-agentd.service")
    t.assertEqual(set(info["RestrictAddressFamilies"].split()), {"AF_NETLINK", "AF_UNIX"})
    t.assertNotIn("bpf", info["SystemCallFilter"].split())
    t.assertEqual((info["MemoryDenyWriteExecute"], info["NoNewPrivileges"], info["PrivateUsers"]), ("yes", "yes", "no"))
