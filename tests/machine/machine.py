"""A node, as the NixOS test driver offers it, whatever it is made of.

A backend (container.py, vm.py) is `start`, `alive`, `is_up`, `ask`, `wait_for_shutdown`, `crash`, `block`, `unblock` and a
file `console`; commands and files are in shell.py, all else is here."""
import re, shlex

from shell import PATIENCE, MachineError, Shell, retry


class Machine(Shell):
    def systemctl(self, words, user=None):
        if user is None:
            return self.execute(f"systemctl {words}")
        inner = f"XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user {words}"
        return self.execute(f"su -l {user} --shell /bin/sh -c {shlex.quote(inner)}")

    def get_unit_info(self, unit, user=None):
        status, text = self.systemctl(f'--no-pager show "{unit}"', user)
        if status:
            raise MachineError(f"{self.name}: systemctl show {unit} ended with {status}")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def get_unit_property(self, unit, property, user=None):
        return self.get_unit_info(unit, user)[property]

    def require_unit_state(self, unit, require_state="active"):
        if (state := self.get_unit_info(unit)["ActiveState"]) != require_state:
            raise MachineError(f"{self.name}: {unit} is {state}, not {require_state}")

    def wait_for_unit(self, unit, user=None, timeout=PATIENCE):
        def look(last):
            state = self.get_unit_property(unit, "ActiveState", user)
            idle = state == "inactive" and "No jobs" in self.systemctl("list-jobs --full 2>&1", user)[1]
            if state == "failed" or last or idle and self.get_unit_property(unit, "ActiveState", user) == state:
                raise MachineError(f"{self.name}: {unit} is {state}: {self.execute(f'journalctl --no-pager --lines=15 --output=cat --unit={unit}')[1]}")
            return state == "active"

        retry(look, timeout)

    def wait_for_file(self, filename, timeout=PATIENCE):
        self.wait_until_succeeds(f"test -e {filename}", timeout)

    def wait_for_open_port(self, port, addr="localhost", timeout=PATIENCE):
        self.wait_until_succeeds(f"nc -z {addr} {port}", timeout)

    def wait_for_closed_port(self, port, addr="localhost", timeout=PATIENCE):
        self.wait_until_fails(f"nc -z {addr} {port}", timeout)

    def wait_for_open_unix_socket(self, addr, is_datagram=False, timeout=PATIENCE):
        self.wait_until_succeeds(f"nc -z {'-uU' if is_datagram else '-U'} {addr}", timeout)

    def wait_for_console_text(self, regex, timeout=None):
        retry(lambda _: re.search(regex, self.get_console_log()), PATIENCE if timeout is None else timeout)

    def get_console_log(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def start_job(self, jobname, user=None):
        return self.systemctl(f"start {jobname}", user)

    def stop_job(self, jobname, user=None):
        return self.systemctl(f"stop {jobname}", user)

    def wait_for_job(self, jobname):
        self.wait_for_unit(jobname)

    def sleep(self, secs):
        self.succeed(f"sleep {secs}")

    def shutdown(self):
        if self.booted:
            self.execute("systemctl poweroff", check_return=False)
            self.wait_for_shutdown()

    def reboot(self):
        self.execute("systemctl reboot", check_return=False)
