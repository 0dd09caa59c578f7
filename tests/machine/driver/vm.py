# What tests rely on in virtual machines, and what a container does not have; power-cut uses the same in quick runs.
# needs: vm
# only: full
# nodes: machine
machine.start()

with subtest("it boots with a kernel of its own, and runs commands"):
    machine.wait_for_unit("multi-user.target")
    t.assertIn("cloud", machine.succeed("uname -r"))
    t.assertEqual(machine.succeed("systemctl list-units --failed --no-legend --plain"), "")
    t.assertEqual(machine.succeed("ip -br -4 addr show eth1").split()[2], "192.168.1.1/24")

with subtest("it has every cgroup controller"):
    t.assertLessEqual({"cpu", "io", "memory", "pids"}, set(machine.succeed("cat /sys/fs/cgroup/cgroup.controllers").split()))
    machine.fail("systemd-run --wait --property=MemoryMax=32M --property=MemorySwapMax=0 python3 -c 'x = bytearray(200_000_000)'")

with subtest("what was not written when the power goes is lost"):
    machine.succeed("echo safe > /root/safe && sync && echo lost > /root/lost")
    machine.crash()
    t.assertEqual(machine.succeed("cat /root/safe"), "safe\n")
    machine.fail("grep -q lost /root/lost")
