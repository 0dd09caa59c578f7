# Each call of agentd that other tests do not make, as the agent or an operator makes it, with its effect looked at on the
# machine. The last subtest holds the list against the daemon's own: a new call without a test fails here.
{
  imports = [ ./common.nix ];
  name = "every-call";
  nodes.machine.users.users.osmoda-watch = {
    isSystemUser = true;
    group = "osmoda";
  };
  testScript = builtins.readFile ./prelude.py + ''

    import hashlib
    import re

    machine.wait_for_unit("osmoda-agentd.service")
    called: list[str] = []


    def agent(method: str, path: str, body: Any = None) -> Any:
        called.append(f"{method} {path.split('?')[0]}")
        return done(machine, method, path, body, user="osmoda-agent")


    def operator(method: str, path: str, body: Any = None) -> Any:
        called.append(f"{method} {path.split('?')[0]}")
        return done(machine, method, path, body, user="osmoda-test-operator")


    with subtest("services: a unit is looked at, started, reloaded, restarted, stopped; its journal is read"):
        machine.succeed("mkdir -p /run/systemd/system")
        unit = "[Service]\\nExecStart=/bin/sh -c \"echo hello; read x < /run/sleeper\"\\nExecReload=/bin/sh -c \"echo again\"\\n"
        machine.succeed(f"mkfifo /run/sleeper; printf '{unit}' > /run/systemd/system/sleeper.service; systemctl daemon-reload")
        t.assertEqual(agent("GET", "/service/sleeper")["active"], "inactive")
        t.assertEqual(agent("POST", "/service/sleeper/start", {})["after"]["active"], "active")
        first = machine.get_unit_info("sleeper")["MainPID"]
        agent("POST", "/service/sleeper/reload", {})
        agent("POST", "/service/sleeper/restart", {})
        t.assertNotEqual(machine.get_unit_info("sleeper")["MainPID"], first)
        t.assertEqual([row["unit"] for row in agent("GET", "/service?pattern=sleep*")["services"]], ["sleeper.service"])
        t.assertEqual(agent("POST", "/service/sleeper/stop", {})["after"]["active"], "inactive")
        said = [line["message"] for line in agent("GET", "/journal?unit=sleeper&limit=100")["lines"] if line["identifier"] == "sh"]
        t.assertEqual(said, ["hello", "again", "hello"])

    with subtest("files: written, found, read, moved, listed, deleted, and all of it taken back"):
        agent("POST", "/file/write", {"path": "/srv/notes", "content": "to be found\n"})
        t.assertEqual(machine.succeed("cat /srv/notes; stat -c '%U %a' /srv/notes"), "to be found\nroot 644\n")
        t.assertEqual([row["path"] for row in agent("POST", "/file/search", {"path": "/srv", "text": "be found"})["files"]], ["/srv/notes"])
        t.assertEqual(agent("POST", "/file/read", {"path": "/srv/notes"})["content"], "to be found\n")
        agent("POST", "/file/move", {"from": "/srv/notes", "to": "/srv/moved"})
        t.assertEqual([row["name"] for row in agent("POST", "/file/list", {"path": "/srv"})["entries"]], ["moved"])
        agent("POST", "/file/delete", {"path": "/srv/moved"})
        machine.fail("test -e /srv/moved")
        agent("POST", "/undo", {"since": "5m"})
        t.assertEqual(machine.succeed("ls /srv"), "")

    with subtest("shell: as nobody's user, without a network, with the system's programs"):
        ran = agent("POST", "/shell/exec", {"command": "id -un; grep -c : /proc/net/dev; command -v curl"})
        t.assertEqual(ran["stdout"].split(), ["osmoda-shell", "1", "/run/current-system/sw/bin/curl"], ran)
        ran = agent("POST", "/shell/exec", {"command": "touch /srv/by-shell; cat /var/lib/osmoda/ledger/ledger.db; curl -s --unix-socket /run/osmoda/agentd.sock http://l/health"})
        t.assertNotEqual(ran["exit_code"], 0)
        machine.fail("test -e /srv/by-shell")

    with subtest("processes, kernel parameters, accounts, network"):
        machine.succeed("systemd-run --unit=victim $(command -v sleep) 99999")
        pid = machine.get_unit_info("victim")["MainPID"]
        agent("POST", f"/process/{pid}/signal", {"signal": "TERM"})
        machine.wait_until_fails("systemctl is-active victim")
        before = agent("GET", "/sysctl?key=net.ipv4.tcp_fin_timeout")["value"]
        agent("POST", "/sysctl", {"key": "net.ipv4.tcp_fin_timeout", "value": "31"})
        t.assertEqual(machine.succeed("cat /proc/sys/net/ipv4/tcp_fin_timeout").strip(), "31")
        agent("POST", "/undo", {"since": "1m"})
        t.assertEqual(machine.succeed("cat /proc/sys/net/ipv4/tcp_fin_timeout").strip(), before)
        users = {row["name"]: row for row in agent("GET", "/users?system=true&limit=1000")["users"]}
        t.assertEqual(users["osmoda-agentd"]["uid"], int(machine.succeed("id -u osmoda-agentd")))
        eth1 = [one for one in agent("GET", "/network")["interfaces"] if one["name"] == "eth1"][0]
        t.assertIn("192.168.1.1", [one["address"] for one in eth1["addresses"]])

    with subtest("the security score looks, and telemetry has samples"):
        score = agent("GET", "/security/score")
        t.assertEqual(score["score"], 100 * score["weight_passed"] // (score["weight_passed"] + score["weight_failed"]))
        machine.wait_until_succeeds("curl -s --unix-socket /run/osmoda/agentd.sock http://l/telemetry | jq -e '.samples > 0'")
        t.assertTrue(agent("GET", "/telemetry?since=10m")["points"])

    with subtest("memory: listed, indexed anew, forgotten"):
        id = agent("POST", "/memory/store", {"summary": "the printer is on the second floor"})["id"]
        agent("POST", "/memory/reindex", {})
        t.assertEqual([row["id"] for row in agent("GET", "/memory")["memories"]], [id])
        agent("POST", "/memory/forget", {"id": id})
        t.assertEqual(agent("GET", "/memory")["memories"], [])

    with subtest("a daemon adds to the ledger what it did, once"):
        genesis, event = "0" * 64, {"type": "watch.started.noted", "actor": "daemon:watch", "payload": {"v": 1}}
        head = hashlib.sha256(f"1|{event['type']}|{event['actor']}|{json.dumps(event['payload'], separators=(',', ':'))}|{genesis}".encode()).hexdigest()
        batch = {"source": "watch", "epoch": "01kaq3v8e2m6zr0t5h9xw4c7yd", "first_seq": 1, "head": head, "events": [event]}
        for _ in range(2):
            called.append("POST /events")
            done(machine, "POST", "/events", batch, user="osmoda-watch")
        called.append("GET /events/source")
        t.assertEqual(done(machine, "GET", "/events/source?source=watch", user="osmoda-watch")["last_seq"], 1)
        t.assertEqual(len(agent("GET", "/events/log?type=watch.started.noted")["events"]), 1)
        t.assertEqual(call(machine, "POST", "/events", batch, user="osmoda-agent")[0], 403)

    with subtest("the ledger is proved: head, checkpoint, inclusion, consistency, all of it, and as it happens"):
        size = agent("GET", "/ledger/checkpoint")["size"]
        t.assertGreaterEqual(agent("GET", "/ledger/head")["size"], size)
        t.assertEqual(agent("GET", "/events/1/proof")["event"]["type"], "agentd.ledger.created")
        t.assertEqual(agent("GET", f"/ledger/consistency?from=2&to={size}")["to"], size)
        t.assertTrue(agent("POST", "/ledger/verify", {})["ok"])
        agent("POST", "/notify", {"title": "for the stream"})
        curl = "curl -sN --unix-socket /run/osmoda/agentd.sock"
        stream = machine.succeed(f"{curl} 'http://l/events/stream?after_id={size}&type=agentd.notify.intent&limit=1&wait_secs=60'")
        t.assertIn("for the stream", stream)
        lines = machine.succeed(f"{curl} http://l/ledger/export").splitlines()
        t.assertGreater(len(lines), size)
        called.extend(["GET /events/stream", "GET /ledger/export"])

    with subtest("incidents are closed with their cause; a receipt leads to intent and outcome"):
        id = agent("POST", "/incident/create", {"title": "the disk is full"})["id"]
        agent("POST", f"/incident/{id}/close", {"cause": "a log that nobody rotated"})
        t.assertEqual(agent("GET", "/incidents?status=open")["incidents"], [])
        newest = agent("GET", "/receipts?limit=1")["receipts"][0]
        t.assertEqual(agent("GET", f"/receipts/{newest['id']}")["intent"]["id"], newest["intent_id"])

    with subtest("a backup is verified by the agent and restored by an operator alone"):
        id = agent("POST", "/backup/create", {})["id"]
        t.assertTrue(agent("POST", "/backup/verify", {"id": id})["ok"])
        t.assertEqual(call(machine, "POST", "/backup/restore", {"id": id}, user="osmoda-agent")[0], 403)
        operator("POST", "/backup/restore", {"id": id})

    with subtest("no call of agentd is without a test"):
        elsewhere = {"GET /health", "POST /system/query", "GET /system/discover", "POST /memory/ingest", "POST /memory/recall", "GET /memory/health", "GET /agent/card"}
        elsewhere |= {"POST /agent/card/generate", "POST /incident/{id}/step", "GET /incident/{id}", "GET /backup/list"}  # seed-commands
        elsewhere |= {"GET /network/firewall", "POST /network/firewall", "POST /network/firewall/revoke"}  # firewall-opens
        paths = done(machine, "GET", "/openapi.json")["paths"]
        offered = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
        untried = [one for one in offered - elsewhere if not any(re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", one), made) for made in called)]
        t.assertEqual(untried, [])
  '';
}
