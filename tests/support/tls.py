"""Certificates, and small servers that do not speak HTTP as they should, for tests of connections."""

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Answer = Callable[[socket.socket], None]


def certificate(folder: Path, host: str, days: float) -> Path:
    """A file with a certificate that its own key has signed, and that key; it ends so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.public_key(key.public_key()).not_valid_before(now - datetime.timedelta(9))
    builder = builder.not_valid_after(now + datetime.timedelta(days))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    signed = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    path = folder / f"{host}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(signed.public_bytes(Encoding.PEM) + private)
    return path


@contextmanager
def listening(answer: Answer) -> Generator[int]:
    """A server that answers each connection; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                    with connection:
                        connection.settimeout(5)
                        answer(connection)
                except TimeoutError:
                    continue
                except OSError:
                    if server.fileno() < 0:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def speaks_tls(path: Path) -> Answer:
    """Speaks TLS with a certificate, and no HTTP."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1000)

    return answer


def says(data: bytes) -> Answer:
    """Says the same to everybody, and closes the connection."""

    def answer(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(data)

    return answer


def is_silent(connection: socket.socket) -> None:
    """Says nothing until the client is gone."""
    while connection.recv(1000):
        pass
