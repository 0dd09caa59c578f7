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
LOAD = "# Calls to agentd without a pause, one connection each, until /run/load-stop is there. Prints what was acknowledged and\n# what failed; with a folder as argument it also writes files there, which goes through agentd-root.\nimport json\nimport os\nimport socket\nimport sys\n\nacknowledged: list[str] = []\nfailed: list[str] = []\n\n\ndef call(path: str, body: dict[str, str]) -> None:\n    data = json.dumps(body).encode()\n    request = f\"POST {path} HTTP/1.1\\r\\nHost: l\\r\\nConnection: close\\r\\nContent-Type: application/json\\r\\nContent-Length: {len(data)}\\r\\n\\r\\n\"\n    try:\n        with socket.socket(socket.AF_UNIX) as line:\n            line.settimeout(120)\n            line.connect(\"/run/osmoda/agentd.sock\")\n            line.sendall(request.encode() + data)\n            answer = b\"\".join(iter(lambda: line.recv(65536), b\"\"))\n        if answer.split(b\" \", 2)[1:2] == [b\"200\"]:\n            acknowledged.append(body.get(\"title\", path))\n        else:\n            failed.append(f\"{path}: {answer[:300]!r}\")\n    except OSError as error:\n        failed.append(f\"{path}: {error}\")\n\n\nnumber = 0\nwhile not os.path.exists(\"/run/load-stop\"):\n    number += 1\n    call(\"/notify\", {\"title\": f\"load {os.getpid()} {number}\"})\n    if len(sys.argv) > 1:\n        call(\"/file/write\", {\"path\": f\"{sys.argv[1]}/{os.getpid()}\", \"content\": str(number)})\nprint(json.dumps({\"acknowledged\": acknowledged, \"failed\": failed}))\n"

machine.wait_for_unit("osmoda-agentd.service")
config = json.loads(machine.succeed("cat /etc/osmoda/agentd.json"))


def configure(**changes: Any) -> None:
    """What a switch to another system does to the file."""
    text = json.dumps({**config, **changes})
    machine.succeed(f"rm /etc/osmoda/agentd.json && echo {shlex.quote(text)} > /etc/osmoda/agentd.json")


journal = "journalctl --unit=osmoda-agentd --output=cat --no-pager"


def logs(words: str) -> int:
    return int(machine.succeed(f"journalctl --sync; {journal} | grep -c -- {shlex.quote(words)} || true"))


def process() -> str:
    return machine.get_unit_info("osmoda-agentd")["MainPID"]


machine.succeed("mkdir /srv/load")
start_load(machine, LOAD, folder="/srv/load")

with subtest("a reload applies a changed hot setting, in the same process"):
    before = process()
    refuse = lambda: call(machine, "GET", "/events/log?limit=1", user="osmoda-test-member")
    refuse()
    machine.wait_until_succeeds(f"{journal} | grep -q 'call refused'", timeout=120)
    configure(log={"filter": "error"})
    machine.succeed("systemctl reload osmoda-agentd")
    refused = logs("call refused")
    refuse()
    t.assertEqual((logs("call refused"), process()), (refused, before))
    configure()
    machine.succeed("systemctl reload osmoda-agentd")
    refuse()
    t.assertEqual((logs("call refused"), process()), (refused + 1, before))

with subtest("a reload says that a cold setting needs a restart, and keeps the old one"):
    configure(backup={"dir": "/var/backups/osmoda/elsewhere"})
    machine.succeed("systemctl reload osmoda-agentd")
    machine.wait_until_succeeds(f"{journal} | grep -q 'needs a restart'", timeout=120)
    made = done(machine, "POST", "/backup/create", {})
    t.assertRegex(made["path"], "^/var/backups/osmoda/bak_")

with subtest("a restart applies it"):
    machine.succeed("systemctl restart osmoda-agentd")
    t.assertNotEqual(process(), before)
    made = done(machine, "POST", "/backup/create", {})
    t.assertRegex(made["path"], "^/var/backups/osmoda/elsewhere/bak_")
    configure()

with subtest("a broken file breaks no running daemon"):
    machine.succeed("echo '{' > /etc/osmoda/agentd.json && systemctl reload osmoda-agentd")
    machine.wait_until_succeeds(f"{journal} | grep -q 'the configuration is wrong'", timeout=120)
    t.assertEqual(done(machine, "GET", "/health")["status"], "ok")
    configure()

with subtest("both halves are restarted and reloaded again and again"):
    for _ in range(4):
        machine.succeed("systemctl restart osmoda-agentd", "systemctl reload osmoda-agentd", "systemctl restart osmoda-agentd-root")

with subtest("not one call failed meanwhile"):
    acknowledged, failed = end_load(machine)
    t.assertEqual(failed, [])
    t.assertGreater(len(acknowledged), 200)
    machine.succeed("agentctl verify-ledger")
