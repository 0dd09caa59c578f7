#!/usr/bin/env python3
"""The golden nodes and scripts are those of the flake, and each daemon takes the configuration in them. run.py BIN_DIR.

The tests themselves run in tests/machine, and with Nix and KVM as `nix build .#tests.all`."""
import ast, json, pathlib, subprocess, sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from evaluate import ROOT, evaluator
from harness import Suite

GOLDEN = HERE / "golden"
SUITE = Suite()


def current():
    evaluator()  # skips where nothing evaluates
    done = subprocess.run([ROOT / "scripts/golden", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"{(done.stdout + done.stderr)[-1500:]}: run scripts/golden"


def complete():
    """Each test has its script and its nodes, and nothing is left of a test that is gone."""
    index = json.loads((GOLDEN / "index.json").read_text())
    tests = {path.stem for path in HERE.glob("*.nix")} - {"common"}
    folders = {folder for nodes in index.values() for folder in nodes.values()}
    found = {path.name for path in GOLDEN.iterdir()}
    assert set(index) == tests and found == {"index.json", *folders, *(f"{test}.py" for test in tests)}, (set(index) ^ tests, found)


def scripts():
    for path in GOLDEN.glob("*.py"):
        ast.parse(path.read_text(), path.name)


def taken(path):
    daemon = pathlib.Path(sys.argv[1], path.stem)
    done = subprocess.run([daemon, "--check-config", "--config", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-600:]


with SUITE.check("the golden nodes and scripts are what the flake says"):
    current()
with SUITE.check("each test has a golden script and golden nodes"):
    complete()
with SUITE.check("the scripts are Python"):
    scripts()
for path in sorted(GOLDEN.glob("*/etc/osmoda/*.json")):
    with SUITE.check(f"{path.relative_to(GOLDEN)}: its daemon takes it"):
        taken(path)
SUITE.end()
