"""A node as a container: systemd-nspawn boots an overlay of the tree in a second, with the host's kernel."""
import contextlib, os, pathlib, signal, socket, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from wire import call

import stage
from furnish import SHELL
from machine import Machine
from shell import retry
from tree import mounted, run



class Container(Machine):
    def __init__(self, name, number, root, log, lower):
        super().__init__(name, number, root, log)
        self.lower, self.tree, self.console, self.cable = lower, root / "tree", root / "console.log", f"node-{number}"
        self.process, self.groups, self.line = None, [], None

    @contextlib.contextmanager
    def mounted(self):
        """The node's files, written to before it starts; what it writes itself lies in `upper`."""
        for folder in ("upper", "work", "tree"):
            (self.root / folder).mkdir(parents=True)
        with mounted(self.lower, self.root / "upper", self.root / "work", self.tree):
            yield self

    def start(self, allow_reboot=False):
        if self.booted:
            return
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", f"--network-veth-extra={self.cable}:eth1", f"--directory={self.tree}",
                   f"--hostname={self.name}", "--link-journal=no", f"--machine={self.name}", "--console=pipe"]
        self.groups = list(stage.control_groups(self.root.parents[2], f"{self.root.parent.name}/{self.name}"))
        with open(self.console, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.move, env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.booted = True
        retry(lambda _: run("ip", "link", "set", self.cable, "master", stage.BRIDGE, "up").returncode == 0 or self.gone(), 60)

    def move(self):
        for file in self.groups:
            file.write_text("0")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def is_up(self):
        """Whether there is a line to the shell inside; it is kept for as long as the node runs."""
        if not self.line:
            line = socket.socket(socket.AF_UNIX)
            try:
                line.connect(str(self.inside(SHELL)))
                self.line = line.makefile("rw")
            except OSError:
                line.close()
        return self.line is not None

    def ask(self, request):
        """The three lines that the shell answered; fewer if the node went away."""
        lines = []
        with contextlib.suppress(OSError):
            self.line.write(request)
            self.line.flush()
            while len(lines) < 3 and (line := self.line.readline()):
                lines.append(line.strip())
        if len(lines) < 3:
            self.line = None
        return lines

    def leader(self):
        """The first process of the node."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next((int(pid) for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"), 0)

    def inside(self, path):
        """A path of the node as the driver sees it: with what is mounted there now."""
        return pathlib.Path(f"/proc/{self.leader()}/root{path}")

    def call(self, method, target, body=None, headers=(), socket="agentd.sock"):
        """A call to a daemon inside, from outside."""
        return call(self.inside(f"/run/osmoda/{socket}"), method, target, body, headers, 120.0)

    def wait_for_shutdown(self):
        if self.booted:
            self.process.wait()
            self.booted, self.line = False, None

    def crash(self):
        """The power goes out."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader() or self.process.pid, signal.SIGKILL)
        self.wait_for_shutdown()

    def block(self):
        run("ip", "link", "set", self.cable, "down")

    def unblock(self):
        run("ip", "link", "set", self.cable, "up")
