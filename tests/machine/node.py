"""What containers and virtual machines have in common: files laid over the tree, one cable to the bridge, one line to the shell."""
import contextlib, select

import stage
from machine import Machine
from tree import mounted, run


class Node(Machine):
    """A backend adds `power_on`, which starts the process that the node is, `dial`, a socket to the shell inside, and `cut`."""

    def __init__(self, name, number, root, log, lower):
        super().__init__(name, number, root, log)
        self.lower, self.tree, self.console, self.cable = lower, root / "tree", root / "console.log", f"node-{number}"
        self.process = self.socket = self.line = None
        self.ready = self.allow_reboot = False

    @contextlib.contextmanager
    def mounted(self):
        """The node's files, written to before it starts; what it writes itself lies in `upper`."""
        for folder in ("upper", "work", "tree"):
            (self.root / folder).mkdir(parents=True)
        with mounted(self.lower, self.root / "upper", self.root / "work", self.tree):
            yield self

    def start(self, allow_reboot=False):
        if not self.booted:
            with open(self.console, "ab") as log:
                self.process = self.power_on(log, allow_reboot)
            self.booted, self.allow_reboot = True, allow_reboot

    def plug(self):
        """The node's end of its cable is there: the other end goes to the bridge."""
        return run("ip", "link", "set", self.cable, "master", stage.BRIDGE, "up").returncode == 0

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def is_up(self):
        """Whether the shell inside said that it is ready; the line to it is kept for as long as it lasts."""
        if not self.line:
            try:
                self.socket = self.dial()
            except OSError:
                return False
            self.line = self.socket.makefile("rw")
        while not self.ready and select.select([self.socket], [], [], 0)[0]:
            said = self.read()
            if said is None:
                return False
            self.ready = said == "ready"
        return self.ready

    def read(self):
        """The next line of the shell's; None when there is no more."""
        with contextlib.suppress(OSError):
            if said := self.line.readline():
                return said.strip()
        self.hang_up()
        return None

    def ask(self, request):
        """The three lines that the shell answered; fewer if the node went away."""
        lines = []
        with contextlib.suppress(OSError):
            self.line.write(request)
            self.line.flush()
        while len(lines) < 3 and (said := self.read()) is not None and said != "ready":
            lines.append(said)
        return lines

    def hang_up(self):
        if self.socket:
            self.socket.close()
        self.socket = self.line = None
        self.ready = False

    def wait_for_shutdown(self):
        if self.booted:
            self.process.wait()
            self.booted = False
            self.hang_up()

    def crash(self):
        """The power goes out."""
        if self.alive():
            self.cut()
        self.wait_for_shutdown()

    def block(self):
        run("ip", "link", "set", self.cable, "down")

    def unblock(self):
        run("ip", "link", "set", self.cable, "up")
