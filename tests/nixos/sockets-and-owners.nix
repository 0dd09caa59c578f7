# Who owns what, and who gets in: the sockets are systemd's, the state is agentd's, and each caller reaches what is his.
{
  imports = [ ./common.nix ];
  name = "sockets-and-owners";
  nodes.machine = { };
  testScript = builtins.readFile ./prelude.py + ''

    machine.wait_for_unit("osmoda-agentd.service")


    def owner(path: str) -> str:
        return machine.succeed(f"stat -c '%U:%G %a' {path}").strip()


    def get_as(user: str, path: str) -> tuple[int, str | None]:
        status, answer = call(machine, "GET", path, user=user)
        return status, answer.get("code")


    with subtest("sockets belong to root and to those who may call"):
        t.assertEqual(owner("/run/osmoda"), "root:osmoda 755")
        t.assertEqual(owner("/run/osmoda/agentd.sock"), "root:osmoda 660")
        t.assertEqual(owner("/run/osmoda/root.sock"), "osmoda-agentd:root 600")
        t.assertEqual(machine.succeed("ls /run/osmoda").split(), ["agentd.sock", "root.sock"])

    with subtest("configuration is root's, state and backups are agentd's alone"):
        for path in ["/etc/osmoda/agentd.json", "/etc/osmoda/agentd-root.json"]:
            t.assertRegex(machine.succeed(f"stat -L -c '%U:%G %a' {path}"), "^root:root 4?6?44")
        t.assertEqual(owner("/var/lib/osmoda"), "root:root 755")
        for folder in ["agentd", "config", "ledger", "memory", "secrets"]:
            t.assertEqual(owner(f"/var/lib/osmoda/{folder}"), "osmoda-agentd:osmoda-agentd 700")
        t.assertEqual(owner("/var/backups/osmoda"), "osmoda-agentd:osmoda-agentd 700")
        strangers = machine.succeed("find /var/lib/osmoda /var/backups/osmoda -mindepth 2 ! -user osmoda-agentd")
        t.assertEqual(strangers, "")

    with subtest("root, operators and the agent are answered; a member of the group hears how agentd is, and no more"):
        for user in ["root", "osmoda-test-operator", "osmoda-agent"]:
            t.assertEqual(get_as(user, "/events/log?limit=1"), (200, None))
        t.assertEqual(get_as("osmoda-test-member", "/health"), (200, None))
        t.assertEqual(get_as("osmoda-test-member", "/events/log?limit=1"), (403, "auth.ring"))

    with subtest("a stranger does not even connect"):
        to = "setpriv --reuid=osmoda-test-stranger --regid=osmoda-test-stranger --init-groups"
        machine.succeed(f"{to} true")
        machine.fail(f"{to} curl -s --unix-socket /run/osmoda/agentd.sock http://l/health")

    with subtest("the privileged half answers agentd alone, and is started by the first call that needs it"):
        t.assertEqual(machine.get_unit_info("osmoda-agentd-root.service")["ActiveState"], "inactive")
        ask = "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(20); s.connect('/run/osmoda/root.sock'); s.send(b'{}'); print(s.recv(1000))"
        for user in ["osmoda-agent", "osmoda-test-operator"]:
            machine.fail(f"setpriv --reuid={user} --regid=osmoda --init-groups python3 -c \"{ask}\" 2>/dev/null")
        t.assertEqual(machine.get_unit_info("osmoda-agentd-root.service")["ActiveState"], "inactive")
        # Root gets past the file's mode, and is refused all the same.
        t.assertIn("auth.ring", machine.succeed(f"python3 -c \"{ask}\""))
        done(machine, "POST", "/file/write", {"path": "/srv/hello", "content": "hello"}, user="osmoda-agent")
        t.assertEqual(machine.succeed("cat /srv/hello; stat -c %U /srv/hello"), "hello" + "root\n")
        machine.require_unit_state("osmoda-agentd-root.service")

    with subtest("both halves run as whom they should, and agentd has no right of root's"):
        def status(unit: str) -> dict[str, str]:
            text = machine.succeed(f"cat /proc/$(systemctl show --value -P MainPID {unit})/status")
            return {key: value.strip() for key, value in (line.split(":", 1) for line in text.splitlines())}

        agentd, half = status("osmoda-agentd"), status("osmoda-agentd-root")
        t.assertEqual(set(agentd["Uid"].split()), {machine.succeed("id -u osmoda-agentd").strip()})
        t.assertEqual([int(agentd[kind], 16) for kind in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]], [0] * 5)
        t.assertEqual((agentd["NoNewPrivs"], agentd["Seccomp"]), ("1", "2"))
        t.assertEqual(set(half["Uid"].split()), {"0"})
        # CAP_SYS_MODULE, RAWIO, PTRACE, ADMIN and MKNOD (capability.h).
        t.assertEqual([bit for bit in [16, 17, 19, 21, 27] if int(half["CapBnd"], 16) >> bit & 1], [])

    with subtest("a socket stays while its daemon is away, and the next call brings it back"):
        machine.succeed("systemctl stop osmoda-agentd.service")
        t.assertEqual(owner("/run/osmoda/agentd.sock"), "root:osmoda 660")
        t.assertEqual(done(machine, "GET", "/health")["status"], "ok")
        machine.require_unit_state("osmoda-agentd.service")
  '';
}
