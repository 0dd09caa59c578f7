#!/usr/bin/env python3
"""Tests on machines with a real systemd: run.py BIN_DIR [TEST…] [--keep] [--interactive]

A TEST is one of tests/nixos (its golden nodes and script), of driver/ (the driver itself), of plain/ (agentd on Debian as it
is), or `boot`. Without any, all of them run. --keep leaves the nodes' files in target/machine/kept; --interactive gives a
Python prompt with the nodes of one TEST instead of running its script: start_all(), test_script(), machine.succeed("…")."""
import argparse, code, contextlib, os, pathlib, signal, sys, time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import furnish, stage, tree
from container import Container
from harness import Skip, Suite
from kinds import tests
from script import Script
from vm import Vm

LONGEST = 1200  # seconds for one test; something hangs, or this machine is a hundred times slower than ours
LOGS = HERE.parents[1] / "target" / "test-logs" / "machine"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bins", type=pathlib.Path, metavar="BIN_DIR")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--interactive", action="store_true")
    options = parser.parse_args()
    if not options.bins.is_dir():
        parser.error(f"{options.bins} is no folder: build first, ./test does")
    known = {test.name: test for test in tests(options.bins.resolve())}
    if wrong := set(options.tests) - set(known):
        parser.error(f"no such test: {' '.join(sorted(wrong))}; there are {' '.join(known)}")
    chosen, suite = [known[name] for name in options.tests or known], Suite()
    refused = stage.enter(lambda: {test.name: why for test in chosen if (why := lacking(test, bool(options.tests)))})
    signal.signal(signal.SIGALRM, overdue)
    with stage.folder(options.keep) as folder:
        furnish.programs(folder / "programs", options.bins.resolve())
        for test in chosen:
            if test.name in refused:
                with suite.check(test.name):
                    raise Skip(refused[test.name])
            else:
                play(suite, test, folder / test.name, [folder / "programs", *tree.stack(test.packages)], options.interactive)
    suite.end()


def lacking(test, named):
    """Makes the tree that a test boots from; why it cannot run here, if it cannot."""
    if test.full and not named and os.environ.get("OSMODA_TEST") != "full":
        return "with OSMODA_TEST=full it runs"
    if test.needs == "nixos":
        return "it needs NixOS itself: nix build .#tests.all runs it"
    try:
        tree.stack(test.packages)
        if test.needs == "vm":
            tree.need(tree.EMULATOR)
    except Skip as why:
        return str(why)


def play(suite, test, folder, lower, interactive):
    begun = time.monotonic()
    signal.alarm(0 if interactive else LONGEST)
    with contextlib.ExitStack() as nodes:
        try:
            machines = [nodes.enter_context(made(test, folder, lower, number, name)) for number, name in enumerate(test.nodes, 1)]
        except Exception as error:
            with suite.check(f"{test.name}: its nodes are made"):
                raise error
            return
        if interactive:
            code.interact(local=Script(suite, test.name, getattr(test, "script", ""), machines).symbols(), banner=f"{test.name}: {' '.join(test.nodes)}")
        elif not test.play(suite, machines):
            journals(test.name, machines)
    print(f"      {test.name}: {time.monotonic() - begun:.1f} s", flush=True)


@contextlib.contextmanager
def made(test, folder, lower, number, name):
    """One node of a test, off; its power is cut when the test is over."""
    backend = Vm if test.needs == "vm" else Container
    with backend(name, number, folder / name, print, lower).mounted() as machine:
        furnish.basics(machine.tree, name, number, list(test.nodes))
        test.furnish(machine.tree, name)
        try:
            yield machine
        finally:
            machine.crash()


def overdue(*_):
    raise TimeoutError(f"the test takes longer than {LONGEST} s")


def journals(test, machines):
    """What the nodes of a test that failed have to say."""
    LOGS.mkdir(parents=True, exist_ok=True)
    for machine in machines:
        log = LOGS / f"{test}-{machine.name}.log"
        said = machine.execute("journalctl --no-pager --output=short-monotonic", timeout=60)[1] if machine.booted and machine.is_up() else "the machine is off\n"
        log.write_text(f"{machine.get_console_log()}\n{said}")
        print(f"--- {log}\n" + "".join(said.splitlines(keepends=True)[-40:]) + "---", flush=True)


if __name__ == "__main__":
    main()
