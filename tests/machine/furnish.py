"""What a node has before it boots: its name and neighbours, the driver's shell, and what the modules made of it.

`golden` puts the units, configuration, users and programs of an evaluated NixOS system into a Debian tree. Programs are
named by store path there: each becomes a link to the Debian package's own, and osModa's to the binaries under test."""
import json, os, pathlib, re, shutil

SHELL = "/run/driver-shell"
HERE = pathlib.Path(__file__).resolve().parent
# The Debian packages that hold a nixpkgs package's programs, where the name is not the same.
DEBIAN = {"coreutils": "coreutils procps", "gnugrep": "grep", "gnused": "sed", "iputils": "iputils-ping", "nix": "nix-bin", "util-linux": "util-linux mount"}
PATH = "Environment=PATH=/run/wrappers/bin:/run/current-system/sw/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
NETWORK = """#!/bin/sh
# One cable, called as in the NixOS driver; a kernel of its own calls it eth0.
if [ -e /sys/class/net/eth0 ]; then ip link set eth0 name eth1; fi
ip addr add "192.168.1.$1/24" dev eth1
ip addr add "2001:db8:1::$1/64" dev eth1 nodad
ip link set eth1 up
"""
UNITS = {
    "driver.socket": f"[Socket]\nListenStream={SHELL}\nSocketMode=0600\nAccept=yes\nTriggerLimitIntervalSec=0\n",
    # A service of its own: what the driver runs is no login, just as in the NixOS driver.
    "driver@.service": "[Unit]\nCollectMode=inactive-or-failed\n[Service]\nExecStart=/usr/lib/driver-shell\nStandardInput=socket\nStandardError=journal\nKillMode=process\n" + PATH,
    # In a virtual machine the shell is behind the one port of the one serial device instead; the device node is there at once.
    "driver-port.service": "[Unit]\nConditionVirtualization=!container\n[Service]\nExecStart=bash -c 'exec <>/dev/vport*p1 >&0 && exec /usr/lib/driver-shell'\n" + PATH,
    "driver-network.service": "[Unit]\nDefaultDependencies=no\nBefore=network.target\nWants=network.target\n[Service]\nType=oneshot\n"
    "RemainAfterExit=yes\nExecStart=/usr/lib/driver-network {number}\n",
}
# NixOS has no programs in /usr/bin but env, and none in /bin but sh: osModa's units see it so. systemd itself does not.
NO_PROGRAMS = "[Service]\nTemporaryFileSystem=/usr/bin:ro /usr/sbin:ro /usr/local:ro\nBindReadOnlyPaths=/nix/sw/bin/sh:/usr/bin/sh /nix/sw/bin/env:/usr/bin/env\n"
# What NixOS makes of networking.firewall with nftables, in outline.
FIREWALL = """table inet nixos-fw {
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ct state vmap { invalid : drop, established : accept, related : accept, new : jump input-allow, untracked : jump input-allow }
  }
  chain input-allow {
    meta l4proto { icmp, ipv6-icmp } accept
%s
  }
}
"""
WANTED = {"driver.socket": ["sockets.target"], "driver-port.service": ["multi-user.target"], "driver-network.service": ["sysinit.target"]}


def basics(tree, name, number, names):
    """What every node has."""
    put(tree, "etc/hostname", f"{name}\n")
    put(tree, "etc/machine-id", f"{os.urandom(16).hex()}\n")
    put(tree, "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n" + "".join(f"192.168.1.{at} {other}\n" for at, other in enumerate(names, 1)))
    put(tree, "etc/nix/nix.conf", "experimental-features = nix-command flakes\nsubstituters =\n")
    put(tree, "usr/lib/driver-network", NETWORK).chmod(0o755)
    put(tree, "usr/lib/driver-shell", (HERE / "backdoor").read_text()).chmod(0o755)
    for folder in ("etc", "var"):  # nothing is to be brought up to date at the first boot
        put(tree, f"{folder}/.updated", "")
    (tree / "var/log/journal").mkdir(exist_ok=True)  # kept over a boot, as on NixOS
    units(tree, {unit: text.replace("{number}", str(number)) for unit, text in UNITS.items()}, WANTED)


def put(tree, path, text):
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.write_text(text)
    return file


