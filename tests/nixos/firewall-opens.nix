# firewall_allow lets another machine in through NixOS's own firewall, for as long as it says, and firewall_revoke shuts it again.
{
  imports = [ ./common.nix ];
  name = "firewall-opens";
  nodes.client = { };
  nodes.server.networking.nftables.enable = true;
  testScript = builtins.readFile ./prelude.py + ''

    start_all()
    server.wait_for_unit("osmoda-agentd.service")
    server.wait_for_unit("nftables.service")
    server.succeed("systemd-run --unit=web $(command -v python3) -m http.server 8000")
    server.wait_for_open_port(8000)
    address = client.succeed("getent ahostsv4 client | cut -d' ' -f1 | head -n 1").strip()
    get = "curl -s -o /dev/null --max-time 20 http://server:8000/"
    closed = get.replace("20", "1")


    def firewall(verb: str, **what: Any) -> Any:
        path = "/network/firewall" if verb == "allow" else "/network/firewall/revoke"
        return done(server, "POST", path, {"protocol": "tcp", "port": 8000, **what}, user="osmoda-agent")


    with subtest("the port is closed as declared"):
        client.wait_until_succeeds("ping -c 1 server")
        client.fail(closed)
        t.assertEqual(done(server, "GET", "/network/firewall")["openings"], [])

    with subtest("opened for everybody, it answers; revoked, it does not"):
        firewall("allow")
        client.succeed(get)
        t.assertEqual([row["port"] for row in done(server, "GET", "/network/firewall")["openings"]], [8000])
        firewall("revoke")
        client.fail(closed)

    with subtest("opened for one network, others stay outside"):
        firewall("allow", source="203.0.113.0/24")
        client.fail(closed)
        firewall("allow", source=f"{address}/32")
        client.succeed(get)
        firewall("revoke", source=f"{address}/32")
        client.fail(closed)

    with subtest("opened for some seconds, it closes by itself"):
        firewall("allow", ttl_secs=8)
        client.succeed(get)
        client.wait_until_fails(closed, timeout=120)

    with subtest("undo shuts what was opened"):
        firewall("allow")
        client.succeed(get)
        done(server, "POST", "/undo", {"since": "5m"}, user="osmoda-agent")
        client.fail(closed)
        t.assertEqual(done(server, "GET", "/network/firewall")["openings"], [])
  '';
}
