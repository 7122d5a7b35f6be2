"""The API of the benchmark: nginx with fixed bodies behind TLS 1.3, and an authentication endpoint.

It answers 403 to whoever does not bear the token, so a proxy that adds none is seen at once.
"""

import json
import os
import time

from .client import get
from .processes import eventually, free_port
from .sink import Sink

TOKEN = "t0k3n-" * 100
GIGABYTE = 1 << 30
BODIES = {"200 B": ("/200", 200), "8 KiB": ("/8k", 8 << 10), "100 KiB": ("/100k", 100 << 10)}
POST = ("/post", 900)
LARGE = ("/1g", GIGABYTE)
SINK = "/sink"
ANSWER = "a" * 200


class Upstream:
    """A running upstream, at two ports: `http1` speaks HTTP/1.1, `http2` either, as the client's ALPN has it."""

    def __init__(self, processes, directory, certificates, cores):
        self.certificates = certificates
        self.directory = directory / "upstream"
        self.directory.mkdir()
        for path, size in [*BODIES.values(), LARGE, ("/post", 0)]:
            with open(self.directory / path[1:], "wb") as file:
                file.write(b"b" * size if size < GIGABYTE else b"")
                file.truncate(size)
        self.http1, self.http2 = free_port(), free_port()
        self.sink = Sink()
        configuration = self.directory / "nginx.conf"
        configuration.write_text(self.configuration(cores))
        self.process = processes.start(
            ["nginx", "-p", self.directory, "-c", configuration, "-e", self.directory / "error.log"], self.directory / "log"
        )
        for port in (self.http1, self.http2):
            eventually("the upstream answers", lambda: self.direct(port, "/200"), self.process)

    def direct(self, port, path):
        """An answer without a proxy between; None where there is none yet."""
        try:
            return get(port, path, {"Authorization": f"Bearer {TOKEN}"}, authority=self.certificates.authority)
        except OSError:
            return None

    def configuration(self, cores):
        certificates = self.certificates
        guard = f'if ($http_authorization != "Bearer {TOKEN}") {{ return 403; }}'
        files = "\n".join(
            f"        location = {path} {{ {guard} }}" for path, size in [*BODIES.values(), LARGE] if size != 200
        )
        return f"""
{nginx_head(self.directory, cores)}
http {{
{nginx_http(self.directory)}
    default_type application/json;
    etag off;
    max_ranges 0;
    if_modified_since off;
    open_file_cache max=100;
    open_file_cache_valid 1h;
    output_buffers 2 128k;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    http2_max_concurrent_streams 256;
    client_max_body_size 0;
    ssl_protocols TLSv1.3;
    ssl_certificate {certificates.chain};
    ssl_certificate_key {certificates.key};
    server {{
        listen 127.0.0.1:{self.http1} ssl reuseport backlog=4096;
        listen 127.0.0.1:{self.http2} ssl http2 reuseport backlog=4096;
        root {self.directory};
        location ~ ^(/api)?/authentication$ {{ return 200 '{grant()}'; }}
        location = /200 {{ {guard} return 200 "{ANSWER}"; }}
        # `return` would answer before the body is there: it is read for the mirror, and then a file takes no POST.
        location = /post {{ {guard} mirror /nothing; error_page 405 =200 @read; }}
        location @read {{ return 200 "{ANSWER}"; }}
        location = {SINK} {{ {guard} proxy_pass http://127.0.0.1:{self.sink.port}; proxy_request_buffering off; }}
        location = /nothing {{ internal; return 204; }}
{files}
    }}
}}
"""


def nginx_head(directory, cores):
    """What every nginx here begins with. Its workers are of this user: they read files that only it may read."""
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""{user}
daemon off;
worker_processes {cores};
pid {directory}/pid;
error_log {directory}/error.log warn;
events {{ worker_connections 8192; }}"""


def nginx_http(directory):
    """No log, and no directory that only a package's own user may write to."""
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    paths = " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
    return f"    access_log off;\n    {paths}\n    sendfile on;\n    tcp_nopush on;"


def grant():
    """A token in the API's envelope, as docs/wire-contract.md has it, for a day."""
    now = int(time.time() * 1000)
    data = {"token": TOKEN, "type": "ACCESS_TOKEN", "exp": now + 86_400_000}
    return json.dumps({"statusCode": 200, "message": "OK", "metadata": {"timestamp": now}, "data": data})
