#!/usr/bin/env python3
"""osmoda-install, as far as it runs without NixOS: what it refuses, its plan on real block devices, and what lies in /etc/nixos after."""
import functools, http.server, json, pathlib, re, subprocess, sys, tempfile, threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from apart import THROWAWAY
from evaluate import ROOT, evaluate
from ground import disk, plan, run, told
from harness import Skip, Suite

KEY = "ssh-ed25519 " + "A" * 68 + " ann@laptop"
GOOD = {"disk": "/dev/sda", "host_name": "box", "ssh_keys": [KEY], "wipe": True}
STEPS = ["nixos-generate-config", "disko", "mkdir", "cp", "git", "git", "nixos-install", "sync", "systemctl"]
WRONG = {
    "an unknown key": ({"disk": "/dev/sda", "hostname": "x"}, "unknown keys: hostname"),
    "no disk": ({"disk": None}, 'disk: "" is no path of a disk'),
    "a disk that could be an option": ({"disk": "--help"}, "is no path of a disk"),
    "a file as the disk": ({"disk": "/dev/null"}, "/dev/null is no disk of this machine"),
    "a name that is Nix code": ({"host_name": '"; x = "'}, "is no host name"),
    "no key": ({"ssh_keys": []}, "without a key nobody can log in"),
    "a key that is Nix code": ({"ssh_keys": [KEY + ' ${"x"}']}, "is no ssh public key"),
    "a private key": ({"ssh_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}, "is no ssh public key"),
    "a word for the end that means nothing": ({"after": "halt"}, "is neither poweroff nor reboot"),
}


def wrong(change, says):
    with told(**GOOD | change) as file:
        done = run("--dry-run", "--config", file)
    assert done.returncode == 1 and says in done.stderr, (done.returncode, done.stderr)


def words():
    assert run("--help").returncode == 0 and run("--no-such").returncode == 2
    assert run().returncode == 2 and "install.json" in run().stderr, "with neither terminal nor file"
    done = run("--find")
    assert done.returncode == 3 and "needs 2048 MiB" in done.stdout, done


def empty():
    with disk() as (device, digest), told(**GOOD | {"disk": device, "wipe": False}) as file:
        before = digest()
        done = run("--dry-run", "--config", file)
        assert plan(done) == STEPS and digest() == before, done.stdout
        assert '| ' in done.stdout and f'device = "{device}"' in done.stdout and KEY in done.stdout


def full():
    with disk(["mkfs.ext4", "-q"]) as (device, digest):
        before = digest()
        with told(**GOOD | {"disk": device, "wipe": False}) as file:
            done = run("--config", file)
            assert done.returncode == 1 and 'say "wipe": true' in done.stderr and digest() == before, done
        with told(**GOOD | {"disk": device}) as file:
            assert plan(run("--dry-run", "--config", file)) == STEPS


def seed():
    with disk() as (target, _), disk(["mkfs.ext4", "-q", "-L", "OSMODA"]) as (volume, _), tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", volume, folder], check=True)
        pathlib.Path(folder, "install.json").write_text(json.dumps(GOOD | {"disk": target}))
        subprocess.run(["umount", folder], check=True)
        done = run("--find", "--dry-run")
        assert plan(done) == STEPS and f"taking install.json from {volume}" in done.stdout, done


def kernel_argument():
    with disk() as (target, _), tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "a.json").write_text(json.dumps(GOOD | {"disk": target, "after": "reboot"}))
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            done = run("--find", "--dry-run", cmdline=f"osmoda.install=http://127.0.0.1:{server.server_port}/a.json")
            server.shutdown()
    assert [step for step in plan(done) if step != "efibootmgr"] == STEPS and "+ systemctl reboot" in done.stdout, done


def one_host():
    with disk() as (target, _), told(disk=target) as file:
        host = {"disk": target, "disko": "/nix/store/disko", "toplevel": "/nix/store/system"}
        done = run("--dry-run", "--config", file, carried=host)
        assert plan(done) == ["/nix/store/disko", *STEPS[2:]] and "--system /nix/store/system" in done.stdout, done
        done = run("--dry-run", "--config", file, carried=host | {"disk": "/dev/sdx"})
        assert done.returncode == 1 and "installs on /dev/sdx alone" in done.stderr, done


def replaced():
    """After kexec (images/kexec-run): the machine that is installed answers where the one before did, with its keys."""
    with disk() as (target, _), told(**GOOD | {"disk": target}) as file:
        done = run("--dry-run", "--config", file, before="  networking.useNetworkd = true;\n")
    assert "|   networking.useNetworkd = true;\n" in done.stdout and re.search(r"^\+ install .*/etc/ssh /etc/ssh/ssh_host_", done.stdout, re.M), done
    assert [step for step in plan(done) if step != "install"] == STEPS, done


def written():
    """All steps but those of NixOS' own programs, on a machine to throw away."""
    if THROWAWAY is None:
        raise Skip("no namespaces to run it apart from this machine")
    with disk() as (target, _), told(**GOOD | {"disk": target}) as file, tempfile.TemporaryDirectory() as tools:
        for name in ("disko", "nixos-generate-config", "nixos-install", "systemctl"):
            pathlib.Path(tools, name).write_text("#!/bin/sh\n")
            pathlib.Path(tools, name).chmod(0o755)
        script = 'mount -t tmpfs target /mnt; "$@" && git -C /mnt/etc/nixos ls-files && cat /mnt/etc/nixos/machine.nix'
        done = run("--config", file, prefix=[*THROWAWAY, "sh", "-ec", script, "sh"], path=tools)
    assert done.returncode == 0, done
    listed, mark, machine = done.stdout.partition("\nmachine.nix\n")
    tracked = sorted(path.name for path in (ROOT / "templates/default").glob("*.nix"))
    assert listed.splitlines()[1 - len(tracked):] == tracked[:-1] and tracked[-1] == "machine.nix", done.stdout
    said = evaluate("lib", f"_: ({machine})")
    assert said["networking"]["hostName"] == "box" and said["disko"]["devices"]["disk"]["main"]["device"] == target, said
    assert said["users"]["users"]["admin"]["openssh"]["authorizedKeys"]["keys"] == [KEY], said


def main():
    suite = Suite()
    with suite.check("usage, and a machine that nobody told anything"):
        words()
    for name, (change, says) in WRONG.items():
        with suite.check(f"refused: {name}"):
            wrong(change, says)
    for name, check in [("an empty disk: the plan, and nothing changed", empty), ("a disk with data is refused without wipe", full),
                        ("a volume labelled OSMODA says how", seed), ("a kernel argument says where", kernel_argument),
                        ("a medium for one host needs no evaluation", one_host), ("after kexec the new system has the old one's addresses and host keys", replaced),
                        ("what lies in /etc/nixos after", written)]:
        with suite.check(name):
            check()
    suite.end()


if __name__ == "__main__":
    main()
