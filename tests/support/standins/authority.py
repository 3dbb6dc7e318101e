"""A time-stamp authority on loopback: `openssl ts` behind a small HTTP server, with certificates made for the test."""

import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, override

CONFIG = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
"""
EXTENSIONS = {
    "root": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n",
    "tsa": "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
    "extendedKeyUsage=critical,timeStamping\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
}

type Mood = Literal["stamps", "refuses", "talks nonsense", "repeats itself", "is busy"]


class Authority:
    """A running authority. `mood` says how it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mood: Mood = "stamps"
        self.asked = 0
        self.root = folder / "root.pem"
        self._last: bytes | None = None
        folder.mkdir()
        (folder / "config").write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        self._certificate("root", "Test Root", None)
        self._certificate("tsa", "Test Time-Stamp Authority", "root")

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/tsr"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def stamp(self, query: bytes) -> bytes:
        """Return the answer of `openssl ts` to a query."""
        (self.folder / "query").write_bytes(query)
        arguments = ("ts", "-reply", "-config", "config", "-section", "tsa", "-queryfile", "query", "-out", "reply")
        self._openssl(*arguments)
        return (self.folder / "reply").read_bytes()

    def _certificate(self, name: str, subject: str, signer: str | None) -> None:
        (self.folder / f"{name}.ext").write_text(EXTENSIONS[name])
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")
        self._openssl("req", "-new", *key, "-subj", f"/O=Example/CN={subject}", "-out", f"{name}.csr")
        by = ("-CA", f"{signer}.pem", "-CAkey", f"{signer}.key") if signer else ("-key", f"{name}.key")
        request = (
            "-req",
            "-in",
            f"{name}.csr",
            "-days",
            "3650",
            "-extfile",
            f"{name}.ext",
            "-set_serial",
            str(len(name)),
        )
        self._openssl("x509", *request, *by, "-out", f"{name}.pem")

    def _openssl(self, *arguments: str) -> None:
        program = shutil.which("openssl") or "openssl"
        subprocess.run([program, *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60)

    def _answer(self, query: bytes) -> tuple[int, bytes]:
        self.asked += 1
        match self.mood:
            case "stamps":
                self._last = self.stamp(query)
                return 200, self._last
            case "refuses":
                return 200, self.stamp(b"no query at all")
            case "talks nonsense":
                return 200, b"<html>Sign in to the hotel's network</html>"
            case "repeats itself":
                return 200, self._last or b""
            case "is busy":
                return 503, b"later"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
