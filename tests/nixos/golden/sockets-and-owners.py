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


def owner(path: str) -> str:
    return machine.succeed(f"stat -c '%U:%G %a' {path}").strip()


def get_as(user: str, path: str) -> tuple[int, str | None]:
    status, answer = call(machine, "GET", path, user=user)
    return status, answer.get("code")


with subtest("sockets belong to root and to those who may call"):
    t.assertEqual(owner("/run/osmoda"), "root:osmoda 755")
    t.assertEqual(owner("/run/osmoda/agentd.sock"), "root:osmoda 660")
    t.assertEqual(owner("/run/osmoda/root.sock"), "osmoda-agentd:root 600")
    t.assertEqual(machine.succeed("ls /run/osmoda").split(), ["agentd.sock", "root.sock"])

with subtest("configuration is root's, state and backups are agentd's alone"):
    for path in ["/etc/osmoda/agentd.json", "/etc/osmoda/agentd-root.json"]:
        t.assertRegex(machine.succeed(f"stat -L -c '%U:%G %a' {path}"), "^root:root 4?6?44")
    t.assertEqual(owner("/var/lib/osmoda"), "root:root 755")
    for folder in ["agentd", "config", "ledger", "memory", "secrets"]:
        t.assertEqual(owner(f"/var/lib/osmoda/{folder}"), "osmoda-agentd:osmoda-agentd 700")
    t.assertEqual(owner("/var/backups/osmoda"), "osmoda-agentd:osmoda-agentd 700")
    strangers = machine.succeed("find /var/lib/osmoda /var/backups/osmoda -mindepth 2 ! -user osmoda-agentd")
    t.assertEqual(strangers, "")

with subtest("root, operators and the agent are answered; a member of the group hears how agentd is, and no more"):
    for user in ["root", "osmoda-test-operator", "osmoda-agent"]:
        t.assertEqual(get_as(user, "/events/log?limit=1"), (200, None))
    t.assertEqual(get_as("osmoda-test-member", "/health"), (200, None))
    t.assertEqual(get_as("osmoda-test-member", "/events/log?limit=1"), (403, "auth.ring"))

with subtest("a stranger does not even connect"):
    to = "setpriv --reuid=osmoda-test-stranger --regid=osmoda-test-stranger --init-groups"
    machine.succeed(f"{to} true")
    machine.fail(f"{to} curl -s --unix-socket /run/osmoda/agentd.sock http://l/health")

with subtest("the privileged half answers agentd alone, and is started by the first call that needs it"):
    t.assertEqual(machine.get_unit_info("osmoda-agentd-root.service")["ActiveState"], "inactive")
    ask = "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(20); s.connect('/run/osmoda/root.sock'); s.send(b'{}'); print(s.recv(1000))"
    for user in ["osmoda-agent", "osmoda-test-operator"]:
        machine.fail(f"setpriv --reuid={user} --regid=osmoda --init-groups python3 -c \"{ask}\" 2>/dev/null")
    t.assertEqual(machine.get_unit_info("osmoda-agentd-root.service")["ActiveState"], "inactive")
    # Root gets past the file's mode, and is refused all the same.
    t.assertIn("auth.ring", machine.succeed(f"python3 -c \"{ask}\""))
    done(machine, "POST", "/file/write", {"path": "/srv/hello", "content": "hello"}, user="osmoda-agent")
    t.assertEqual(machine.succeed("cat /srv/hello; stat -c %U /srv/hello"), "hello" + "root\n")
    machine.require_unit_state("osmoda-agentd-root.service")

with subtest("both halves run as whom they should, and agentd has no right of root's"):
    def status(unit: str) -> dict[str, str]:
        text = machine.succeed(f"cat /proc/$(systemctl show --value -P MainPID {unit})/status")
        return {key: value.strip() for key, value in (line.split(":", 1) for line in text.splitlines())}

    agentd, half = status("osmoda-agentd"), status("osmoda-agentd-root")
    t.assertEqual(set(agentd["Uid"].split()), {machine.succeed("id -u osmoda-agentd").strip()})
    t.assertEqual([int(agentd[kind], 16) for kind in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]], [0] * 5)
    t.assertEqual((agentd["NoNewPrivs"], agentd["Seccomp"]), ("1", "2"))
    t.assertEqual(set(half["Uid"].split()), {"0"})
    # CAP_SYS_MODULE, RAWIO, PTRACE, ADMIN and MKNOD (capability.h).
    t.assertEqual([bit for bit in [16, 17, 19, 21, 27] if int(half["CapBnd"], 16) >> bit & 1], [])

with subtest("a socket stays while its daemon is away, and the next call brings it back"):
    machine.succeed("systemctl stop osmoda-agentd.service")
    t.assertEqual(owner("/run/osmoda/agentd.sock"), "root:osmoda 660")
    t.assertEqual(done(machine, "GET", "/health")["status"], "ok")
    machine.require_unit_state("osmoda-agentd.service")
