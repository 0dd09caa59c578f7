# A reload applies a hot setting and refuses a cold one, a restart applies both, and callers notice neither.
{
  imports = [ ./common.nix ];
  name = "restart-and-reload";
  nodes.machine = { };
  testScript =
    builtins.readFile ./prelude.py
    + "LOAD = ${builtins.toJSON (builtins.readFile ./load.py)}\n"
    + ''

      machine.wait_for_unit("osmoda-agentd.service")
      config = json.loads(machine.succeed("cat /etc/osmoda/agentd.json"))


      def configure(**changes: Any) -> None:
          """What a switch to another system does to the file."""
          text = json.dumps({**config, **changes})
          machine.succeed(f"rm /etc/osmoda/agentd.json && echo {shlex.quote(text)} > /etc/osmoda/agentd.json")


      journal = "journalctl --unit=osmoda-agentd --output=cat --no-pager"


      def logs(words: str) -> int:
          return int(machine.succeed(f"journalctl --sync; {journal} | grep -c -- {shlex.quote(words)} || true"))


      def process() -> str:
          return machine.get_unit_info("osmoda-agentd")["MainPID"]


      machine.succeed("mkdir /srv/load")
      start_load(machine, LOAD, folder="/srv/load")

      with subtest("a reload applies a changed hot setting, in the same process"):
          before = process()
          refuse = lambda: call(machine, "GET", "/events/log?limit=1", user="osmoda-test-member")
          refuse()
          machine.wait_until_succeeds(f"{journal} | grep -q 'call refused'", timeout=120)
          configure(log={"filter": "error"})
          machine.succeed("systemctl reload osmoda-agentd")
          refused = logs("call refused")
          refuse()
          t.assertEqual((logs("call refused"), process()), (refused, before))
          configure()
          machine.succeed("systemctl reload osmoda-agentd")
          refuse()
          t.assertEqual((logs("call refused"), process()), (refused + 1, before))

      with subtest("a reload says that a cold setting needs a restart, and keeps the old one"):
          configure(backup={"dir": "/var/backups/osmoda/elsewhere"})
          machine.succeed("systemctl reload osmoda-agentd")
          machine.wait_until_succeeds(f"{journal} | grep -q 'needs a restart'", timeout=120)
          made = done(machine, "POST", "/backup/create", {})
          t.assertRegex(made["path"], "^/var/backups/osmoda/bak_")

      with subtest("a restart applies it"):
          machine.succeed("systemctl restart osmoda-agentd")
          t.assertNotEqual(process(), before)
          made = done(machine, "POST", "/backup/create", {})
          t.assertRegex(made["path"], "^/var/backups/osmoda/elsewhere/bak_")
          configure()

      with subtest("a broken file breaks no running daemon"):
          machine.succeed("echo '{' > /etc/osmoda/agentd.json && systemctl reload osmoda-agentd")
          machine.wait_until_succeeds(f"{journal} | grep -q 'the configuration is wrong'", timeout=120)
          t.assertEqual(done(machine, "GET", "/health")["status"], "ok")
          configure()

      with subtest("both halves are restarted and reloaded again and again"):
          for _ in range(4):
              machine.succeed("systemctl restart osmoda-agentd", "systemctl reload osmoda-agentd", "systemctl restart osmoda-agentd-root")

      with subtest("not one call failed meanwhile"):
          acknowledged, failed = end_load(machine)
          t.assertEqual(failed, [])
          t.assertGreater(len(acknowledged), 200)
          machine.succeed("agentctl verify-ledger")
    '';
}
