"""Takes the upload of a gigabyte and tells how much arrived. It stands behind the upstream, which speaks TLS for it."""

import re
import socket
import threading


class Sink:
    """A thread that answers one request at a time, at `port`, for as long as this process lives."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            with self.listener.accept()[0] as client:
                client.sendall(take(client))


def take(client):
    """The answer to a request whose body has been read, whatever there is of it."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(1 << 16) or b"\r\n\r\n"
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    arrived, missing = len(body), int(length.group(1)) - len(body) if length else 0
    buffer = bytearray(1 << 20)
    while missing > 0:
        taken = client.recv_into(buffer, min(missing, len(buffer)))
        if not taken:
            break
        arrived, missing = arrived + taken, missing - taken
    text = str(arrived).encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
