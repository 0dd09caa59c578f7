# What a container can show of a unit's hardening: each line is a setting and a proof, which fails without it and holds with
# it. docs/testing.md has the table; what is missing here needs a kernel of its own, see vm.py.
# nodes: machine
import shlex

PROOFS = {
    "BindReadOnlyPaths=/etc/hostname:/etc/motd": "grep -q machine /etc/motd",
    "CapabilityBoundingSet=": "grep -q 'CapBnd:.0000000000000000' /proc/self/status",
    "DevicePolicy=closed PrivateDevices=yes": "test -e /dev/null -a ! -e /dev/net",
    "DynamicUser=yes": "test $(id -u) -gt 60000",
    "DynamicUser=yes StateDirectory=made": "touch /var/lib/made/x && test -L /var/lib/made",
    "InaccessiblePaths=/nix/var/nix": "test -z \"$(ls -A /nix/var/nix)\"",
    "LoadCredential=a:/etc/hostname": "test -s $CREDENTIALS_DIRECTORY/a",
    "LockPersonality=yes": "! setarch i686 true",
    "MemoryDenyWriteExecute=yes": "! python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=7)'",
    "NoNewPrivileges=yes": "grep -q 'NoNewPrivs:.1' /proc/self/status",
    "PrivateIPC=yes": "test $(readlink /proc/self/ns/ipc) != $(readlink /proc/1/ns/ipc)",
    "PrivateMounts=yes": "test $(readlink /proc/self/ns/mnt) != $(readlink /proc/1/ns/mnt)",
    "PrivateNetwork=yes": "test $(grep -c : /proc/net/dev) = 1",
    "PrivateTmp=yes": "test -z \"$(ls -A /tmp)\"",
    "PrivateUsers=yes User=nobody": "test $(stat -c %u /proc/1) = 0 && grep -qv 4294967295 /proc/self/uid_map",
    "ProcSubset=pid": "test ! -e /proc/meminfo",
    "ProtectControlGroups=yes": "! mkdir /sys/fs/cgroup/made",
    "ProtectHome=yes": "test -z \"$(ls -A /root)\"",
    "ProtectHostname=yes": "! hostname other",
    "ProtectKernelTunables=yes": "! cat /proc/sys/net/ipv4/ip_forward > /proc/sys/net/ipv4/ip_forward",
    "ProtectProc=invisible User=nobody": "test ! -e /proc/1",
    "ProtectSystem=strict": "! touch /etc/made && ! touch /srv/made",
    "RestrictAddressFamilies=AF_UNIX": "! python3 -c 'import socket; socket.socket()'",
    "RestrictNamespaces=yes": "! unshare --user true",
    "RestrictSUIDSGID=yes": "cp /bin/true /root/copy && ! chmod u+s /root/copy",
    "SetCredential=a:unset": "grep -q unset $CREDENTIALS_DIRECTORY/a",
    "SystemCallFilter=@system-service SystemCallErrorNumber=EPERM": "! mount -t tmpfs none /mnt",
    "TemporaryFileSystem=/usr/sbin:ro": "test -z \"$(ls -A /usr/sbin)\"",
    "UMask=0077": "test $(umask) = 0077",
}


def holds(settings, proof):
    words = " ".join(f"--property={shlex.quote(setting)}" for setting in settings)
    return machine.execute(f"systemd-run --quiet --wait --pipe --collect {words} bash -c {shlex.quote(f'{{ {proof}; }} 2>/dev/null')} 2>&1", timeout=120)[0] == 0


machine.wait_for_unit("multi-user.target")
machine.succeed("touch /tmp/seen /root/seen")

with subtest("no proof holds by itself"):
    t.assertEqual([proof for proof in PROOFS.values() if holds([], proof)], [])

with subtest("each setting does in a container what it says"):
    t.assertEqual([setting for setting, proof in PROOFS.items() if not holds(setting.split(" "), proof)], [])
