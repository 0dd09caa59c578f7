"""security_score: its sum, and some findings against the same files."""
import pathlib


def checks(agentd):
    def summed():
        answer = agentd.call("GET", "/security/score").json
        weight = lambda state: sum(row["weight"] for row in answer["findings"] if row["state"] == state)
        passed, failed = weight("pass"), weight("fail")
        assert (answer["weight_passed"], answer["weight_failed"], answer["weight_unknown"]) == (passed, failed, weight("unknown"))
        assert answer["score"] == passed * 100 // (passed + failed)
        for row in answer["findings"]:
            assert all(row[field] for field in ("title", "detail", "why", "fix_nixos", "fix_debian")), row

    def true():
        found = {row["id"]: row for row in agentd.call("GET", "/security/score").json["findings"]}
        for key, good in (("kernel.dmesg_restrict", "1"), ("kernel.randomize_va_space", "2"), ("fs.protected_symlinks", "1")):
            path = pathlib.Path("/proc/sys", *key.split("."))
            wanted = "unknown" if not path.exists() else "pass" if path.read_text().strip() == good else "fail"
            assert found[key]["state"] == wanted, found[key]
        roots = [line for line in open("/etc/passwd") if line.split(":")[2] == "0"]
        assert found["accounts.root"]["state"] == ("pass" if len(roots) == 1 else "fail")
        if not pathlib.Path("/run/systemd/system").exists():
            assert found["firewall.active"]["state"] == "unknown"

    yield "the score is the sum of the weights it prints", summed
    yield "findings are what the files say", true
