# Calls to agentd without a pause, one connection each, until /run/load-stop is there. Prints what was acknowledged and
# what failed; with a folder as argument it also writes files there, which goes through agentd-root.
import json
import os
import socket
import sys

acknowledged: list[str] = []
failed: list[str] = []


def call(path: str, body: dict[str, str]) -> None:
    data = json.dumps(body).encode()
    request = f"POST {path} HTTP/1.1\r\nHost: l\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(120)
            line.connect("/run/osmoda/agentd.sock")
            line.sendall(request.encode() + data)
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        if answer.split(b" ", 2)[1:2] == [b"200"]:
            acknowledged.append(body.get("title", path))
        else:
            failed.append(f"{path}: {answer[:300]!r}")
    except OSError as error:
        failed.append(f"{path}: {error}")


number = 0
while not os.path.exists("/run/load-stop"):
    number += 1
    call("/notify", {"title": f"load {os.getpid()} {number}"})
    if len(sys.argv) > 1:
        call("/file/write", {"path": f"{sys.argv[1]}/{os.getpid()}", "content": str(number)})
print(json.dumps({"acknowledged": acknowledged, "failed": failed}))
