"""A bad road between a daemon and agentd: it forwards every request, and now and then loses the answer."""
import random, socket, threading

from wire import dial


class Proxy:
    """Listens on `path`, forwards to `upstream`; a share `loses` of the answers never arrives, though agentd gave them."""

    def __init__(self, path, upstream):
        self.upstream, self.loses, self.lost = upstream, 0.0, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(128)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.carry, args=[client], daemon=True).start()

    def carry(self, client):
        with client:
            try:
                with dial(self.upstream) as server:
                    while request := message(client):
                        server.sendall(request)
                        answer = message(server)
                        if random.random() < self.loses:
                            self.lost += 1
                            return
                        client.sendall(answer)
            except OSError:
                return


def message(sock):
    """One HTTP message with a Content-Length, or nothing."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < sum(lengths):
        part = sock.recv(65536)
        if not part:
            return b""
        body, data = body + part, data + part
    return data