def units(tree, texts, wanted):
    for unit, text in texts.items():
        put(tree, f"etc/systemd/system/{unit}", text)
    for unit, targets in wanted.items():
        for target in targets:
            link(tree, f"etc/systemd/system/{target}.wants/{unit}", f"../{unit}")


def link(tree, path, target):
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    file.symlink_to(target)


def programs(tree, bins):
    """osModa's programs, where the modules and the command line look for them."""
    folder = tree / "nix/store/osmoda/bin"
    folder.mkdir(parents=True)
    for program in bins.iterdir():
        if program.is_file() and os.access(program, os.X_OK):
            shutil.copy(program, folder)
            link(tree, f"nix/sw/bin/{program.name}", f"/nix/store/osmoda/bin/{program.name}")
    link(tree, "opt/osmoda", "/nix/store/osmoda/bin")


def golden(tree, folder):
    """The node that `folder` describes, as tests/evaluate.py wrote it."""
    source = folder.name
    read = lambda name: json.loads((folder / f"{name}.json").read_text())
    texts = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    units(tree, {path.name: path.read_text() for path in (folder / "units").iterdir()}, read("wanted"))
    for path, text in texts.items():
        if path.startswith("etc/"):
            put(tree, path, text)
    put(tree, "etc/tmpfiles.d/00-nixos.conf", "".join(f"{rule}\n" for rule in [*read("tmpfiles"), "L /run/current-system/sw - - - - /nix/sw"]))
    put(tree, "etc/systemd/system/osmoda-.service.d/nixos.conf", NO_PROGRAMS)
    accounts(tree, read("users"), read("groups"))
    firewall(tree, read("firewall"))
    for name in sorted(set(re.findall(r"/nix/store/([\w.+?=-]+)", "".join(texts.values()))) - {"osmoda"}):
        if (own := HERE.parents[1] / "scripts" / name).is_file():
            put(tree, f"nix/store/{name}/bin/{name}", own.read_text()).chmod(0o755)
            continue
        for package in DEBIAN.get(name, name).split():
            folder = tree / f"usr/lib/programs/{package}/bin"
            if not folder.is_dir():
                raise LookupError(f"{name} is named by {source}, and the Debian tree has no package {package}: add it to tree.py or name it in furnish.py")
            for program in folder.iterdir():
                link(tree, f"nix/store/{name}/bin/{program.name}", f"/{program.relative_to(tree)}")


def firewall(tree, declared):
    """The tables that are loaded at boot, where the node has nftables on."""
    if declared["nftables"]:
        ports = [f"{kind} dport {port} accept" for kind in ("tcp", "udp") for port in declared[f"allowed{kind.upper()}Ports"]]
        tables = "".join(f"table inet {name} {{\n{content}}}\n" for name, content in declared["tables"].items())
        put(tree, "etc/nftables.conf", FIREWALL % "\n".join([*ports, declared["extraInputRules"]]) + tables)
        link(tree, "etc/systemd/system/sysinit.target.wants/nftables.service", "/usr/lib/systemd/system/nftables.service")


def accounts(tree, users, groups):
    """Users and groups with numbers from 900 upwards, below those that Debian gives out at run time."""
    number = {name: 900 + at for at, name in enumerate(sorted({*users, *groups}))}
    members = {name: {*groups.get(name, []), *(user for user in users if name in users[user]["extraGroups"])} for name in groups}
    known = (tree / "etc/group").read_text().splitlines()
    for at, line in enumerate(known):
        name, *rest, listed = line.split(":")
        more = [user for user in users if name in users[user]["extraGroups"]]
        known[at] = ":".join([name, *rest, ",".join(filter(None, [*listed.split(","), *more]))])
    gid = {line.split(":")[0]: line.split(":")[2] for line in known} | {name: str(number[name]) for name in groups}
    put(tree, "etc/group", "".join(f"{line}\n" for line in [*known, *(f"{name}:x:{number[name]}:{','.join(sorted(members[name]))}" for name in groups)]))
    lines = [f"{name}:x:{number[name]}:{gid[user['group']]}::{user['home']}:/usr/sbin/nologin" for name, user in users.items()]
    put(tree, "etc/passwd", (tree / "etc/passwd").read_text() + "".join(f"{line}\n" for line in lines))
