"""What the process-level suites share: real daemons on temporary paths, HTTP over Unix sockets, and one line per check."""
import contextlib, json, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, time, traceback

from apart import THROWAWAY
from wire import DEADLINE, call


class Skip(Exception):
    """The check cannot run here; the text says why."""


class Suite:
    """Counts checks, prints a line for each, and ends the program with the sum."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    @contextlib.contextmanager
    def check(self, name):
        try:
            yield
        except Skip as why:
            self.skipped += 1
            print(f"skip  {name}: {why}", flush=True)
        except Exception as error:
            self.failed += 1
            frame = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAIL  {name}: {type(error).__name__} {str(error)[:600]} ({os.path.basename(frame.filename)}:{frame.lineno} {frame.line})", flush=True)
        else:
            self.passed += 1
            print(f"ok    {name}", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else ""), flush=True)
        sys.exit(1 if self.failed else 0)


def wait_for(what, condition, deadline=DEADLINE):
    """Polls until `condition` gives something true; what it gave."""
    end = time.monotonic() + deadline
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)
    return found


class Daemon:
    """One daemon process; restartable on the same paths."""

    def __init__(self, binary, root, name="agentd", state=None, sock=None, config=None, env=None, prefix=()):
        if prefix is None:
            print("skip  all of it: no namespaces to run it apart from this machine\n0 passed, 0 failed, 1 skipped")
            sys.exit(0)
        self.binary, self.name, self.prefix = binary, name, list(prefix)
        self.root = pathlib.Path(root)
        self.state = pathlib.Path(state or self.root / "state")
        self.sock = pathlib.Path(sock or self.root / "run" / f"{name}.sock")
        self.log_path, self.config = self.root / f"{name}.log", self.root / f"{name}.json"
        for folder in (self.root, self.sock.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(json.dumps(config or {}))
        self.env, self.process = env or {}, None

    def spawn(self):
        notify = self.root / f"{self.name}.notify"
        notify.unlink(missing_ok=True)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(notify))
        notify.chmod(0o777)
        env = {**os.environ, "NOTIFY_SOCKET": str(notify), "NO_COLOR": "1", "RUST_BACKTRACE": "0", **self.env}
        command = [*self.prefix, str(self.binary), "--socket", str(self.sock), "--state-dir", str(self.state), "--config", str(self.config)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        return self

    def ready(self, deadline=DEADLINE):
        self.notify.settimeout(0.1)
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in self.notify.recv(4096):
                    return self
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.log()[-600:]}")
        raise TimeoutError(f"{self.name} is not ready: {self.log()[-600:]}")

    def start(self):
        return self.spawn().ready()

    def end(self, number=signal.SIGTERM):
        """Sends a signal, waits, and answers the exit code (negative: the signal)."""
        if self.process.poll() is None:
            os.kill(self.pid(), number)
        return self.process.wait(DEADLINE)

    def kill(self):
        return self.end(signal.SIGKILL)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def call(self, method, target, body=None, headers=(), timeout=DEADLINE):
        return call(self.sock, method, target, body, headers, timeout)

    def health(self):
        return self.call("GET", "/health").json

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def pid(self):
        pid = self.process.pid
        return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()) if self.prefix == THROWAWAY else pid

    def anon_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid()}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


@contextlib.contextmanager
def playground():
    """A short temporary folder; the daemons started by `make` end with it."""
    root, daemons = pathlib.Path(tempfile.mkdtemp(prefix="osm-", dir="/tmp")), []
    root.chmod(0o755)

    def make(*args, **keywords):
        daemons.append(Daemon(*args, **keywords))
        return daemons[-1]

    try:
        yield root, make
    finally:
        for daemon in daemons:
            if daemon.alive():
                daemon.kill()
        if not os.environ.get("OSMODA_KEEP"):
            shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def tmpfs(path, size):
    """A file system of `size` bytes of its own; needs root."""
    if os.geteuid() != 0:
        raise Skip("needs root to mount")
    path.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "osmoda-test", str(path)], capture_output=True).returncode:
        raise Skip("mounting is not allowed here")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
