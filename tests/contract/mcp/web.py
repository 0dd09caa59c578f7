"""Checks of streamable HTTP, on a Unix socket and on loopback."""
import contextlib, grp, http.client, json, os, re, socket, subprocess

import sdk
from harness import wait_for
from raw import HELLO
from wire import Connection

TOKEN = "a-token-of-some-length"
KINDS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
BODY_LIMIT = 4 << 20


def post(connection, headers=(), body=None):
    """Status and body of an initialize with these headers."""
    body = body or json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the answer may be there before all was sent
        connection.request("POST", "/mcp", body, {**KINDS, **dict(headers)})
    reply = connection.getresponse()
    answer = (reply.status, reply.read(4096) if reply.status >= 400 else b"")
    connection.close()
    return answer


def checks(suite, bridge, agentd, root):
    (root / "token").write_text(TOKEN + "\n")
    sock, log = root / "mcp.sock", root / "bridge.log"

    @contextlib.contextmanager
    def serving(*more):
        """A bridge on HTTP; what it is ready on."""
        log.unlink(missing_ok=True)
        command = [bridge, "--run-dir", agentd.sock.parent, "--http", *more]
        with open(log, "w") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=out)
        try:
            yield wait_for("the bridge", lambda: re.search(r"ready (?:path|address)=(\S+)", log.read_text()))[1]
        finally:
            process.terminate()
            code = process.wait(20)
        assert code == 0, f"ended with {code}: {log.read_text()[-600:]}"

    def refused(*arguments):
        done = subprocess.run([bridge, *arguments], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        assert done.returncode != 0, arguments
        return done.stderr

    def local(address):
        return http.client.HTTPConnection(address, timeout=20)

    with suite.check("an address that is not loopback, or loopback without a good token, is refused"):
        (root / "short").write_text("abc")
        assert "not served to the network" in refused("--http", "0.0.0.0:0")
        assert "--token-file" in refused("--http", "127.0.0.1:0")
        assert "token has" in refused("--http", "127.0.0.1:0", "--token-file", str(root / "short"))
    with suite.check("loopback: the SDK does everything with the token"), serving("127.0.0.1:0", "--token-file", root / "token") as address:
        sdk.everywhere(lambda: sdk.over_http(f"http://{address}/mcp", TOKEN), agentd)
    with serving("127.0.0.1:0", "--token-file", root / "token") as address:
        good = {"Authorization": f"Bearer {TOKEN}"}
        with suite.check("loopback: no token, a wrong one and near misses are 401, whatever is asked"):
            for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Bearer {TOKEN[:-1]}"}, {"Authorization": TOKEN}):
                status, body = post(local(address), headers)
                assert status == 401 and json.loads(body)["code"] == "auth.token", (headers, status, body)
            connection = local(address)
            connection.request("GET", "/health")
            assert connection.getresponse().status == 401
        with suite.check("loopback: a page of another site and a rebound name are refused"):
            assert post(local(address), good)[0] == post(local(address), {"Authorization": f"bearer {TOKEN}"})[0] == 200
            for foreign in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": f"http://{address}"}, {"Host": "evil.example"}):
                assert post(local(address), {**good, **foreign})[0] == 403, foreign
        with suite.check("loopback: a body over the limit is 413, and the next one is served"):
            assert post(local(address), good, b" " * (BODY_LIMIT + 1))[0] == 413
            assert post(local(address), good)[0] == 200
    with suite.check("Unix socket: the SDK does everything, and the socket leaves with the bridge"):
        with serving(f"unix:{sock}"):
            sdk.everywhere(lambda: sdk.over_unix(sock), agentd)
            groups = [group.gr_name for group in grp.getgrall()]
            assert sock.stat().st_mode & 0o777 == (0o660 if "osmoda" in groups and os.geteuid() == 0 else 0o600)
        assert not sock.exists()
    with suite.check("Unix socket: a foreign Origin and a foreign Host are refused"), serving(f"unix:{sock}"):
        assert post(Connection(sock))[0] == 200
        for foreign in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
            assert post(Connection(sock), foreign)[0] == 403, foreign
    with suite.check("Unix socket: a dead one is replaced; one in use, a successor's and a file are left alone"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(sock))
        with serving(f"unix:{sock}"):
            assert "cannot listen" in refused("--http", f"unix:{sock}") and post(Connection(sock))[0] == 200
        with socket.socket(socket.AF_UNIX) as successor:
            with serving(f"unix:{sock}"):
                sock.unlink()
                successor.bind(str(sock))
            assert sock.exists()
        (root / "precious").write_text("text")
        assert "cannot listen" in refused("--http", f"unix:{root / 'precious'}") and (root / "precious").read_text() == "text"
