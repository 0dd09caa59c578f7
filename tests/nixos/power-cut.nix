# What was acknowledged is on the disk when the power goes: the machine loses all that its kernel had not written yet.
# A container shares its host's kernel, which loses nothing.
# needs: vm
{
  imports = [ ./common.nix ];
  name = "power-cut";
  nodes.machine = { };
  testScript =
    builtins.readFile ./prelude.py
    + "LOAD = ${builtins.toJSON (builtins.readFile ./load.py)}\n"
    + ''

      machine.wait_for_unit("osmoda-agentd.service")

      with subtest("with a kernel of its own, agentd sees what each unit uses"):
          groups = done(machine, "POST", "/system/query", {"query": "cgroups", "args": {"limit": 1000}})["result"]
          own = [group for group in groups if group["path"].endswith("osmoda-agentd.service")][0]
          t.assertGreater(own["memory_bytes"], 1000000)
          t.assertGreater(own["tasks"], 1)

      with subtest("the power goes while others call as well"):
          incident = done(machine, "POST", "/incident/create", {"title": "before the cut"})["id"]
          start_load(machine, LOAD, workers=1, folder="/srv")
          for number in range(6):
              done(machine, "POST", "/notify", {"title": f"acknowledged {number}"})
              done(machine, "POST", "/memory/store", {"summary": f"remembered {number}"})
              done(machine, "POST", "/file/write", {"path": f"/srv/file-{number}", "content": f"written {number}"})
              done(machine, "POST", f"/incident/{incident}/step", {"kind": "evidence", "text": f"step {number}"})
          head = done(machine, "GET", "/ledger/head")
          machine.crash()

      with subtest("it comes back by itself, and all that was acknowledged is there"):
          machine.start()
          machine.wait_for_unit("osmoda-agentd.service")
          t.assertEqual([check for check in done(machine, "GET", "/health")["checks"] if check["status"] != "ok"], [])
          found = done(machine, "GET", "/events/log?type=agentd.alert.raised&limit=1000&q=acknowledged")["events"]
          t.assertEqual({event["payload"]["title"] for event in found}, {f"acknowledged {number}" for number in range(6)})
          remembered = {row["summary"] for row in done(machine, "GET", "/memory?limit=1000")["memories"]}
          t.assertEqual(remembered, {f"remembered {number}" for number in range(6)})
          t.assertEqual(machine.succeed("cd /srv; for n in $(seq 0 5); do cat file-$n; echo; done").splitlines(), [f"written {number}" for number in range(6)])
          t.assertEqual([step["text"] for step in done(machine, "GET", f"/incident/{incident}")["steps"]], [f"step {number}" for number in range(6)])

      with subtest("the ledger is whole, and the one that was acknowledged"):
          machine.succeed("agentctl verify-ledger")
          t.assertEqual(done(machine, "GET", f"/events/{head['size']}/proof")["event"]["hash"], head["hash"])
    '';
}
