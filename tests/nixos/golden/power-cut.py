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

with subtest("with a kernel of its own, agentd sees what each unit uses"):
    groups = done(machine, "POST", "/system/query", {"query": "cgroups", "args": {"limit": 1000}})["result"]
    own = [group for group in groups if group["path"].endswith("osmoda-agentd.service")][0]
    t.assertGreater(own["memory_bytes"], 1000000)
    t.assertGreater(own["tasks"], 1)

with subtest("the power goes while others call as well"):
    incident = done(machine, "POST", "/incident/create", {"title": "before the cut"})["id"]
    start_load(machine, LOAD, workers=1, folder="/srv")
    for number in range(6):
        done(machine, "POST", "/notify", {"title": f"acknowledged {number}"})
        done(machine, "POST", "/memory/store", {"summary": f"remembered {number}"})
        done(machine, "POST", "/file/write", {"path": f"/srv/file-{number}", "content": f"written {number}"})
        done(machine, "POST", f"/incident/{incident}/step", {"kind": "evidence", "text": f"step {number}"})
    head = done(machine, "GET", "/ledger/head")
    machine.crash()

with subtest("it comes back by itself, and all that was acknowledged is there"):
    machine.start()
    machine.wait_for_unit("osmoda-agentd.service")
    t.assertEqual([check for check in done(machine, "GET", "/health")["checks"] if check["status"] != "ok"], [])
    found = done(machine, "GET", "/events/log?type=agentd.alert.raised&limit=1000&q=acknowledged")["events"]
    t.assertEqual({event["payload"]["title"] for event in found}, {f"acknowledged {number}" for number in range(6)})
    remembered = {row["summary"] for row in done(machine, "GET", "/memory?limit=1000")["memories"]}
    t.assertEqual(remembered, {f"remembered {number}" for number in range(6)})
    t.assertEqual(machine.succeed("cd /srv; for n in $(seq 0 5); do cat file-$n; echo; done").splitlines(), [f"written {number}" for number in range(6)])
    t.assertEqual([step["text"] for step in done(machine, "GET", f"/incident/{incident}")["steps"]], [f"step {number}" for number in range(6)])

with subtest("the ledger is whole, and the one that was acknowledged"):
    machine.succeed("agentctl verify-ledger")
    t.assertEqual(done(machine, "GET", f"/events/{head['size']}/proof")["event"]["hash"], head["hash"])
