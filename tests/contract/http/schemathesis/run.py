#!/usr/bin/env python3
"""run.py BIN_DIR: schemathesis against agentd's own OpenAPI document, through a forwarder from TCP to the Unix socket."""
import os, pathlib, re, socket, subprocess, sys, threading

ROOT = pathlib.Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "tests"))
from harness import Skip, Suite, THROWAWAY, playground
from wire import dial

FULL = os.environ.get("OSMODA_TEST") == "full"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method"
SOURCE_CALLS = ["/events", "/events/source"]  # only daemons may make them


def forward(path):
    """A loopback port whose connections end at the Unix socket."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            one.close()
            other.close()

    def accept():
        while True:
            client, server = listener.accept()[0], dial(path, None)
            for pair in [(client, server), (server, client)]:
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def program():
    """schemathesis of the test interpreter's environment, else of a venv of our own below target/."""
    python = os.environ.get("OSMODA_TEST_PYTHON")
    if not python:
        venv = ROOT / "target/venv"
        python = venv / "bin/python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        if not (venv / "bin/schemathesis").exists():
            subprocess.run([python, "-m", "pip", "install", "--quiet", "schemathesis>=4,<5"], check=True)
    found = pathlib.Path(python).parent / "schemathesis"
    if not found.exists():
        raise Skip(f"{found} is not installed")
    return found


def fuzz(daemon, port, folder, *more):
    """Runs it; what it complains about is the failure."""
    # 503 is how a daemon says that the machine lacks something (no systemd, no journal); it still has to fit the schema of problems.
    (folder / "schemathesis.toml").write_text('[checks]\nnot_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]\n')
    command = [program(), "run", f"http://127.0.0.1:{port}/openapi.json", f"--checks={CHECKS}", f"--max-examples={1000 if FULL else 100}", "--phases=examples,coverage,fuzzing",
               "--request-timeout=20", "--seed=1", "--generation-database=none", "--continue-on-failure", "--no-color", "--suppress-health-check=all", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=9000 if FULL else 180)
    tested = re.search(r"Test cases:\n *(.*)", done.stdout)
    print(f"      {tested[1] if tested else 'no summary'}", flush=True)
    if done.returncode:
        print(done.stdout[max(0, done.stdout.find("= FAILURES")):][:8000], done.stderr[-500:])
    assert done.returncode == 0 and tested, f"schemathesis ended with {done.returncode}"
    assert daemon.alive() and "panicked" not in daemon.log()


def main(bin_dir):
    suite = Suite()
    with playground() as (root, make):
        agentd = make(bin_dir / "agentd", root, prefix=THROWAWAY).start()
        port = forward(agentd.sock)
        with suite.check("schemathesis finds nothing wrong with the calls of operators and agents"):
            left_out = [f"--exclude-path={path}" for path in [*SOURCE_CALLS, "/events/stream"]]  # a stream has no end to judge
            fuzz(agentd, port, root, *left_out)
        with suite.check("schemathesis finds nothing wrong with the calls between daemons"):
            fuzz(agentd, port, root, *(f"--include-path={path}" for path in SOURCE_CALLS), "--header=X-Osmoda-Actor: daemon:watch")
        with suite.check("the ledger is whole after all of it"):
            found = agentd.call("POST", "/ledger/verify", {}).json
            assert found["ok"], found
    suite.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
