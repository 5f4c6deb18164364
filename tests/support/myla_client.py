"""Makes calls of the official client, which a test sends as lines of JSON; run by the Python of `.venv-myla`."""

import json
import sys
from operator import attrgetter
from typing import Any

from openai import OpenAI


def main(base_url: str, api_key: str) -> None:
    """Answer each line `["threads.create", {…}]` of standard input with the JSON of what the call returns."""
    client = OpenAI(base_url=base_url, api_key=api_key, timeout=120)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        found: Any = attrgetter(name)(client.beta)(**arguments)
        sys.stdout.write(found.to_json(indent=None) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
