"""A throw-away machine with install.sh on it: this repository as a git repository to install from, and built programs."""
import pathlib, shutil, subprocess, sys, tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/machine")]
import node

PROGRAMS = ["agentd", "agentd-root", "agentctl", "osmoda", "osmoda-bridge"]
PACKAGES = ["git", "curl", "ca-certificates", "cpio", "nftables", "age"]
REPOSITORY = "/srv/os-moda"
# As it is run: from a pipe, in a session without a terminal.
GO = f'export OSMODA_REPOSITORY=file://{REPOSITORY}\ncat {REPOSITORY}/scripts/install.sh | setsid -w bash -s -- "$@"\n'
GIT = "git -c user.name=test -c user.email=test@localhost"


def git(folder, *words):
    subprocess.run([*GIT.split(), "-C", folder, *words], check=True, capture_output=True)


def snapshot(folder):
    """What git would commit now, as the only commit of a repository."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            target = pathlib.Path(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "as it is")


class Site:
    """The machine, and install.sh in it."""

    def __init__(self, bins, suite="trixie", packages=()):
        self.bins, self.suite = pathlib.Path(bins).resolve(), suite
        self.machine = node.Machine(bins, {}, [*PACKAGES, *packages])
        for name in ("succeed", "fail", "execute", "write"):
            setattr(self, name, lambda *words, _name=name: getattr(self.machine, _name)(*words))

    def __enter__(self):
        node.SUITE = self.suite
        self.machine.__enter__()
        try:
            inside = pathlib.Path(f"/proc/{self.machine.leader}/root/srv")
            (inside / "programs").mkdir()
            for name in PROGRAMS:
                shutil.copy(self.bins / name, inside / "programs")
            with tempfile.TemporaryDirectory() as folder:
                snapshot(folder)
                shutil.copytree(folder, inside / "os-moda")
            # The driver's own copy of the programs lies where osModa is installed.
            self.succeed(f"umount /opt/osmoda && rmdir /opt/osmoda && chown -R root: {REPOSITORY} && chmod 755 {REPOSITORY}")
            self.write("/root/go", GO)
        except BaseException:
            self.machine.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.machine.__exit__()

    def install(self, words, expect=0, before="", run="sh /root/go"):
        """What install.sh says with these options; `before` is shell text that is run in front of it."""
        status, said = self.execute(f"{before}\n{run} {words}")
        assert status == expect, f"{words}: exit {status}: …{said[-450:]}"
        return said

    def stand_in(self, program, text):
        """A program in /stand-in, which a `before` of PATH_FIRST puts in front of the machine's own."""
        self.write(f"/stand-in/{program}", f"#!/bin/sh\n{text}\n")
        self.succeed(f"chmod +x /stand-in/{program}")

    def release(self, **values):
        self.succeed("rm /etc/os-release")
        self.write("/etc/os-release", "".join(f'{key}="{value}"\n' for key, value in values.items()))


PATH_FIRST = "export PATH=/stand-in:$PATH"


def traces(site):
    """Everything an installation could have left, to be compared: paths and times below the folders it writes."""
    return site.succeed("find /opt /etc /usr/local /var/lib/osmoda /var/tmp -mindepth 1 -printf '%p %T@ %s %M %u\\n' 2>/dev/null | sort; true")
