"""process_signal, only ever to children of this program."""
import os, signal, subprocess, threading

from harness import wait_for
from namespace import facts


def checks(agentd):
    send = lambda pid, name, **more: agentd.call("POST", f"/process/{pid}/signal", {"signal": name, **more})

    def child(*command):
        return subprocess.Popen(command or ("sleep", "600"), stdout=subprocess.PIPE)

    def ended():
        for name, number in (("TERM", signal.SIGTERM), ("SIGKILL", signal.SIGKILL), ("USR1", signal.SIGUSR1)):
            process = child()
            answer = send(process.pid, name)
            assert answer.status == 200 and answer.json["name"] == "sleep" and answer.json["pid"] == process.pid, answer
            assert process.wait(20) == -number
            assert facts(agentd, "agentd.process.signalled")[-1] | {"unit": None} == {"v": 1, "pid": process.pid, "name": "sleep", "unit": None, "signal": name.removeprefix("SIG")}
            assert send(process.pid, "TERM").code == "process.not_found"

    def meant():
        process = child()
        try:
            rows = agentd.call("POST", "/system/query", {"query": "processes", "args": {"limit": 10000}}).json["result"]
            started = next(row["started_at"] for row in rows if row["pid"] == process.pid)
            assert send(process.pid, "KILL", started_at="2020-01-01T00:00:00Z").code == "process.reused" and process.poll() is None
            assert send(process.pid, "STOP", started_at=started).status == 200
            state = lambda: open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()[0]
            wait_for("it is stopped", lambda: state() == "T")
            assert send(process.pid, "CONT", started_at=started).status == 200
        finally:
            process.kill()
            process.wait()

    def protected():
        before = agentd.health()["started_at"]
        for pid in (1, 2, agentd.process.pid):
            if os.path.exists(f"/proc/{pid}"):
                # Were it not refused, CONT would do no harm.
                assert send(pid, "CONT").code == "policy.denied", (pid, send(pid, "CONT"))
        for name in ("sshd", "dbus-daemon", "osmoda-keyd", "systemd-logind"):
            process = subprocess.Popen(["python3", "-c", f"open('/proc/self/comm', 'w').write('{name}'); print(1, flush=True); import time; time.sleep(600)"], stdout=subprocess.PIPE)
            try:
                process.stdout.readline()
                assert send(process.pid, "KILL").code == "policy.denied" and process.poll() is None, name
            finally:
                process.kill()
                process.wait()
        assert agentd.health()["started_at"] == before

    def refused():
        for pid, code in ((0, "request.id"), (4194305, "request.id"), ("x", "request.id"), (-1, "request.id"), (4194304, "process.not_found")):
            assert send(pid, "TERM").code == code, (pid, send(pid, "TERM"))
        for body in ({}, {"signal": "9"}, {"signal": 9}, {"signal": "SEGV"}, {"signal": "TERM", "force": True}, {"signal": "TERM", "started_at": "soon"}):
            assert agentd.call("POST", "/process/4194304/signal", body).code == "request.field", body

    def crowd():
        """Processes that end by themselves while they are signalled: each call says which of the two it was."""
        codes = []

        def one():
            process = child("true")
            codes.append(send(process.pid, "TERM").code)
            process.wait()

        threads = [threading.Thread(target=one) for _ in range(40)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert len(codes) == 40 and set(codes) <= {None, "process.not_found"}, codes

    yield "a signal arrives and is recorded", ended
    yield "another process under the same pid is left alone", meant
    yield "init, the kernel, agentd and what keeps a machine reachable are protected", protected
    yield "wrong arguments are refused", refused
    yield "processes that end meanwhile are not found", crowd
