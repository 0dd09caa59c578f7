"""A machine for tests: a Debian tree booted by systemd-nspawn, with our programs in it. Everything it writes is thrown away."""
import contextlib, fcntl, hashlib, os, pathlib, re, shutil, signal, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import Skip, wait_for
from wire import call

SUITE = "trixie"
PACKAGES = ["systemd", "systemd-sysv", "dbus", "iproute2", "procps"]
TOOLS = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
CACHE = pathlib.Path(__file__).resolve().parents[2] / "target" / "machine"
PATIENCE = 120.0  # seconds; a machine boots in a few, on a busy host in many more
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command, **keywords):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", **keywords)


def mirror():
    """Where this host itself gets Debian from."""
    words = pathlib.Path("/etc/os-release").read_text()
    codename = re.search(r"^VERSION_CODENAME=(\S+)", words, re.M)
    folder = pathlib.Path("/etc/apt")
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]:
        text = path.read_text() if path.is_file() else ""
        for line in re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+main\b", text, re.M):
            if codename and line[1] == codename[1]:
                return line[0]
        for block in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^(\w[\w-]*):\s*(.*)$", block, re.M))
            if codename and codename[1] in fields.get("Suites", "").split() and "main" in fields.get("Components", "").split():
                return fields["URIs"].split()[0]
    raise Skip("this host's apt sources name no Debian mirror")


def tree(more):
    """The tree to boot from, with `more` packages, made once and kept."""
    packages = [*PACKAGES, *more]
    if os.geteuid() != 0:
        raise Skip("needs root to boot a container")
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    install = f"apt-get -qq update && apt-get -qq install -y --no-install-recommends {' '.join(missing)}"
    if missing and run("sh", "-c", install, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}).returncode:
        raise Skip(f"cannot install {' '.join(missing)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    made = CACHE / f"{SUITE}-{hashlib.sha256(' '.join(packages).encode()).hexdigest()[:12]}"
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            part = made.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            done = run("debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, part, mirror())
            if done.returncode:
                raise Skip(f"debootstrap: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
            part.rename(made)
    return made


class Machine:
    """One container. The API is that of the NixOS test driver, as far as the tests need it."""

    def __init__(self, bins, units=None, packages=()):
        self.bins, self.units, self.packages = pathlib.Path(bins).resolve(), units or {}, packages
        self.leader = self.process = None

    def __enter__(self):
        base = tree(self.packages)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="node-", dir=CACHE))
        self.merged, self.shared = self.root / "merged", self.root / "run"
        for folder in ("upper", "work", "merged", "run"):
            (self.root / folder).mkdir(mode=0o755)
        options = f"lowerdir={base},upperdir={self.root}/upper,workdir={self.root}/work"
        if run("mount", "-t", "overlay", "-o", options, "osmoda-test", self.merged).returncode:
            raise Skip("overlay mounts are not allowed here")
        for name, text in self.units.items():
            (self.merged / "etc/systemd/system" / name).write_text(text)
        try:
            return self.boot()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.crash()
        run("umount", "-l", self.merged)
        shutil.rmtree(self.root, ignore_errors=True)

    def boot(self):
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--private-network", f"--directory={self.merged}", "--hostname=node",
                   "--link-journal=no", f"--machine=osm{os.urandom(4).hex()}", f"--bind-ro={self.bins}:/opt/osmoda", f"--bind={self.shared}:/run/osmoda", "--console=pipe"]
        self.log = open(self.root / "console.log", "ab")
        env = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env)
        self.leader = wait_for("the machine's first process", self.first_process, PATIENCE)
        self.wait_until_succeeds("case $(systemctl is-system-running) in running|degraded) ;; *) false ;; esac")
        return self

    def first_process(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"systemd-nspawn ended: {self.console()[-300:]}")
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next((int(pid) for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"), None)

    def console(self):
        return (self.root / "console.log").read_text(errors="replace")

    def execute(self, script, timeout=PATIENCE):
        done = run("nsenter", "-t", self.leader, "-m", "-u", "-i", "-n", "-p", "--", "/bin/sh", "-c", script, timeout=timeout, env={"PATH": PATH, "LC_ALL": "C"})
        return done.returncode, done.stdout + done.stderr

    def succeed(self, script):
        status, said = self.execute(script)
        assert status == 0, f"{script}: {status}: {said[-600:]}"
        return said

    def fail(self, script):
        status, said = self.execute(script)
        assert status != 0, f"{script} succeeded: {said[-600:]}"
        return said

    def wait_until_succeeds(self, script, deadline=PATIENCE):
        return wait_for(script, lambda: self.execute(script)[0] == 0, deadline)

    def wait_for_unit(self, unit):
        self.wait_until_succeeds(f"systemctl is-active --quiet {unit}")

    def write(self, path, text):
        """A file inside, its folder with it."""
        target = pathlib.Path(f"/proc/{self.leader}/root{path}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def call(self, method, target, body=None, headers=(), socket="agentd.sock"):
        """A call to a daemon inside, from outside: the folder of the sockets is shared."""
        return call(self.shared / socket, method, target, body, headers, PATIENCE)

    def crash(self):
        """The power goes out."""
        if self.process and self.process.poll() is None:
            if self.leader:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.leader, signal.SIGKILL)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
