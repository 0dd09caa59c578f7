#!/usr/bin/env python3
"""run.py BIN_DIR: bad input on every endpoint and on the socket itself."""
import os, pathlib, re, resource, sys, time

sys.path[:0] = [str(pathlib.Path(__file__).parents[2]), str(pathlib.Path(__file__).parent)]
from abuse import METHODS, endpoints, problem
from harness import Suite, THROWAWAY, playground, wait_for
from wire import Reply, Source, dial, event

SERVED_AT_ONCE = 512  # connections.rs
MEMORY = 96 << 20  # bytes of RssAnon at the most, whatever is thrown at it


def exchange(path, data, timeout=15, half=False):
    """Everything that comes back for these bytes until the daemon closes."""
    sock, answer = dial(path, timeout), b""
    try:
        sock.sendall(data)
        if half:
            sock.shutdown(1)
        while part := sock.recv(65536):
            answer += part
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        sock.close()
    return answer


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


def parsed(answer):
    """The one response in the bytes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return Reply(int(lines[0].split()[1]), {key.lower(): value for key, value in headers.items()}, body)


def socket_checks(suite, daemon, post):
    head = f"POST {post.target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    get, close = b"GET /health HTTP/1.1\r\nHost: x\r\n", b"Connection: close\r\n\r\n"
    with suite.check("100 pipelined requests get 100 answers in order"):
        answer = exchange(daemon.sock, (get + b"\r\n" + b"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n") * 50 + get + close)
        assert statuses(answer) == [200, 404] * 50 + [200], statuses(answer)
    garbage = {
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600), "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64), "newlines": b"\r\n" * 5000 + b"X\r\n\r\n",
        "a header line without a colon": get + b"nonsense\r\n\r\n", "a NUL in a header": get + b"X-A: a\0b\r\n\r\n", "a header of 64 kB": get + b"X-A: " + b"a" * 65_536 + b"\r\n\r\n",
        "2,000 headers": get + b"".join(b"X-%d: 1\r\n" % n for n in range(2000)) + b"\r\n", "a target of 64 kB": b"GET /" + b"a" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "two lengths": head + b"Content-Length: 2\r\nContent-Length: 7\r\n\r\n{}", "a negative length": head + b"Content-Length: -2\r\n\r\n{}", "a length of 30 digits": head + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}",
        "a chunk size that is none": head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "a chunk size of 32 digits": head + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 32 + b"\r\n{}",
        "an unknown transfer encoding": head + b"Transfer-Encoding: gzip\r\n\r\n{}", "a space before the colon": get + b"X-A : 1\r\n\r\n", "a method of 8 kB": b"G" * 8192 + b" / HTTP/1.1\r\n\r\n",
    }
    for name, data in garbage.items():
        with suite.check(f"{name} is refused"):
            found = statuses(exchange(daemon.sock, data, half=True))
            assert all(400 <= status < 500 for status in found), found  # or closed without a word
    with suite.check("length and chunked together are one request at the most"):
        found = statuses(exchange(daemon.sock, head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n" + close, half=True))
        assert found and (found[0] >= 400 or len(found) <= 2), found
    with suite.check("a request that ends in the middle of its head is dropped"):
        assert all(status < 500 for status in statuses(exchange(daemon.sock, get + b"X-Half", half=True)))
    with suite.check("a body that ends early is refused"):
        answer = exchange(daemon.sock, head + b"Content-Length: 100\r\n\r\n{", half=True)
        assert all(400 <= status < 500 for status in statuses(answer)), answer
    with suite.check("a body that stops coming is given up with a problem"):
        problem(parsed(exchange(daemon.sock, head + b"Content-Length: 100\r\n\r\n{", timeout=30)), {408})
    with suite.check("a head that drips in is cut"):
        sock, started = dial(daemon.sock, 30), time.monotonic()
        try:
            for byte in get * 10:
                sock.send(bytes([byte]))
                time.sleep(0.2)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert time.monotonic() - started < 25, "a slow head holds its connection"
    with suite.check("a refused body is answered, not cut, for a client that sends head and body apart"):
        for target, status in [("/nope", 404), ("/health", 405)]:
            sock = dial(daemon.sock)
            sock.sendall(head.replace(post.target.encode(), target.encode(), 1) + b"Connection: close\r\nContent-Length: 1000\r\n\r\n")
            time.sleep(0.3)  # long enough for a daemon that does not wait for the body
            sock.sendall(b"x" * 1000)
            problem(parsed(sock.recv(65536)), {status})
            sock.close()


def idle_checks(suite, daemon):
    with suite.check("5,000 idle connections shut nobody out and cost bounded memory"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
        before, idle, busy = daemon.anon_bytes(), [], [0]
        stream = dial(daemon.sock) if daemon.name == "agentd" else None
        if stream:
            stream.sendall(b"GET /events/stream?type=watch. HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in stream.recv(65536)
        for number in range(5000):
            try:
                idle.append(dial(daemon.sock))
            except (BlockingIOError, ConnectionRefusedError, TimeoutError):
                continue  # the backlog is full for a moment
            if number % 100 == 0:
                assert daemon.call("GET", "/health").status == 200, f"shut out beside {number} idle connections"
        assert len(idle) > 4500, len(idle)
        for _ in range(50):
            busy.append(daemon.call("GET", "/health").status)
        assert set(busy[1:]) == {200}, busy
        if stream:
            assert Source("watch").post(daemon.sock, [event("watch.idle.tested")]).status == 200
            while b"watch.idle.tested" not in (part := stream.recv(65536)):
                assert part, "a stream was cut for the sake of idle connections"
        files = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
        assert files < SERVED_AT_ONCE + 100, f"{files} open files"
        assert daemon.anon_bytes() - before < 32 << 20, f"{daemon.anon_bytes() - before} bytes more"
        for sock in [*idle, *([stream] if stream else [])]:
            sock.close()
        wait_for("idle connections are forgotten", lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < 100)


def main(bin_dir):
    suite = Suite()
    with playground() as (root, make):
        binary = os.environ.get("OSMODA_ABUSE_PROBE")  # any daemon of the runtime can be abused the same way
        daemon = make(binary, root, name="watch").start() if binary else make(bin_dir / "agentd", root, prefix=THROWAWAY).start()
        found = endpoints(daemon)
        for endpoint in found:
            for name, reply, accepted in endpoint.abuse():
                with suite.check(f"{endpoint}: {name}"):
                    problem(reply, accepted)
            offered = {other.method for other in found if other.path == endpoint.path}
            for method in METHODS:
                if method not in offered:
                    with suite.check(f"{endpoint}: {method} is not offered"):
                        reply = endpoint.send(method=method)
                        problem(reply, {405})
                        assert offered <= {name.strip() for name in reply.headers["allow"].split(",")}, reply.headers["allow"]
        post = next(endpoint for endpoint in found if endpoint.method == "POST" and not endpoint.headers)
        socket_checks(suite, daemon, post)
        idle_checks(suite, daemon)
        with suite.check("after all that the daemon lives, is well, small, and nothing panicked"):
            assert daemon.alive() and daemon.call("GET", "/health").status == 200
            assert "panicked" not in daemon.log(), daemon.log()[daemon.log().index("panicked") - 200:][:600]
            assert daemon.anon_bytes() < MEMORY, daemon.anon_bytes()
            assert daemon.end() == 0
    suite.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
