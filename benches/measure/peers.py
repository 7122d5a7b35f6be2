"""nginx and HAProxy, as somebody would set them up who wants them fast."""

from .certificates import NAME
from .proxies import Kind
from .upstream import SINK, TOKEN, nginx_head, nginx_http


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
