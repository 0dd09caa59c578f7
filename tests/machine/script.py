"""Runs one testScript: the names it may use, a line for each subtest, and the journals when it fails."""
import contextlib, traceback, unittest

from harness import Skip
from machine import Machine
from shell import MachineError, retry


class Stop(BaseException):
    """A subtest failed and was counted; the rest of the script is left out."""


class Script:
    def __init__(self, suite, name, text, machines):
        self.suite, self.name, self.text, self.machines = suite, name, text, machines

    @contextlib.contextmanager
    def subtest(self, name):
        failed = self.suite.failed
        with self.suite.check(f"{self.name}: {name}"):
            yield
        if self.suite.failed > failed:
            raise Stop

    def start_all(self):
        for machine in self.machines:
            machine.start()

    def join_all(self):
        for machine in self.machines:
            machine.wait_for_shutdown()

    def symbols(self):
        """The globals of a script, as the NixOS test driver gives them."""
        names = {machine.name.replace("-", "_"): machine for machine in self.machines}
        if len(self.machines) == 1:
            names["machine"] = self.machines[0]
        return {**names, "machines": self.machines, "start_all": self.start_all, "join_all": self.join_all, "subtest": self.subtest, "retry": retry,
                "log": print, "t": unittest.TestCase(), "MachineError": MachineError, "BaseMachine": Machine, "test_script": self.test_script}

    def test_script(self):
        exec(compile(self.text, f"{self.name}.py", "exec"), self.symbols())

    def run(self):
        """Whether all of it went well; each failure is counted once."""
        failed = self.suite.failed
        with contextlib.suppress(Stop), self.suite.check(f"{self.name}: to the end"):
            try:
                self.test_script()
            except (Stop, Skip):
                raise
            except Exception as error:
                at = next((frame.lineno for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.filename == f"{self.name}.py"), "?")
                raise MachineError(f"line {at}: {error}") from error
        return self.suite.failed == failed
