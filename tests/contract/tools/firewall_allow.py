"""firewall_allow and firewall_list, in a network namespace that drops everything else."""
import json

from namespace import CLOSED, TABLE, apart, facts, inside, reachable


def checks(agentd):
    def opened():
        with apart(agentd, [TABLE.read_text(), CLOSED]) as alone:
            allow = lambda **body: alone.call("POST", "/network/firewall", body)
            listed = lambda: alone.call("GET", "/network/firewall").json
            assert listed() == {"table": "inet osmoda", "openings": [], "total": 0}
            assert not reachable(alone, "127.0.0.1", 8080) and not reachable(alone, "::1", 8080)
            answer = allow(protocol="tcp", port=8080)
            assert answer.json == {"before": None, "after": {"protocol": "tcp", "port": 8080}}, answer
            assert reachable(alone, "127.0.0.1", 8080) and reachable(alone, "::1", 8080)
            assert not reachable(alone, "127.0.0.1", 8081)
            assert facts(alone, "agentd.firewall.allowed") == [{"v": 1, "before": None, "after": {"protocol": "tcp", "port": 8080}}]
            # One network, some ports, some time.
            answer = allow(protocol="tcp", port=9000, to_port=9010, source="192.0.2.77/24", ttl_secs=600)
            after = answer.json["after"]
            assert after["source"] == "192.0.2.0/24" and after["ttl_secs"] == 600 and 0 < after["expires_in_secs"] <= 600, answer
            assert not reachable(alone, "127.0.0.1", 9005)
            assert allow(protocol="tcp", port=9500, to_port=9510, source="127.0.0.0/8").status == 200 and reachable(alone, "127.0.0.1", 9505)
            # The same again with another time replaces it; what overlaps in part does not.
            answer = allow(protocol="tcp", port=8080, ttl_secs=3600)
            assert answer.json["before"] == {"protocol": "tcp", "port": 8080} and answer.json["after"]["ttl_secs"] == 3600, answer
            assert allow(protocol="tcp", port=9005, to_port=9020, source="192.0.2.0/24").code == "firewall.overlaps"
            assert [row["port"] for row in listed()["openings"]] == [8080, 9000, 9500] and listed()["total"] == 3
            assert "machine" in inside(alone, "nft", "list", "tables")
            rules = json.loads(inside(alone, "nft", "-j", "list", "table", "inet", "machine"))
            assert sum("rule" in item for item in rules["nftables"]) == 2, "the machine's own rules were touched"

    def timed():
        with apart(agentd, [TABLE.read_text()]) as alone:
            assert alone.call("POST", "/network/firewall", {"protocol": "udp", "port": 53, "ttl_secs": 1}).status == 200
            from harness import wait_for

            wait_for("the opening ends by itself", lambda: alone.call("GET", "/network/firewall").json["total"] == 0)

    def absent():
        with apart(agentd) as alone:
            for method, target, body in (("GET", "/network/firewall", None), ("POST", "/network/firewall", {"protocol": "tcp", "port": 1}), ("POST", "/network/firewall/revoke", {"protocol": "tcp", "port": 1})):
                answer = alone.call(method, target, body)
                assert answer.code == "firewall.absent" and answer.status == 503 and answer.json["next_step"], answer

    def refused():
        for wrong in ({}, {"protocol": "icmp", "port": 1}, {"protocol": "tcp", "port": 0}, {"protocol": "tcp", "port": 65536}, {"protocol": "tcp", "port": 5, "to_port": 4}, {"protocol": "tcp", "port": 1, "source": "all"}, {"protocol": "tcp", "port": 1, "source": "1.2.3.4/33"}, {"protocol": "tcp", "port": 1, "ttl_secs": 0}, {"protocol": "tcp", "port": "1; flush ruleset"}):
            assert agentd.call("POST", "/network/firewall", wrong).code == "request.field", wrong

    yield "ports open for whom and as long as was asked, and nothing else changes", opened
    yield "an opening with a time ends by itself", timed
    yield "without the table there is nothing to open", absent
    yield "wrong arguments are refused", refused
