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


def seed(command: str) -> Any:
    """What a command of the reference prints."""
    return json.loads(machine.succeed(command))


with subtest("curl health: the machine as it is"):
    health = seed("curl -s --unix-socket /run/osmoda/agentd.sock http://l/health | jq")
    t.assertEqual(health["status"], "ok")
    t.assertEqual(len(health["cpu"]["cores"]), int(machine.succeed("nproc")))
    total = int(machine.succeed("sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")) * 1024
    t.assertEqual(health["memory"]["total_bytes"], total)
    t.assertLessEqual(health["memory"]["used_bytes"] + health["memory"]["available_bytes"], total)
    t.assertEqual(set(health["load_average"]), {"one", "five", "fifteen"})
    root = [disk for disk in health["disks"] if disk["mount"] == "/"][0]
    t.assertEqual(root["total_bytes"], int(machine.succeed("stat -f -c '%b %S' / | awk '{ printf \"%d\", $1 * $2 }'")))
    t.assertLess(abs(health["uptime"] - float(machine.succeed("cut -d' ' -f1 /proc/uptime"))), 60)

with subtest("curl events: what was done stands there, newest first"):
    done(machine, "POST", "/notify", {"title": "for the log"})
    for command in [
        "curl -s --unix-socket /run/osmoda/agentd.sock http://l/events/log?limit=5 | jq",
        "curl -s --unix-socket /run/osmoda/agentd.sock 'http://l/events/log?limit=20' | jq",
    ]:
        ids = [event["id"] for event in seed(command)["events"]]
        t.assertEqual(ids, sorted(ids, reverse=True))
        t.assertGreaterEqual(len(ids), 4)

with subtest("curl query: processes by CPU"):
    machine.succeed("systemd-run --unit=busy $(command -v python3) -c 'while True: pass'")
    pid = int(machine.succeed("systemctl show --value -P MainPID busy"))
    top = """curl -s --unix-socket /run/osmoda/agentd.sock \
      -X POST http://l/system/query \
      -H "Content-Type: application/json" \
      -d '{"query":"processes","args":{"sort":"cpu","limit":10}}'"""
    machine.wait_until_succeeds(f"{top} | jq -e '.result[0].pid == {pid} or .result[1].pid == {pid}'")
    found = seed(top)["result"]
    t.assertLessEqual(len(found), 10)
    t.assertEqual([row["cpu_percent"] for row in found], sorted([row["cpu_percent"] for row in found], reverse=True))
    machine.succeed("systemctl stop busy")

with subtest("curl memory: what is stored is a file, and is found"):
    stored = seed("""curl -s --unix-socket /run/osmoda/agentd.sock \
      -X POST http://l/memory/store \
      -H "Content-Type: application/json" \
      -d '{"summary":"User prefers Rust","detail":"Asked to use Rust instead of Python 3 times","category":"user_pattern","tags":["preference"]}'""")
    machine.succeed(f"grep -q 'instead of Python' /var/lib/osmoda/memory/*/*/{stored['id']}.md")
    recalled = done(machine, "POST", "/memory/recall", {"query": "which language", "max_results": 5, "timeframe": "7d"})
    t.assertEqual(recalled["memories"], [], "words that are not there find nothing")
    recalled = done(machine, "POST", "/memory/recall", {"query": "prefers rust", "max_results": 5, "timeframe": "7d"})
    t.assertEqual([row["id"] for row in recalled["memories"]], [stored["id"]])

with subtest("agentctl verify-ledger, and systemctl status of the daemon"):
    t.assertIn("whole", machine.succeed("agentctl verify-ledger"))
    t.assertIn("active (running)", machine.succeed("systemctl status osmoda-agentd"))

