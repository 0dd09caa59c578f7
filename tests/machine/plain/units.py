"""Units on a real systemd: jobs and their ends, protection, state and list."""
import urllib.parse

SERVICE = "[Service]\nExecStart={}\n"
UNITS = {
    "sleeper.service": "[Unit]\nDescription=Sleeps\n[Service]\nExecStart=/bin/sleep 99999\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\nAlias=dozer.service\n",
    "crash.service": SERVICE.format("/bin/sh -c 'echo cannot open the pod bay doors >&2; exit 3'"),
    "segv.service": SERVICE.format("/bin/sh -c 'kill -SEGV $$$$'"),
    "missing.service": SERVICE.format("/usr/bin/no-such-program"),
    "never.service": "[Unit]\nConditionPathExists=/no/such/path\n" + SERVICE.format("/bin/true"),
    "needy.service": "[Unit]\nRequires=crashing-first.service\nAfter=crashing-first.service\n" + SERVICE.format("/bin/sleep 99999"),
    "crashing-first.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    "base.service": SERVICE.format("/bin/sleep 99999"),
    "sshd-stand-in.service": "[Unit]\nBindsTo=base.service\nAfter=base.service\n" + SERVICE.format("/bin/sleep 99999"),
    "enemy.service": "[Unit]\nConflicts=nftables.service\n" + SERVICE.format("/bin/sleep 99999"),
    "nftables.service": SERVICE.format("/bin/sleep 99999"),
    "worker@.service": SERVICE.format("/bin/sleep 99999"),
    "osmoda-plain.service": "[Service]\nType=notify\nUser=games\nStateDirectory=plain\n"
    "ExecStart=/opt/osmoda/agentd --socket /run/osmoda/plain/agentd.sock --state-dir /var/lib/plain\n",
}


