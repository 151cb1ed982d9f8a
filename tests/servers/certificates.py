"""A certificate authority of our own, made with the openssl program, and certificates for test servers."""

from __future__ import annotations

import atexit
import functools
import shutil
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """``ca`` signed ``server`` (valid for the name localhost only); ``stranger`` is an authority that did not."""

    folder: Path

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    @property
    def stranger(self) -> str:
        return str(self.folder / "stranger.pem")

    @property
    def server(self) -> str:
        return str(self.folder / "server.pem")

    @property
    def key(self) -> str:
        return str(self.folder / "server.key")

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server, self.key)
        return context


@functools.cache
def certificates() -> Certificates:
    """Made once for a test run."""
    folder = Path(tempfile.mkdtemp(prefix="kefud-ca-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("ca", "stranger"):
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-sha256",
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", "-subj", f"/CN={name}.example.com",
            "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
    _openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/server.key",
        "-out", f"{folder}/server.csr", "-subj", "/CN=localhost",
    )  # fmt: skip
    (folder / "server.ext").write_text(
        "basicConstraints=CA:false\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n"
        "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    _openssl(
        "x509", "-req", "-in", f"{folder}/server.csr", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key",
        "-CAcreateserial", "-days", "2", "-sha256", "-extfile", f"{folder}/server.ext", "-out", f"{folder}/server.pem",
    )  # fmt: skip
    for key in folder.glob("*.key"):
        key.chmod(0o644)
    return Certificates(folder)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
