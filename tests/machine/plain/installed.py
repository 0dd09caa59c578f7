"""agentd as an ordinary user on a real systemd, its hands in agentd-root: `osmoda up --system`, with undo of what was done."""

AGENT = {"X-Osmoda-Actor": "agent:main"}.items()
UNITS = {
    "osmoda-agentd.service": "[Service]\nExecStart=/opt/osmoda/osmoda up --system\n",
    "sleeper.service": "[Service]\nExecStart=/bin/sleep 99999\n",
}


def checks(machine):
    machine.wait_until_succeeds("test -S /run/osmoda/agentd.sock && test -S /run/osmoda/root.sock")
    do = lambda target, **body: machine.call("POST", target, body, AGENT)
    active = lambda: machine.execute("systemctl is-active sleeper")[1].strip()
    status = lambda name: machine.succeed(f"cat /proc/$(pgrep -xo {name})/status")

    def users():
        agentd, half = status("agentd"), status("agentd-root")
        assert "CapEff:\t0000000000000000" in agentd and f"Uid:\t{machine.succeed('id -u osmoda-agentd').strip()}\t" in agentd, agentd
        assert "Uid:\t0\t" in half and machine.succeed("stat -c '%U %a' /run/osmoda/root.sock").split() == ["osmoda-agentd", "600"]

    def units():
        assert do("/service/sleeper/start").status == 200 and active() == "active"
        stopped = do("/service/sleeper/stop")
        assert stopped.status == 200 and active() == "inactive", stopped
        plan = do("/undo", since="1h", dry_run=True).json
        assert [line["what"] for line in plan["undone"]] == ["stop of sleeper.service", "start of sleeper.service"], plan
        outcome = machine.call("GET", "/events/log?type=agentd.service.stop.outcome&limit=1").json["events"][0]
        assert do("/undo", undo=outcome["payload"]["undo"]).json["undone"] and active() == "active"
        assert do("/undo", since="1h").json["undone"] and active() == "inactive"
        assert do("/service/osmoda-agentd/stop").code == "service.protected"

    def journal():
        machine.succeed("systemd-run --wait --unit=speaker /bin/sh -c 'echo hello from the speaker'")
        lines = machine.call("GET", "/journal?unit=speaker", headers=AGENT).json
        assert any("hello from the speaker" in line["message"] for line in lines["lines"]), lines

    def files():
        machine.succeed("echo old > /srv/secret-file && chmod 640 /srv/secret-file && chown root:daemon /srv/secret-file")
        undo = do("/file/write", path="/srv/secret-file", content="new").json["undo"]
        assert machine.succeed("cat /srv/secret-file; stat -c '%U:%G %a' /srv/secret-file").split() == ["newroot:daemon", "640"]
        assert do("/undo", undo=undo).json["undone"] and machine.succeed("cat /srv/secret-file") == "old\n"
        assert do("/file/read", path="/etc/shadow").code == "policy.denied"

    def kernel():
        before = machine.call("GET", "/sysctl?key=net.ipv4.tcp_fin_timeout", headers=AGENT).json["value"]
        answer = do("/sysctl", key="net.ipv4.tcp_fin_timeout", value="31")
        if answer.code == "policy.denied" or answer.status >= 500:
            return  # a container whose /proc/sys is read-only says so
        assert answer.json["after"] == "31", answer
        assert do("/undo", since="1m").json["undone"] and machine.succeed("cat /proc/sys/net/ipv4/tcp_fin_timeout").strip() == before

    yield "agentd has no right at all, agentd-root has root's and one caller", users
    yield "a unit that the agent stopped runs again, and the plan says so first", units
    yield "the journal is agentd's to read", journal
    yield "root's files are written and put back with owner and mode", files
    yield "a kernel setting goes back", kernel