def checks(machine):
    act = lambda unit, what, **more: machine.call("POST", f"/service/{urllib.parse.quote(unit, safe='')}/{what}", {}, **more)
    get = lambda unit, query="", **more: machine.call("GET", f"/service/{unit}{query}", **more)
    active = lambda unit: machine.execute(f"systemctl is-active {unit}")[1].strip()
    fact_of = lambda kind: machine.call("GET", f"/events/log?type=agentd.service.{kind}&limit=1").json["events"][0]["payload"]

    def done(unit, what, before, after, fact):
        answer = act(unit, what)
        assert answer.status == 200, answer.body
        answer = answer.json
        assert (answer["job"], answer["before"]["active"], answer["after"]["active"]) == ("done", before, after), answer
        payload = fact_of(fact)
        assert payload == {"v": 1, "unit": answer["unit"], "job": "done", "before": before, "after": after}, payload
        return answer

    def life():
        started = done("sleeper", "start", "inactive", "active", "started")
        assert started["after"]["main_pid"] == int(machine.succeed("systemctl show -P MainPID sleeper"))
        restarted = done("sleeper.service", "restart", "active", "active", "restarted")
        assert restarted["before"]["main_pid"] == started["after"]["main_pid"] != restarted["after"]["main_pid"]
        done("sleeper", "reload", "active", "active", "reloaded")
        done("sleeper", "stop", "active", "inactive", "stopped")
        assert active("sleeper") == "inactive"
        done("worker@a-1", "start", "inactive", "active", "started")

    def failed(unit, *words):
        # What a program said as it died may reach the journal after its end.
        for _ in range(5):
            answer = act(unit, "start")
            assert answer.code == "service.failed", answer
            if all(word in answer.json["detail"] for word in words):
                break
        else:
            raise AssertionError(answer.body)
        payload, job = fact_of("started"), "dependency" if unit == "needy" else "done"
        assert (payload["unit"], payload["job"]) == (f"{unit}.service", job), payload

    def explained():
        failed("crash", "exit-code", "exited with status 3", "the unit is failed", "cannot open the pod bay doors", "Failed with result")
        failed("segv", "killed by SIGSEGV")
        failed("missing", "status 203", "cannot be executed")
        failed("needy", "dependency", "Dependency failed for needy.service")
        last = get("crash", "?lines=50").json
        assert (last["active"], last["result"], last["last_exit"]) == ("failed", "exit-code", "exited with status 3"), last
        assert any("pod bay doors" in line["message"] for line in last["journal"]), last
        assert act("never", "start").json["job"] == "skipped"

    def refused():
        for unit, code, status in (("nobody-knows", "service.not_found", 404), ("a/b", "request.id", 400), ("--help", "request.id", 400), ("worker@", "request.id", 400),
                                   ("a%00b", "request.id", 400), ("x" * 300, "request.id", 400), ("*", "request.id", 400)):
            for answer in (act(unit, "stop") if "%" not in unit else machine.call("POST", f"/service/{unit}/stop", {}), get(urllib.parse.quote(unit, safe="%"))):
                assert (answer.code, answer.status) == (code, status), (unit, answer)
        assert act("worker@a-1", "reload").code == "service.refused"
        machine.succeed("systemctl mask --runtime base-masked.service")
        assert act("base-masked", "start").code == "service.refused"

    def protected():
        machine.succeed("ln -s /usr/lib/systemd/system/systemd-logind.service /etc/systemd/system/harmless.service && systemctl daemon-reload")
        pid = machine.succeed("systemctl show -P MainPID systemd-logind")
        for unit in ("systemd-logind", "dbus.socket", "osmoda-agentd", "multi-user.target", "system.slice", "-.mount", "getty@tty1", "init.scope",
                     "harmless", "dbus-org.freedesktop.login1", "autovt@tty1", "osmoda-agentd.socket"):
            for what in ("start", "stop", "restart", "reload"):
                answer = act(unit, what)
                assert answer.code == "service.protected" and answer.status == 403, (unit, what, answer)
        assert machine.succeed("systemctl show -P MainPID systemd-logind") == pid
        assert get("harmless").json["protected"] and get("harmless").json["unit"] == "systemd-logind.service"

    def along():
        machine.succeed("systemctl start sshd-stand-in nftables")
        answer = act("base", "stop")
        assert answer.code == "service.protected" and "sshd-stand-in" in answer.json["detail"] and active("base") == "active", answer
        assert act("enemy", "start").code == "service.protected" and active("nftables") == "active"
        machine.succeed("systemctl stop sshd-stand-in nftables")
        done("enemy", "start", "inactive", "active", "started")
        done("base", "stop", "active", "inactive", "stopped")

    def state():
        machine.succeed("systemctl enable sleeper")
        done("dozer", "start", "inactive", "active", "started")
        unit = get("dozer").json
        assert (unit["unit"], unit["aliases"], unit["enabled"], unit["description"]) == ("sleeper.service", ["dozer.service"], "enabled", "Sleeps"), unit
        assert unit["protected"] is None and unit["since"] and unit["fragment_path"] == "/etc/systemd/system/sleeper.service" and unit["restarts"] == 0, unit
        assert get("dbus").json["triggered_by"] == ["dbus.socket"] and get("dbus.socket").json["sub"] == "running"
        assert machine.call("GET", "/service?unit=dozer&lines=0").json["service"]["journal"] == []

    def listed():
        def names(query):
            found, after = [], ""
            while after is not None:
                page = machine.call("GET", f"/service?{query}{after and '&after=' + urllib.parse.quote(after)}").json
                found, after = found + [row["unit"] for row in page["services"]], page["next"]
            return found
        every = machine.succeed("systemctl list-units --all --plain --no-legend --type=service | cut -d' ' -f1").split()
        assert names("limit=7") == sorted(every), set(names("limit=7")) ^ set(every)
        assert names("state=failed") == sorted(machine.succeed("systemctl list-units --failed --plain --no-legend --type=service | cut -d' ' -f1").split())
        assert names("pattern=sl*p%3Fr") == ["sleeper.service"] and "apt-daily.timer" in names("pattern=*.timer") and names("pattern=zz*") == []
        for query, at in (("unit=dbus&state=failed", "/state"), ("lines=3", "/lines"), ("unit=..%2Fx", "/unit")):
            assert machine.call("GET", f"/service?{query}").json["errors"][0]["at"] == at, query
        rows = {row["unit"]: row for row in machine.call("POST", "/system/query", {"query": "services", "args": {"limit": 1000}}).json["result"]}
        assert rows["sleeper.service"]["main_pid"] == int(machine.succeed("systemctl show -P MainPID sleeper")) and sorted(rows) == sorted(every)

    def plain():
        machine.succeed("install -d -o games /run/osmoda/plain && systemctl start osmoda-plain")
        own = {"socket": "plain/agentd.sock"}
        unit = get("sleeper", **own).json
        assert (unit["active"], unit["journal"], unit["journal_unread"]) == ("active", [], "journal.denied"), unit
        assert machine.call("GET", "/journal", **own).code == "journal.denied"
        answer = act("sleeper", "stop", **own)
        assert answer.code == "service.unprivileged" and answer.json["next_step"] and active("sleeper") == "active", answer
        machine.succeed("systemctl stop osmoda-plain")

    yield "a unit is started, restarted, reloaded and stopped, and the ledger says so", life
    yield "a start that fails is explained in words and with its last lines", explained
    yield "what is no unit or cannot be done is refused with its own code", refused
    yield "a protected unit is refused under each of its names", protected
    yield "a unit that would take a protected one along is refused", along
    yield "a unit's state is told under its own name", state
    yield "the list is what systemctl lists, page by page, and filtered", listed
    yield "an agentd without rights looks, and says what it cannot do", plain
