"""An S3 server in this process, with one bucket."""

import contextlib
from collections.abc import Generator
from typing import Any

BUCKET = "pages"


@contextlib.contextmanager
def serving() -> Generator[dict[str, str]]:
    """A server with an empty bucket; returns the environment variables to connect to it."""
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    files(environment).create_dir(BUCKET)
    try:
        yield environment
    finally:
        with contextlib.suppress(Exception):
            running.stop()


def files(environment: dict[str, str]) -> Any:
    """The server's objects, as a file system."""
    from pyarrow import fs

    return fs.S3FileSystem(
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        region=environment["AWS_DEFAULT_REGION"],
        scheme="http",
        endpoint_override=environment["AWS_ENDPOINT_URL"].removeprefix("http://"),
        allow_bucket_creation=True,
    )
