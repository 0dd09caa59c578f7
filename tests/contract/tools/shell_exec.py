"""shell_exec: bounded, killed whole, truthful."""
import subprocess

from harness import wait_for


def checks(agentd):
    run = lambda command, **more: agentd.call("POST", "/shell/exec", {"command": command, **more}, {"X-Osmoda-Actor": "agent:tester"}.items(), timeout=60)

    def marks(name):
        return subprocess.run(["pgrep", "-f", name], capture_output=True).stdout.split()

    def ends():
        done = run("echo out; echo err >&2; exit 3").json
        assert (done["exit_code"], done["stdout"], done["stderr"], done["timed_out"]) == (3, "out\n", "err\n", False), done
        assert run("kill -SEGV $$").json["exit_code"] == 139
        spent = run("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done").json
        assert 0 < spent["cpu_ms"] <= spent["duration_ms"] + 50 and spent["max_rss_bytes"] > 500_000, spent

    def children():
        for command in ("setsid sleep 31741 & echo done", "(sleep 31741 &) ; echo done", "nohup sleep 31741 >/dev/null 2>&1 & echo done", "exec >&- 2>&-; setsid sleep 31741 &"):
            assert run(command).json["exit_code"] == 0 and not marks("sleep 31741"), command
        stuck = run("trap '' TERM INT HUP; sleep 31742 & sleep 31742", timeout_secs=1).json
        assert stuck["timed_out"] and stuck["exit_code"] is None and stuck["duration_ms"] < 10_000 and not marks("sleep 31742"), stuck
        silent = run("exec <&- >&- 2>&-; sleep 31743", timeout_secs=1).json
        assert silent["timed_out"] and not marks("sleep 31743"), silent

    def output():
        much = run("head -c 1000000000 /dev/zero").json
        assert much["stdout_bytes"] == 1_000_000_000 and len(much["stdout"]) == 1 << 20 and much["truncated"], much["stdout_bytes"]
        assert agentd.anon_bytes() < 100 << 20, agentd.anon_bytes()
        assert run("head -c 2000 /dev/urandom").json["binary"]
        assert run("printf no-newline").json["stdout"] == "no-newline"

    def apart():
        assert "lo" in (net := run("cat /proc/net/dev").json["stdout"]) and "eth" not in net and "host" not in net, net
        assert int(run("ls -d /proc/[0-9]* | wc -l").json["stdout"]) < 8
        assert run("true", as_root=True).code == "policy.denied" and run("true", cwd="/nowhere").code == "shell.failed"
        assert run("true", timeout_secs=121).code == "request.field"

    def hang_up():
        try:
            agentd.call("POST", "/shell/exec", {"command": "sleep 31744", "timeout_secs": 2}, timeout=0.3)
        except TimeoutError:
            pass
        wait_for("the end of what outlived its caller", lambda: not marks("sleep 31744"))

    yield "exit codes, signals, streams and use are told", ends
    yield "background children, deaf programs and closed streams end with the call", children
    yield "a gigabyte, bytes and no newline are bounded", output
    yield "it runs apart: no network, no foreign processes, not as root", apart
    yield "what a caller left behind ends in time", hang_up
