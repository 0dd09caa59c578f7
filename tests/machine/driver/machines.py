# What tests rely on in the driver itself.
# nodes: a b
start_all()

with subtest("commands say how they ended, and what they printed"):
    t.assertEqual(a.succeed("echo out; echo err >&2"), "out\n")
    t.assertEqual(a.execute("exit 7"), (7, ""))
    t.assertEqual(a.fail("echo gone; false; echo never"), "gone\n")
    t.assertEqual(a.execute("true | false | true")[0], 1)
    t.assertEqual(a.execute("sleep 60", timeout=1)[0], 124)
    t.assertEqual(len(a.succeed("head -c 300000 /dev/zero | tr '\\0' x")), 300000)
    for call, word in ((a.succeed, "false"), (a.fail, "true")):
        with t.assertRaises(MachineError):
            call(word)
    with t.assertRaises(MachineError):
        a.wait_until_succeeds("false", timeout=1)

with subtest("a script and a file may be long"):
    a.succeed(f"test {'x' * 200000} != y")
    machine_id = a.succeed("cat /etc/machine-id")
    with open("/tmp/driver-big", "w") as file:
        file.write("z" * 1000000)
    a.copy_from_host("/tmp/driver-big", "/srv/deep/big")
    t.assertEqual(a.succeed("stat -c '%s %U' /srv/deep/big"), "1000000 root\n")

with subtest("units are waited for, and a failed one is no wait without end"):
    a.wait_for_unit("multi-user.target")
    a.require_unit_state("dbus.service")
    t.assertEqual(a.get_unit_info("dbus.socket")["ActiveState"], "active")
    a.succeed("systemd-run --unit=later --service-type=oneshot --remain-after-exit --no-block sleep 1")
    a.wait_for_unit("later.service")
    a.fail("systemd-run --unit=broken --service-type=oneshot false")
    with t.assertRaises(MachineError):
        a.wait_for_unit("broken.service")
    with t.assertRaises(MachineError):
        a.wait_for_unit("never-heard-of.service")

with subtest("the driver's shell is a service of the node, as root and no login"):
    t.assertIn("driver@", a.succeed("cat /proc/self/cgroup"))
    t.assertEqual(a.succeed("id -u; cat /proc/self/loginuid").split()[0], "0")

with subtest("nodes see each other until one is cut off, and again afterwards"):
    a.succeed("ping -c 1 -W 5 b", "ping -c 1 -W 5 192.168.1.2", "ping -6 -c 1 -W 5 2001:db8:1::2")
    b.succeed("systemd-run --unit=web python3 -m http.server 8000 --bind 192.168.1.2")
    b.wait_for_open_port(8000, "192.168.1.2")
    a.succeed("curl -sf http://b:8000/")
    b.block()
    a.fail("ping -c 1 -W 1 b")
    b.unblock()
    a.wait_until_succeeds("ping -c 1 -W 1 b", timeout=60)
    b.succeed("systemctl stop web")
    a.wait_for_closed_port(8000, "b")

with subtest("a machine that lost its power boots with what was written"):
    a.succeed("echo kept > /root/kept && sync")
    a.crash()
    t.assertFalse(a.booted)
    t.assertEqual(a.succeed("cat /root/kept"), "kept\n")
    t.assertEqual(a.succeed("cat /etc/machine-id"), machine_id)

with subtest("a machine shuts down when asked, and reboots"):
    boot = b.succeed("journalctl --list-boots --no-pager | wc -l")
    b.shutdown()
    t.assertFalse(b.booted)
    b.start(allow_reboot=True)
    t.assertEqual(int(b.succeed("journalctl --list-boots --no-pager | wc -l")), int(boot) + 1)
    b.reboot()
    t.assertEqual(int(b.succeed("journalctl --list-boots --no-pager | wc -l")), int(boot) + 2)
    a.wait_until_succeeds("ping -c 1 -W 1 b", timeout=60)

with subtest("Nix builds and registers through its daemon"):
    builder = 'derivation { name = "hello"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo hello > $out; exit 0" ]; }'
    path = a.succeed(f"nix build --impure --no-link --print-out-paths --expr '{builder}'").strip()
    t.assertEqual(a.succeed(f"cat {path}"), "hello\n")
    a.succeed(f"nix-store --query --hash {path}", "systemctl is-active nix-daemon.service")