with subtest("POST /system/query: processes by memory, disk, hostname, uptime"):
    rows = done(machine, "POST", "/system/query", {"query": "processes", "args": {"sort": "memory", "limit": 3}})["result"]
    t.assertEqual([row["memory_bytes"] for row in rows], sorted([row["memory_bytes"] for row in rows], reverse=True))
    t.assertIn("/", [row["mount"] for row in done(machine, "POST", "/system/query", {"query": "disk"})["result"]])
    t.assertEqual(done(machine, "POST", "/system/query", {"query": "hostname"})["result"]["hostname"], machine.succeed("uname -n").strip())
    t.assertGreater(done(machine, "POST", "/system/query", {"query": "uptime"})["result"]["uptime_secs"], 0)

with subtest("GET /system/discover: a server that runs here, with its unit and its port"):
    machine.succeed("systemd-run --unit=web $(command -v python3) -m http.server 8000")
    machine.wait_for_open_port(8000)
    found = done(machine, "GET", "/system/discover")
    at = [row for row in found["listening"] if row["port"] == 8000][0]
    t.assertEqual(at["unit"], "web.service")
    web = [unit for unit in found["units"] if unit["unit"] == "web.service"][0]
    t.assertEqual((web["active"], web["main_pid"]), ("active", int(machine.succeed("systemctl show --value -P MainPID web"))))

with subtest("POST /memory/ingest, GET /memory/health"):
    before = done(machine, "GET", "/memory/health")
    t.assertEqual((before["status"], before["index"]["state"], before["embedding_model"]["ready"]), ("ok", "ready", False))
    event = {"category": "event", "subcategory": "service", "actor": "watch", "summary": "nginx restarted", "detail": "after an upgrade", "metadata": {"unit": "nginx"}}
    id = done(machine, "POST", "/memory/ingest", event)["id"]
    t.assertEqual(done(machine, "GET", "/memory/health")["collection_size"], before["collection_size"] + 1)
    t.assertEqual(done(machine, "POST", "/memory/recall", {"query": "nginx upgrade"})["memories"][0]["id"], id)

with subtest("GET /agent/card, POST /agent/card/generate: signed, with what answers here"):
    t.assertEqual(call(machine, "GET", "/agent/card")[0], 404)
    made = done(machine, "POST", "/agent/card/generate", {"name": "Test", "description": "A machine under test", "services": []})
    t.assertEqual(done(machine, "GET", "/agent/card"), made)
    t.assertEqual((made["name"], made["services"][0]["endpoint"]), ("Test", "unix:/run/osmoda/agentd.sock"))

with subtest("incidents: made, gone on with after a restart of the daemon, listed"):
    id = done(machine, "POST", "/incident/create", {"title": "502 from nginx", "description": "since noon"})["id"]
    done(machine, "POST", f"/incident/{id}/step", {"kind": "hypothesis", "text": "the upstream is down"})
    machine.succeed("systemctl restart osmoda-agentd")
    done(machine, "POST", f"/incident/{id}/step", {"kind": "evidence", "text": "it does not listen"})
    incident = done(machine, "GET", f"/incident/{id}")
    t.assertEqual([(step["number"], step["kind"]) for step in incident["steps"]], [(1, "hypothesis"), (2, "evidence")])
    t.assertEqual([row["id"] for row in done(machine, "GET", "/incidents")["incidents"]], [id])

with subtest("POST /backup/create, GET /backup/list: a file of agentd's alone, encrypted"):
    backup = done(machine, "POST", "/backup/create", {})
    t.assertEqual([row["id"] for row in done(machine, "GET", "/backup/list")["backups"]], [backup["id"]])
    t.assertEqual(machine.succeed(f"stat -c '%U %a %s' {backup['path']}").split(), ["osmoda-agentd", "600", str(backup["size_bytes"])])
    t.assertEqual(machine.succeed(f"head -c 21 {backup['path']}"), "age-encryption.org/v1")

with subtest("GET /receipts: one for each call with an effect, newest first"):
    receipts = done(machine, "GET", "/receipts?limit=3")["receipts"]
    t.assertEqual([row["type"] for row in receipts], ["agentd.backup.create", "agentd.incident.step", "agentd.incident.step"])
    t.assertEqual({row["actor"] for row in receipts}, {"operator:root"})
