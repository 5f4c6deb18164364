"""What the environment says of proxies and certificates, where no HTTP client can be made of it."""

import os
from urllib.request import getproxies


def problem(error: Exception) -> str:
    """Why no HTTP client can be made, in a sentence that names the variables and not their values.

    Args:
        error: What making one has raised: an `OSError` for certificates, another error for proxies.
    """
    if isinstance(error, OSError):
        names = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE") if os.environ.get(name)]
        why = error.strerror or type(error).__name__
        return f"{' or '.join(names) or 'the store of certificates'} names a file that cannot be used: {why}"
    proxies = " or ".join(f"{name.upper()}_PROXY" for name in ("https", "http", "all") if name in getproxies())
    if isinstance(error, ImportError):
        return f"{proxies} names a SOCKS proxy: give an HTTP proxy, or install the package socksio beside runmart"
    return f"{proxies or 'the environment'} names no proxy that can be used; its form is http://HOST:PORT"
