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
uid = {name: int(machine.succeed(f"id -u {name}")) for name in ["root", "osmoda-test-operator", "osmoda-test-member", "osmoda-agent"]}


def intents(title: str) -> list[tuple[str, int]]:
    """Who is said to have called notify with this title."""
    found = done(machine, "GET", "/events/log?type=agentd.notify.intent&limit=1000")["events"]
    return [(event["actor"], event["payload"]["uid"]) for event in found if event["payload"]["args"]["title"] == title]


with subtest("each caller stands there with his own name and uid"):
    for user, actor in [("root", "operator:root"), ("osmoda-test-operator", "operator:osmoda-test-operator"), ("osmoda-agent", "agent:main")]:
        done(machine, "POST", "/notify", {"title": f"from {user}"}, user=user)
        t.assertEqual(intents(f"from {user}"), [(actor, uid[user])])

with subtest("a mark lowers, and never raises"):
    done(machine, "POST", "/notify", {"title": "lowered"}, user="osmoda-test-operator", headers="-H 'X-Osmoda-Actor: agent:helper'")
    t.assertEqual(intents("lowered"), [("agent:helper", uid["osmoda-test-operator"])])
    for user, mark in [("osmoda-agent", "operator:root"), ("osmoda-test-operator", "operator:root"), ("osmoda-agent", "daemon:watch"), ("osmoda-test-member", "agent:main")]:
        status, answer = call(machine, "POST", "/notify", {"title": "raised"}, user=user, headers=f"-H 'X-Osmoda-Actor: {mark}'")
        t.assertEqual((status, answer["code"]), (403, "auth.ring"), (user, mark))
    t.assertEqual(intents("raised"), [])

with subtest("a caller in a user namespace of its own, root there, is who it is outside"):
    inside = "unshare --user --map-root-user --mount"
    said = machine.succeed(
        f"setpriv --reuid=osmoda-agent --regid=osmoda --init-groups {inside} curl -s -X POST -H 'Content-Type: application/json'"
        " -d '{\"title\":\"from inside\"}' --unix-socket /run/osmoda/agentd.sock http://l/notify"
    )
    t.assertIn("ledger", said)
    t.assertEqual(intents("from inside"), [("agent:main", uid["osmoda-agent"])])

with subtest("a service with a user made for it is nobody to agentd"):
    code = machine.succeed(
        "systemd-run --quiet --wait --pipe --property=DynamicUser=yes --property=SupplementaryGroups=osmoda $(command -v curl)"
        " -s --unix-socket /run/osmoda/agentd.sock 'http://l/events/log?limit=1' | jq -r .code"
    )
    t.assertEqual(code.strip(), "auth.ring")

with subtest("many at once are not taken for each other"):
    names = ["root", "osmoda-test-operator", "osmoda-agent"]
    for user in names:
        machine.succeed(
            f"systemd-run --quiet --unit=crowd-{user} --uid={user} --service-type=oneshot --no-block --remain-after-exit"
            f" $(command -v bash) -c 'for i in $(seq 40); do {machine.succeed('command -v curl').strip()} -sf -X POST -H \"Content-Type: application/json\""
            f" -d \"{{\\\"title\\\":\\\"crowd of {user}\\\"}}\" --unix-socket /run/osmoda/agentd.sock http://l/notify || exit 1; done'"
        )
    for user, actor in zip(names, ["operator:root", "operator:osmoda-test-operator", "agent:main"]):
        machine.wait_for_unit(f"crowd-{user}.service")
        t.assertEqual(intents(f"crowd of {user}"), [(actor, uid[user])] * 40)

with subtest("nothing in the whole ledger was done by nobody"):
    machine.succeed("agentctl ledger export /root/export.jsonl")
    events = [json.loads(line).get("event", {}) for line in machine.succeed("cat /root/export.jsonl").splitlines()]
    uids = [json.loads(event["payload"]).get("uid") for event in events if event.get("type", "").endswith(".intent")]
    t.assertGreater(len(uids), 120)
    t.assertEqual(set(uids), {uid[name] for name in names})
