# systemd's own judgement of the units, and what it stands for in the running process.
{
  imports = [ ./common.nix ];
  name = "hardening-scores";
  nodes.machine = { };
  testScript = builtins.readFile ./prelude.py + ''

    machine.wait_for_unit("osmoda-agentd.service")
    done(machine, "POST", "/file/write", {"path": "/srv/hello", "content": "hello"}, user="osmoda-agent")

    services = machine.succeed("systemctl list-unit-files --no-legend --plain 'osmoda-*.service' | cut -d' ' -f1").split()
    units = {name: machine.get_unit_info(name) for name in services}
    root = [name for name, unit in units.items() if unit.get("User", "") in ["", "root"] and unit.get("DynamicUser") != "yes"]

    with subtest("every unprivileged daemon scores 2.0 or better"):
        plain = sorted(set(services) - set(root))
        t.assertIn("osmoda-agentd.service", plain)
        for name in plain:
            machine.succeed(f"systemd-analyze security --no-pager --threshold=20 {name}")

    with subtest("one daemon is root, and it is the one that is known"):
        t.assertEqual(root, ["osmoda-agentd-root.service"])

    with subtest("agentd can write its state and its backups, and nothing else"):
        pid = machine.succeed("systemctl show --value -P MainPID osmoda-agentd").strip()
        mounts = [line.split() for line in machine.succeed(f"cat /proc/{pid}/mountinfo").splitlines()]
        on_disk = {line[4] for line in mounts if line[line.index("-") + 1] in ["overlay", "ext4", "btrfs", "9p"] and "rw" in line[5].split(",") and not line[4].startswith("/run/")}
        t.assertTrue(on_disk, mounts)
        for place in on_disk:
            t.assertRegex(place, "^(/var/lib/osmoda/|/var/backups/osmoda|/tmp|/var/tmp)")
        for place in ["/", "/etc", "/home", "/nix/store", "/srv", "/usr", "/var/log"]:
            machine.fail(f"nsenter --target {pid} --mount --setuid $(id -u osmoda-agentd) --setgid $(id -g osmoda-agentd) touch {place}/from-agentd 2>/dev/null")

    with subtest("agentd may open no socket to the network and load no program into the kernel"):
        info = machine.get_unit_info("osmoda-agentd.service")
        t.assertEqual(set(info["RestrictAddressFamilies"].split()), {"AF_NETLINK", "AF_UNIX"})
        t.assertNotIn("bpf", info["SystemCallFilter"].split())
        t.assertEqual((info["MemoryDenyWriteExecute"], info["NoNewPrivileges"], info["PrivateUsers"]), ("yes", "yes", "no"))
  '';
}
