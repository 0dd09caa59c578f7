"""What can be run on machines: scripts with golden nodes, scripts of the driver's own, checks of agentd on plain Debian."""
import importlib, json, pathlib, re, time

import furnish, tree
from cleanup import Cleanup
from shell import retry
from script import Script

HERE = pathlib.Path(__file__).resolve().parent
NIXOS = HERE.parent / "nixos"
AGENTD = "[Service]\nType=notify\nExecStart=/opt/osmoda/agentd --socket /run/osmoda/agentd.sock --state-dir /var/lib/osmoda\nRuntimeDirectory=osmoda\n"


def tests(bins):
    index = NIXOS / "golden/index.json"
    golden = json.loads(index.read_text()) if index.exists() else {}
    yield Boot("boot", next((folder for nodes in golden.values() for folder in nodes.values()), None))
    yield Cleanup(bins)
    for path in sorted((HERE / "driver").glob("*.py")):
        text = path.read_text()
        yield Scripted(f"driver-{path.stem}", dict.fromkeys(said(text, "nodes") or ["machine"]), text, text)
    for name, nodes in golden.items():
        yield Scripted(name, nodes, (NIXOS / f"{name}.nix").read_text(), (NIXOS / f"golden/{name}.py").read_text())
    for path in sorted((HERE / "plain").glob("*.py")):
        yield Plain(path.stem)


def said(text, word):
    """The words of a comment `# word: …` in a file."""
    found = re.search(rf"^# {word}: (.*)$", text, re.M)
    return found[1].split() if found else []


class Scripted:
    """A testScript on nodes: each bare, or what a golden folder says."""

    def __init__(self, name, nodes, about, script):
        self.name, self.nodes, self.script = name, dict(sorted(nodes.items())), script
        self.needs = (said(about, "needs") or [""])[0]
        self.full = said(about, "only") == ["full"]
        self.packages = tuple(tree.KERNEL) if self.needs == "vm" else ()

    def furnish(self, files, node):
        if golden := self.nodes[node]:
            furnish.golden(files, NIXOS / "golden" / golden)

    def play(self, suite, machines):
        return Script(suite, self.name, self.script, machines).run()


class Plain:
    """agentd on Debian as it is, and a file of checks: `checks(machine)` yields a sentence and a function that fails if it
    is not so; UNITS are unit files that the machine boots with, PACKAGES what is installed there."""

    needs, full = "", False

    def __init__(self, name):
        self.checks = importlib.import_module(f"plain.{name}")
        self.name, self.nodes, self.packages = f"plain-{name}", {"node": None}, tuple(getattr(self.checks, "PACKAGES", ()))

    def furnish(self, files, _):
        furnish.units(files, {"osmoda-agentd.service": AGENTD, **getattr(self.checks, "UNITS", {})}, {})

    def play(self, suite, machines):
        [machine], failed = machines, suite.failed
        with suite.check(f"{self.name}: agentd is ready"):
            machine.succeed("systemctl start osmoda-agentd")
            for name, check in self.checks.checks(machine):
                with suite.check(f"{self.name}: {name}"):
                    check()
            health = machine.call("GET", "/health").json
            logged = machine.succeed("journalctl --unit=osmoda-agentd --no-pager --output=cat")
            assert health["status"] == "ok" and "panic" not in logged, (health["checks"], logged[-600:])
        return suite.failed == failed


class Boot:
    """How long a node with osModa takes until it is healthy, beside one without."""

    needs, packages, full = "", (), False

    def __init__(self, name, golden):
        self.name, self.nodes, self.golden = name, {"bare": None, **({"healthy": None} if golden else {})}, golden

    def furnish(self, files, node):
        if node == "healthy":
            furnish.golden(files, NIXOS / "golden" / self.golden)

    def play(self, suite, machines):
        with suite.check("boot: nodes boot"):
            bare, *others = machines
            booted = timed(lambda: bare.succeed("systemctl is-system-running --wait"), bare)
            print(f"boot of a bare node: {booted:.1f} s")
            for machine in others:
                healthy = timed(lambda m=machine: retry(lambda _: m.call("GET", "/health").json["status"] == "ok"), machine)
                print(f"boot to healthy: {healthy:.1f} s, {healthy / booted:.2f} times the bare node's (wanted: at most 2)")
        return True


def timed(step, machine):
    begun = time.monotonic()
    machine.connect()
    step()
    return time.monotonic() - begun
