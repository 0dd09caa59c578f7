# A machine with the defaults boots, and all that osModa is made of is there, well and quiet.
{
  imports = [ ./common.nix ];
  name = "boots-healthy";
  nodes.machine = { };
  testScript = builtins.readFile ./prelude.py + ''

    machine.wait_for_unit("multi-user.target")

    with subtest("agentd is ready and healthy without a key, a network or a person"):
        machine.wait_for_unit("osmoda-agentd.service")
        health = done(machine, "GET", "/health")
        t.assertEqual(health["status"], "ok", health)
        t.assertEqual([check for check in health["checks"] if check["status"] != "ok"], [])

    with subtest("nothing failed, and nobody complained"):
        t.assertEqual(machine.succeed("systemctl list-units --failed --plain --no-legend 'osmoda*'"), "")
        t.assertEqual(machine.succeed("journalctl --boot --unit='osmoda*' --priority=warning --output=cat --no-pager"), "")

    with subtest("systemd understands every unit"):
        said = machine.succeed("systemd-analyze verify --man=no --recursive-errors=no /etc/systemd/system/osmoda-*.service /etc/systemd/system/osmoda-*.socket 2>&1")
        t.assertEqual(said, "")

    with subtest("agentd sees no programs but sh and env, and its own PATH has what it needs"):
        view = machine.succeed("ls /proc/$(systemctl show --value -P MainPID osmoda-agentd)/root/usr/bin").split()
        t.assertLessEqual(set(view), {"env", "sh"})
        path = machine.succeed("tr '\\0' '\\n' < /proc/$(systemctl show --value -P MainPID osmoda-agentd)/environ | sed -n s/^PATH=//p")
        t.assertNotIn("/usr/bin", path)
        machine.succeed(f"PATH={path.strip()} command -v journalctl", f"PATH={path.strip()} command -v age")

    with subtest("the ledger began with this machine, and is whole"):
        machine.succeed("agentctl verify-ledger")
        first = done(machine, "GET", "/events/log?after_id=0&limit=1")["events"][0]
        t.assertEqual((first["id"], first["type"], first["actor"]), (1, "agentd.ledger.created", "daemon:agentd"))

    with subtest("it comes back by itself after a loss of power, with the same ledger"):
        machine.succeed("sync")
        machine.crash()
        machine.start()
        machine.wait_for_unit("osmoda-agentd.service")
        t.assertEqual(done(machine, "GET", "/events/log?after_id=0&limit=1")["events"][0], first)
        machine.succeed("agentctl verify-ledger")
  '';
}
