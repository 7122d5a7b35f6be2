"""An authority that exists for one run, and the upstream's certificate."""

import subprocess

NAME = "localhost"


class Certificates:
    """PEM files below `directory`: `authority`, and `chain` with `key` for the upstream."""

    def __init__(self, directory):
        self.authority = directory / "authority.pem"
        self.chain = directory / "upstream.pem"
        self.key = directory / "upstream.key"
        authority_key = directory / "authority.key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7"]
        openssl(
            ["req", "-x509", *curve, "-subj", "/CN=An authority of one benchmark", "-keyout", authority_key]
            + ["-addext", "keyUsage=critical,keyCertSign", "-out", self.authority]
        )
        openssl(
            ["req", "-x509", *curve, "-subj", f"/CN={NAME}", "-keyout", self.key]
            + ["-CA", self.authority, "-CAkey", authority_key, "-addext", "basicConstraints=critical,CA:FALSE"]
            + ["-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1", "-out", self.chain]
        )


def openssl(arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
