"""sysctl_get: a parameter by its name, and no way to any other file."""
import os, pathlib, urllib.parse


def checks(agentd):
    get = lambda key: agentd.call("GET", "/sysctl?key=" + urllib.parse.quote(key, safe=""))

    def same():
        for key, adjustable in (("vm.swappiness", True), ("kernel.ostype", False), ("net.ipv4.tcp_rmem", True)):
            text = pathlib.Path("/proc/sys", *key.split(".")).read_text().rstrip("\n")
            assert get(key).json == {"key": key, "value": text, "adjustable": adjustable}, get(key)

    def refused():
        wrong = ("", "vm", "..", "vm..swappiness", "../../etc/passwd", "/etc/passwd", "vm.swappiness\0", "vm.swäppiness", "vm.swappiness\n", "vm. x", "a." + "b" * 300, "vm.//", "kernel./../hostname")
        for key in wrong:
            assert get(key).code == "request.field", (key, get(key))
        assert agentd.call("GET", "/sysctl").code == "request.field"
        for key in ("vm.nothing", "net.core", "no.such.thing"):
            assert get(key).code == "sysctl.not_found", (key, get(key))
        if os.path.exists("/proc/sys/net/ipv4/tcp_fastopen_key"):
            assert get("net.ipv4.tcp_fastopen_key").code == "policy.denied"

    yield "a parameter is what its file says", same
    yield "what is no name is refused, what is not there is not found, a secret is not told", refused
