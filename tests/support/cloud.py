"""Stand-ins for AWS on loopback, and the AWS CLI and the pipeline's script to call them."""

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paths import PROJECT

TOOLS = PROJECT / ".tools" / "aws" / "bin"
DEPLOY = PROJECT / ".github" / "actions" / "deploy-cloudformation" / "deploy.sh"
PATIENCE = 120.0
HURRY = "import time\n\nsleep = time.sleep\ntime.sleep = lambda seconds: sleep(min(seconds, 0.2))\n"
"""Code for the CLI, which checks a stack every 30 s. A stand-in needs one second."""


type Keys = dict[str, str]


class Cloud:
    """One stand-in. The CLI calls it as an administrator or with other keys."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.endpoint = endpoint
        self.folder = folder
        (folder / "sitecustomize.py").write_text(HURRY)

    def environment(self, keys: Keys | None = None) -> dict[str, str]:
        """Return the environment for a call, with these keys or an administrator's."""
        keys = keys or {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "test"}
        return {
            "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "PYTHONPATH": str(self.folder),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        }

    def call(self, *arguments: str | Path, keys: Keys | None = None) -> subprocess.CompletedProcess[str]:
        """Call the AWS CLI."""
        command = [TOOLS / "aws", *arguments]
        return subprocess.run(command, env=self.environment(keys), capture_output=True, text=True, check=False)

    def ask(self, *arguments: str | Path) -> Any:  # noqa: ANN401 -- each call of AWS has its own JSON
        """Return the answer to an administrator's call."""
        done = self.call(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    def refuses(self, keys: Keys, *arguments: str | Path) -> bool:
        """Say whether AWS denies this call to these keys. Any other failure fails the test."""
        done = self.call(*arguments, keys=keys)
        assert done.returncode == 0 or "AccessDenied" in done.stderr or "Forbidden" in done.stderr, done.stderr
        return done.returncode != 0

    def deploy(
        self, stack: str, template: Path, *overrides: str, keys: Keys | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Deploy a stack as the pipeline does; the summary it writes is added to `summary.md`."""
        settings = {
            "STACK_NAME": stack,
            "TEMPLATE_PATH": str(template),
            "PARAMETER_OVERRIDES": "\n".join(overrides) + "\n",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
        }
        return subprocess.run(
            [DEPLOY], env=self.environment(keys) | settings, capture_output=True, text=True, check=False
        )


@contextmanager
def localstack(folder: Path) -> Iterator[Cloud]:
    """Run LocalStack, which applies templates and enforces no policies."""
    port = _free_port()
    settings = {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "SERVICES": "cloudformation,iam,s3,sts",
        "LOCALSTACK_VOLUME_DIR": str(folder / "localstack"),
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
    }
    with _running([TOOLS / "python", "-m", "localstack.runtime.main"], settings, port, "_localstack/health", folder):
        yield Cloud(f"http://127.0.0.1:{port}", folder)


@contextmanager
def moto(folder: Path) -> Iterator[Cloud]:
    """Run moto, which applies less of a template, and enforces policies after `enforce`."""
    port = _free_port()
    command = [TOOLS / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, {"INITIAL_NO_AUTH_ACTION_COUNT": "10000"}, port, "moto-api/", folder):
        yield Cloud(f"http://127.0.0.1:{port}", folder)


def keys_with(cloud: Cloud, user: str, policy: str) -> Keys:
    """Return the keys of a new user with only this policy."""
    cloud.ask("iam", "create-user", "--user-name", user)
    cloud.ask("iam", "put-user-policy", "--user-name", user, "--policy-name", user, "--policy-document", policy)
    return dict(cloud.ask("iam", "create-access-key", "--user-name", user)["AccessKey"])


def enforce(cloud: Cloud) -> None:
    """Make moto enforce policies from now on."""
    url = f"{cloud.endpoint}/moto-api/reset-auth"
    request = urllib.request.Request(url, b"0", {"Content-Type": "text/plain"})  # noqa: S310 -- loopback
    urllib.request.urlopen(request, timeout=PATIENCE).close()  # noqa: S310 -- the same


@contextmanager
def _running(
    command: list[str | Path], settings: dict[str, str], port: int, ready: str, folder: Path
) -> Iterator[None]:
    assert TOOLS.exists(), f"{TOOLS} is missing: run these tests with ./bootstrap.sh test-infrastructure"
    log = folder / "stand-in.log"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | settings
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)
    try:
        end = time.monotonic() + PATIENCE
        while not _answers(f"http://127.0.0.1:{port}/{ready}"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 -- loopback
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
