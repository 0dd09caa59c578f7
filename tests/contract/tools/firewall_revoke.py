"""firewall_revoke, in a network namespace of its own."""
from namespace import CLOSED, TABLE, apart, facts, reachable


def checks(agentd):
    def closed():
        with apart(agentd, [TABLE.read_text(), CLOSED]) as alone:
            allow = lambda **body: alone.call("POST", "/network/firewall", body)
            revoke = lambda **body: alone.call("POST", "/network/firewall/revoke", body)
            assert revoke(protocol="tcp", port=8080).code == "firewall.not_found"
            for more in ({}, {"source": "127.0.0.1"}, {"source": "::/0", "to_port": 8090}):
                opening = {"protocol": "tcp", "port": 8000 + 10 * len(more), **more}
                assert allow(**opening, ttl_secs=300).status == 200, opening
                assert revoke(**{**opening, "port": 7}).code in ("firewall.not_found", "request.field")
                answer = revoke(**opening)
                assert answer.json["after"] is None and answer.json["before"]["ttl_secs"] == 300, answer
                assert facts(alone, "agentd.firewall.revoked")[-1]["before"] == answer.json["before"]
            assert alone.call("GET", "/network/firewall").json["total"] == 0
            assert allow(protocol="tcp", port=8080).status == 200 and reachable(alone, "127.0.0.1", 8080) and reachable(alone, "::1", 8080)
            assert revoke(protocol="tcp", port=8080).status == 200
            assert not reachable(alone, "127.0.0.1", 8080) and not reachable(alone, "::1", 8080)

    yield "what was opened is closed, in both families, and recorded", closed
