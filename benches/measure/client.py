"""An HTTP/1.1 client that reads every byte: for checks, and where requests have to come one after the other."""

import socket
import ssl
import time

from .processes import Failed


class Answer:
    """Status, the head's bytes (the empty line included), and the body."""

    def __init__(self, status, head, body):
        self.status, self.head, self.body = status, head, body

    def expect(self, size, what):
        """Fails unless it is a 200 with a body of this size."""
        if self.status != 200 or len(self.body) != size:
            raise Failed(f"{what}: status {self.status}, {len(self.body)} bytes instead of {size}:\n{self.head!r} {self.body[:300]!r}")
        return self


class Connection:
    """A connection that is kept."""

    def __init__(self, port, authority=None, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if authority:
            context = ssl.create_default_context(cafile=str(authority))
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.host = f"127.0.0.1:{port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, path, headers=None, body=None):
        """Sends a request and reads its whole answer."""
        self.socket.sendall(request(path, self.host, headers, body))
        return self.answer()

    def head(self):
        """Reads an answer's head: status, its bytes, the body's length, and what came of the body with it."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.receive()
        head, _, body = received.partition(b"\r\n\r\n")
        head += b"\r\n\r\n"
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:-2])
        if b"content-length" not in fields:
            raise Failed(f"an answer that does not tell its length: {head!r}")
        return int(head.split()[1]), head, int(fields[b"content-length"]), body

    def answer(self):
        status, head, length, body = self.head()
        parts, missing = [body], length - len(body)
        while missing > 0:
            parts.append(self.receive())
            missing -= len(parts[-1])
        if missing < 0:
            raise Failed(f"{-missing} bytes behind an answer: {head!r}")
        return Answer(status, head, b"".join(parts))

    def receive(self, size=1 << 16):
        received = self.socket.recv(size)
        if not received:
            raise ConnectionResetError("the connection ended in the middle of an answer")
        return received


def request(path, host, headers=None, body=None):
    """The bytes of a request."""
    fields = {"Host": host, **(headers or {})}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": len(body)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\n{lines}\r\n".encode() + (body or b"")


def get(port, path, headers=None, body=None, authority=None):
    """One request on a connection of its own."""
    with Connection(port, authority) as connection:
        return connection.ask(path, headers, body)


def first_answer(port, path, process, within=20):
    """Asks from the moment that somebody listens until there is a 200, and returns it."""
    end = time.monotonic() + within
    answer = None
    while time.monotonic() < end:
        if process.poll() is not None:
            raise Failed(f"{process.args[0]} ended with {process.returncode}:\n{process.log.read_text(errors='replace')[-2000:]}")
        try:
            answer = get(port, path)
            if answer.status == 200:
                return answer
        except OSError:
            pass
        time.sleep(0.0002)
    raise Failed(f"{process.args[0]} gave no 200 within {within} s, last {answer and (answer.status, answer.body[:300])}")
