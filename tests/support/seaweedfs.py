"""A SeaweedFS server for tests, which speaks S3."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import free_port

WEED = Path(sys.executable).parent / "weed"
BUCKET = "bucket"
_KEYS = ("key", "s3-geheim")
_SECONDS = 60.0


@contextmanager
def serving() -> Generator[dict[str, str]]:
    """Environment variables to connect to a running server, which is stopped on exit."""
    folder = Path(tempfile.mkdtemp(prefix="runmart-s3-"))
    names = ("master", "volume", "filer", "s3")
    ports = {f"{name}.port{kind}": str(free_port()) for name in names for kind in ("", ".grpc")}
    identity = {
        "name": "runmart",
        "credentials": [{"accessKey": _KEYS[0], "secretKey": _KEYS[1]}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "files").mkdir()
    options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder / 'files'}", "-filer", "-s3"]
    options += [f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=50"]
    options += ["-master.volumeSizeLimitMB=64", *(f"-{name}={port}" for name, port in ports.items())]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([WEED, "-logtostderr=true", "server", *options], stdout=log, stderr=log, cwd=folder)
        try:
            url = f"http://127.0.0.1:{ports['s3.port']}"
            _wait_for(url, server)
            _make_bucket(ports)
            yield {
                "AWS_ACCESS_KEY_ID": _KEYS[0],
                "AWS_SECRET_ACCESS_KEY": _KEYS[1],
                "AWS_ENDPOINT_URL": url,
                "AWS_REGION": "us-east-1",
            }
        finally:
            server.kill()
            server.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - this machine's own
        except urllib.error.HTTPError:
            return  # it is there, and wants to know who we are
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(url)


def _make_bucket(ports: dict[str, str]) -> None:
    servers = [
        f"-{name}=127.0.0.1:{ports[f'{name}.port']}.{ports[f'{name}.port.grpc']}" for name in ("master", "filer")
    ]
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        done = subprocess.run(
            [WEED, "shell", *servers],
            input=f"s3.bucket.create -name {BUCKET}\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if "created bucket" in done.stdout + done.stderr:
            return
        time.sleep(0.5)
    raise TimeoutError(BUCKET)
