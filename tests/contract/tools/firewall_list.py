"""firewall_list: what stands in the sets, whoever put it there, and never the machine's own rules."""
from namespace import CLOSED, TABLE, apart, inside


def checks(agentd):
    def listed():
        with apart(agentd, [TABLE.read_text(), CLOSED]) as alone:
            openings = lambda: alone.call("GET", "/network/firewall").json["openings"]
            assert openings() == []
            assert inside(alone, "nft", "add", "element", "inet", "osmoda", "allow4", "{ udp . 53 . 192.0.2.9, tcp . 80-90 . 0.0.0.0/0 }") is not None
            assert inside(alone, "nft", "add", "element", "inet", "osmoda", "allow6", "{ tcp . 80-90 . ::/0, tcp . 22 . 2001:db8::/32 timeout 1h }") is not None
            ssh, web, names = openings()
            assert web == {"protocol": "tcp", "port": 80, "to_port": 90} and names == {"protocol": "udp", "port": 53, "source": "192.0.2.9"}
            assert (ssh["source"], ssh["ttl_secs"]) == ("2001:db8::/32", 3600) and ssh["expires_in_secs"] <= 3600, ssh
            inside(alone, "nft", "delete", "table", "inet", "osmoda")
            assert alone.call("GET", "/network/firewall").code == "firewall.absent"

    yield "elements are listed as openings, one for both families", listed
