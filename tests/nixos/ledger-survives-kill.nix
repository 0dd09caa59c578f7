# What agentd acknowledged stands in its ledger, however often it is killed and whenever the power goes; it comes back by itself.
{
  imports = [ ./common.nix ];
  name = "ledger-survives-kill";
  nodes.machine = { };
  testScript =
    builtins.readFile ./prelude.py
    + "LOAD = ${builtins.toJSON (builtins.readFile ./load.py)}\n"
    + ''

      machine.wait_for_unit("osmoda-agentd.service")


      def recorded() -> list[str]:
          """The titles of all alerts of the load in the ledger."""
          lines = machine.succeed("agentctl ledger export /root/export.jsonl && grep agentd.alert.raised /root/export.jsonl").splitlines()
          titles = [json.loads(json.loads(line)["event"]["payload"])["title"] for line in lines]
          return [title for title in titles if title.startswith("load ")]  # agentd itself alerts of calls that were cut off


      def whole() -> None:
          machine.succeed("agentctl verify-ledger")
          checks = {check["name"]: check["status"] for check in done(machine, "GET", "/health")["checks"]}
          t.assertEqual(checks["ledger"], "ok")


      with subtest("killed eight times under load, it is back each time without a person"):
          start_load(machine, LOAD)
          for _ in range(8):
              pid = machine.get_unit_info("osmoda-agentd")["MainPID"]
              machine.succeed("systemctl kill --signal=KILL osmoda-agentd")
              machine.wait_until_succeeds(f"test $(systemctl show --value -P MainPID osmoda-agentd) != {pid}", timeout=60)
              machine.wait_until_succeeds("systemctl is-active osmoda-agentd", timeout=60)
          acknowledged, failed = end_load(machine)

      with subtest("every acknowledged call stands in the ledger, once, and the ledger is whole"):
          t.assertGreater(len(acknowledged), 100)
          found = recorded()
          t.assertEqual(set(acknowledged) - set(found), set())
          t.assertEqual(len(found), len(set(found)))
          # A call that was cut off may have been recorded; nothing else was.
          t.assertLessEqual(len(found), len(acknowledged) + len(failed))
          whole()

      with subtest("a call that was cut off has an outcome all the same"):
          lines = [json.loads(line) for line in machine.succeed("cat /root/export.jsonl").splitlines()]
          events = [line["event"] for line in lines if "event" in line]
          of = lambda kind: [json.loads(event["payload"])["request_id"] for event in events if event["type"] == f"agentd.notify.{kind}"]
          t.assertEqual(set(of("intent")), set(of("outcome")))
          t.assertEqual(len(of("outcome")), len(set(of("outcome"))))

      with subtest("the power goes in the middle of it"):
          start_load(machine, LOAD)
          size = len(found) * 4 + 200
          machine.wait_until_succeeds(f"test $(curl -s --unix-socket /run/osmoda/agentd.sock http://l/ledger/head | jq .size) -gt {size}", timeout=300)
          head = done(machine, "GET", "/ledger/head")
          machine.crash()
          machine.start()
          machine.wait_for_unit("osmoda-agentd.service")
          whole()
          t.assertGreaterEqual(done(machine, "GET", "/ledger/head")["size"], head["size"])
          proof = done(machine, "GET", f"/events/{head['size']}/proof")
          t.assertEqual(proof["event"]["hash"], head["hash"])
    '';
}
