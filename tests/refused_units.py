"""What service_start, service_stop and service_restart must not do on the machine that runs the tests."""
import os


def checks(agentd, what):
    act = lambda unit: agentd.call("POST", f"/service/{unit}/{what}", {})

    def protected():
        for unit in ("sshd", "ssh.socket", "dbus", "systemd-journald", "osmoda-agentd", "nix-daemon", "firewall", "debug-shell", "multi-user.target", "-.slice"):
            before = agentd.call("GET", "/ledger/head").json["size"]
            answer = act(unit)
            assert (answer.code, answer.status) == ("service.protected", 403), (unit, answer)
            recorded = [event for event in agentd.call("GET", f"/events/log?after_id={before}&type=agentd.service.").json["events"]]
            assert [event["type"] for event in recorded] == [f"agentd.service.{what}.intent", f"agentd.service.{what}.outcome"], recorded
            assert recorded[1]["payload"]["code"] == "service.protected", recorded

    def unknown():
        wanted = "service.not_found" if os.path.isdir("/run/systemd/system") else "systemd.absent"
        assert act("no-such-unit-here").code == wanted

    def malformed():
        for unit in ("a%2Fb", "--help", "getty@", "x" * 300, "a%00", "*"):
            before = agentd.call("GET", "/ledger/head").json["size"]
            assert act(unit).code == "request.id", unit
            assert agentd.call("GET", "/ledger/head").json["size"] == before, "a refused call left a record"

    yield "a protected unit is refused, and the ledger says so", protected
    yield "an unknown unit is not found", unknown
    yield "a malformed name is refused before anything is recorded", malformed
