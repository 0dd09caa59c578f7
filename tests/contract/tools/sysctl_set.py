"""sysctl_set, in a network namespace of its own: before, after, and nothing outside the list."""
import pathlib

from namespace import apart, facts, inside

HERE = pathlib.Path("/proc/sys/net/core/somaxconn")


def checks(agentd):
    def written():
        with apart(agentd) as alone:
            put = lambda key, value: alone.call("POST", "/sysctl", {"key": key, "value": value})
            ours, there = HERE.read_text(), lambda: inside(alone, "cat", str(HERE)).strip()
            before = there()
            answer = put("net.core.somaxconn", "77")
            assert answer.json == {"key": "net.core.somaxconn", "before": before, "after": "77"} and there() == "77", answer
            assert facts(alone, "agentd.sysctl.changed") == [{"v": 1, "key": "net.core.somaxconn", "before": before, "after": "77"}]
            assert HERE.read_text() == ours, "it was set outside of the namespace"
            # What the kernel made of it is what is told.
            answer = put("net.ipv4.tcp_rmem", "4096 8192   16384")
            assert answer.json["after"] == "4096\t8192\t16384", answer
            for bad in ("many", "-1", "99999999999999999999"):
                assert put("net.core.somaxconn", bad).code == "sysctl.rejected" and there() == "77", bad

    def refused():
        before = agentd.call("GET", "/events/log?type=agentd.sysctl.changed").json["events"]
        put = lambda key, value: agentd.call("POST", "/sysctl", {"key": key, "value": value})
        for key in ("kernel.core_pattern", "kernel.modprobe", "net.ipv4.ip_forward", "kernel.randomize_va_space", "vm.mmap_min_addr", "net.ipv4.tcp_fastopen_key"):
            assert put(key, "0").code == "policy.denied", key
        for key, value in (("../x", "1"), ("vm.swappiness", ""), ("vm.swappiness", "1\n2"), ("vm.swappiness", "1\0"), ("vm.swappiness", "é"), ("vm.swappiness", "1" * 300)):
            assert put(key, value).code == "request.field", (key, value)
        assert agentd.call("GET", "/events/log?type=agentd.sysctl.changed").json["events"] == before

    yield "a value is written, read back and recorded", written
    yield "what is not on the list is denied, what is no value is refused", refused
