"""service_status against systemctl, or on a machine without systemd."""
import os, subprocess

SYSTEMD = os.path.isdir("/run/systemd/system")


def checks(agentd):
    get = lambda target: agentd.call("GET", target)

    def listed():
        answer = get("/service?limit=1000")
        if SYSTEMD:
            known = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service"], capture_output=True, text=True).stdout
            assert [row["unit"] for row in answer.json["services"]] == sorted(line.split()[0] for line in known.splitlines()), answer.json
        else:
            assert answer.code == "systemd.absent" and answer.status == 503 and answer.json["next_step"], answer

    def one():
        for target in ("/service/no-such-unit-here", "/service?unit=no-such-unit-here"):
            assert get(target).code == ("service.not_found" if SYSTEMD else "systemd.absent"), target

    def refused():
        for target, code, at in (("/service/a%2Fb", "request.id", "/unit"), ("/service/--help", "request.id", "/unit"), ("/service/getty@", "request.id", "/unit"),
                                 ("/service?unit=a%2Fb", "request.field", "/unit"), ("/service?unit=a&state=failed", "request.field", "/state"),
                                 ("/service?lines=3", "request.field", "/lines"), ("/service/a?lines=101", "request.field", "/lines")):
            answer = get(target)
            assert (answer.code, answer.json["errors"][0]["at"]) == (code, at), (target, answer)

    yield "the list is systemctl's, or systemd is absent", listed
    yield "an unknown unit is not found", one
    yield "malformed names and arguments that do not go together are named", refused
