"""Commands and files of a node: names and meanings are those of the NixOS test driver."""
import base64, datetime, io, pathlib, shlex, tarfile, time

PATIENCE = 900  # seconds, as in the NixOS driver; a test waits for an event and never measures speed
PAUSE = 0.1  # between two looks


class MachineError(Exception):
    """A machine did not do what the test asked of it."""


def seconds(timeout):
    return timeout.total_seconds() if isinstance(timeout, datetime.timedelta) else timeout


def retry(look, timeout=PATIENCE):
    """Calls `look(last)` until it gives something true; the last call is told that it is the last."""
    end = time.monotonic() + seconds(timeout)
    while time.monotonic() < end:
        if look(False):
            return
        time.sleep(PAUSE)
    if not look(True):
        raise MachineError(f"nothing came of it in {seconds(timeout)} s")


class Shell:
    def __init__(self, name, number, root, log):
        self.name, self.number, self.root, self.log = name, number, root, lambda text: log(f"{name}: {text}")
        self.booted = False

    def connect(self):
        """Waits until commands can be run."""
        self.start()
        retry(lambda _: self.is_up() or self.gone())

    def gone(self):
        if not self.alive():
            raise MachineError(f"{self.name} ended while it booted: {self.get_console_log()[-600:]}")

    def execute(self, command, check_return=True, check_output=True, timeout=PATIENCE):
        """Status and standard output of a command run by bash with `set -euo pipefail`."""
        if not check_output:
            return -2, self.run(f"{{ {command}\n}} >/dev/null 2>&1 &", timeout=timeout)[1]
        return self.run(command, check_return, timeout)[:2]

    def run(self, command, check_return=True, timeout=PATIENCE):
        self.connect()
        request = f"{seconds(timeout) or 0} {base64.b64encode(command.encode()).decode()}\n"
        answer = self.ask(request)
        if len(answer) != 3 and check_return:
            raise MachineError(f"{self.name} went away during `{command}`")
        out, errors = (base64.b64decode(text).decode(errors="replace") for text in [*answer, "", ""][:2])
        return int(answer[2]) if check_return else -1, out, errors

    def succeed(self, *commands, timeout=None):
        return "".join(self.expect(command, timeout, lambda status: status == 0, "failed") for command in commands)

    def fail(self, *commands, timeout=None):
        return "".join(self.expect(command, timeout, lambda status: status != 0, "unexpectedly succeeded") for command in commands)

    def expect(self, command, timeout, right, wrong):
        status, out, errors = self.run(command, timeout=timeout)
        if not right(status):
            raise MachineError(f"{self.name}: `{command[:200]}` {wrong} (exit code {status}): {out[-300:]}{errors[-300:]}")
        return out

    def wait_until_succeeds(self, command, timeout=PATIENCE):
        return self.until(command, timeout, lambda status: status == 0)

    def wait_until_fails(self, command, timeout=PATIENCE):
        return self.until(command, timeout, lambda status: status != 0)

    def until(self, command, timeout, right):
        said = ["", ""]

        def look(_):
            status, *said[:] = self.run(command, timeout=timeout)
            return right(status)

        try:
            retry(look, timeout)
        except MachineError as error:
            raise MachineError(f"{self.name}: waited for `{command}`: {error}: {''.join(said)[-600:]}") from None
        return said[0]

    def copy_from_host(self, source, target):
        """A file or folder of the host, at this path inside."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.add(source, pathlib.Path(target).name, filter=lambda entry: entry.replace(uid=0, gid=0, uname="root", gname="root"))
        folder = shlex.quote(str(pathlib.Path(target).parent))
        self.succeed(f"mkdir -p {folder} && base64 -d <<'.' | tar -xz -C {folder}\n{base64.b64encode(packed.getvalue()).decode()}\n.")

    copy_from_host_via_shell = copy_from_host

    def copy_from_machine(self, source, target_dir=""):
        """A file or folder from inside, to a folder below this run's."""
        packed = self.succeed(f"tar -cz -C {shlex.quote(str(pathlib.Path(source).parent))} {shlex.quote(pathlib.Path(source).name)} | base64 -w0")
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as archive:
            archive.extractall(self.root / "out" / target_dir, filter="data")

    copy_from_vm = copy_from_machine
