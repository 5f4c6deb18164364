"""Who measured how long a request took, as `latency_source` names it."""

COLLECTOR = "collector"
"""The clock of who sent the request: the time that the user saw."""
COLLECTOR_SECONDS = "collector_seconds"
"""The same by two instants without fractions of a second: their difference is known to the second only."""
HEADER = "header"
"""The server's `openai-processing-ms`."""

CLOCKS = (COLLECTOR_SECONDS, HEADER, COLLECTOR)
"""The best last: a collector saw what the user saw, but in whole seconds it says less than the server's header."""
