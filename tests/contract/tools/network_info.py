"""network_info against what Python and /proc see of the same network."""
import pathlib, socket

from namespace import apart


def checks(agentd):
    def same():
        seen = agentd.call("GET", "/network").json
        assert seen["hostname"] == socket.gethostname()
        assert {row["name"]: row["index"] for row in seen["interfaces"]} == {name: index for index, name in socket.if_nameindex()}
        assert seen["interfaces_total"] == len(seen["interfaces"])
        for row in seen["interfaces"]:
            folder = pathlib.Path("/sys/class/net") / row["name"]
            assert row["mtu"] == int((folder / "mtu").read_text()), row
            assert row["mac"] is None or row["mac"] == (folder / "address").read_text().strip(), row
            assert row["counters"]["rx_bytes"] <= int((folder / "statistics/rx_bytes").read_text()), row
        lines = pathlib.Path("/proc/net/route").read_text().splitlines()[1:]
        default = [line.split() for line in lines if line.split()[1] == "00000000" and int(line.split()[3], 16) & 2]
        gateways = {socket.inet_ntoa(int(fields[2], 16).to_bytes(4, "little")) for fields in default}
        assert {row["gateway"] for row in seen["default_gateways"] if row["destination"] == "0.0.0.0/0"} == gateways, seen["default_gateways"]
        words = [line.split() for line in pathlib.Path("/etc/resolv.conf").read_text().splitlines()]
        assert seen["dns"]["servers"] == [line[1] for line in words if line[:1] == ["nameserver"]], seen["dns"]

    def own():
        with apart(agentd) as alone:
            seen = alone.call("GET", "/network").json
            lo = seen["interfaces"][0]
            assert (lo["name"], lo["kind"], lo["up"]) == ("lo", "loopback", True), seen
            assert {"address": "127.0.0.1", "prefix": 8, "scope": "host"} in lo["addresses"], lo
            assert seen["default_gateways"] == [] and seen["routes_total"] == len(seen["routes"])

    yield "interfaces, gateways and servers are what the kernel's files say", same
    yield "in an empty namespace there is the loopback and no way out", own
