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


def recorded() -> list[str]:
    """The titles of all alerts of the load in the ledger."""
    lines = machine.succeed("agentctl ledger export /root/export.jsonl && grep agentd.alert.raised /root/export.jsonl").splitlines()
    titles = [json.loads(json.loads(line)["event"]["payload"])["title"] for line in lines]
    return [title for title in titles if title.startswith("load ")]  # agentd itself alerts of calls that were cut off


def whole() -> None:
    machine.succeed("agentctl verify-ledger")
    checks = {check["name"]: check["status"] for check in done(machine, "GET", "/health")["checks"]}
    t.assertEqual(checks["ledger"], "ok")


with subtest("killed eight times under load, it is back each time without a person"):
    start_load(machine, LOAD)
    for _ in range(8):
        pid = machine.get_unit_info("osmoda-agentd")["MainPID"]
        machine.succeed("systemctl kill --signal=KILL osmoda-agentd")
        machine.wait_until_succeeds(f"test $(systemctl show --value -P MainPID osmoda-agentd) != {pid}", timeout=60)
        machine.wait_until_succeeds("systemctl is-active osmoda-agentd", timeout=60)
    acknowledged, failed = end_load(machine)

with subtest("every acknowledged call stands in the ledger, once, and the ledger is whole"):
    t.assertGreater(len(acknowledged), 100)
    found = recorded()
    t.assertEqual(set(acknowledged) - set(found), set())
    t.assertEqual(len(found), len(set(found)))
    # A call that was cut off may have been recorded; nothing else was.
    t.assertLessEqual(len(found), len(acknowledged) + len(failed))
    whole()

with subtest("a call that was cut off has an outcome all the same"):
    lines = [json.loads(line) for line in machine.succeed("cat /root/export.jsonl").splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    of = lambda kind: [json.loads(event["payload"])["request_id"] for event in events if event["type"] == f"agentd.notify.{kind}"]
    t.assertEqual(set(of("intent")), set(of("outcome")))
    t.assertEqual(len(of("outcome")), len(set(of("outcome"))))

with subtest("the power goes in the middle of it"):
    start_load(machine, LOAD)
    size = len(found) * 4 + 200
    machine.wait_until_succeeds(f"test $(curl -s --unix-socket /run/osmoda/agentd.sock http://l/ledger/head | jq .size) -gt {size}", timeout=300)
    head = done(machine, "GET", "/ledger/head")
    machine.crash()
    machine.start()
    machine.wait_for_unit("osmoda-agentd.service")
    whole()
    t.assertGreaterEqual(done(machine, "GET", "/ledger/head")["size"], head["size"])
    proof = done(machine, "GET", f"/events/{head['size']}/proof")
    t.assertEqual(proof["event"]["hash"], head["hash"])
