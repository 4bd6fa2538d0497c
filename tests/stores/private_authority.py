"""A private certificate authority, and a TLS server of it before a server without TLS."""

import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from scripts.stack.authority import LIFETIME, common_name, key_id, unsigned_certificate

BUFFER_BYTES = 65_536
SSL_REQUEST_BYTES = 8  # PostgreSQL's clients ask for TLS before its handshake
HOST = "127.0.0.1"
PKCS8 = PrivateFormat.PKCS8
MAY_SIGN = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


type Greeting = Callable[[socket.socket], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A root certificate in *root_file*, and the file of a server's certificate and key."""

    root_file: Path
    server_file: Path


def make_authority(folder: Path, host: str = HOST, *, lifetime: timedelta = LIFETIME) -> Authority:
    """Make a root, and a certificate for *host* that it signed. A certificate of a negative *lifetime* has expired."""
    folder.mkdir()
    root_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, server_name = common_name(f"Private root of {folder.name}"), common_name(host)
    root = unsigned_certificate(root_name, root_name, root_key)
    for extension in (x509.BasicConstraints(ca=True, path_length=0), MAY_SIGN, key_id(root_key)):
        root = root.add_extension(extension, critical=not isinstance(extension, x509.SubjectKeyIdentifier))
    server = unsigned_certificate(server_name, root_name, server_key, lifetime)
    signer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id(root_key))
    names = x509.SubjectAlternativeName([_general_name(host)])
    server = server.add_extension(names, critical=False).add_extension(signer, critical=False)
    made = Authority(root_file=folder / "root.pem", server_file=folder / "server.pem")
    made.root_file.write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    certificate = server.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    made.server_file.write_bytes(certificate + server_key.private_bytes(Encoding.PEM, PKCS8, NoEncryption()))
    return made


@contextmanager
def tls_server(authority: Authority, target_port: int, *, is_postgres: bool = False) -> Iterator[int]:
    """Serve TLS on a loopback port before *target_port*, and yield the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.server_file)
    greet = _accept_request_for_tls if is_postgres else _greet_nothing
    listener = socket.create_server((HOST, 0))
    Thread(target=_serve, args=(listener, context, target_port, greet), daemon=True).start()
    with listener:
        yield listener.getsockname()[1]


def _accept_request_for_tls(client: socket.socket) -> None:
    client.recv(SSL_REQUEST_BYTES)
    client.sendall(b"S")


def _greet_nothing(_client: socket.socket) -> None:
    return


def _general_name(host: str) -> x509.GeneralName:
    return x509.IPAddress(ip_address(host)) if host == HOST else x509.DNSName(host)


def _serve(listener: socket.socket, context: ssl.SSLContext, target_port: int, greet: Greeting) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            Thread(target=_terminate, args=(client, context, target_port, greet), daemon=True).start()


def _terminate(client: socket.socket, context: ssl.SSLContext, target_port: int, greet: Greeting) -> None:
    with suppress(OSError), client:
        greet(client)
        with (
            context.wrap_socket(client, server_side=True) as encrypted,
            socket.create_connection((HOST, target_port)) as target,
        ):
            _relay(encrypted, target)


def _relay(encrypted: ssl.SSLSocket, target: socket.socket) -> None:
    """Pass bytes on in both directions until a side has closed. Bytes that a side does not take yet wait in memory.

    With blocking sockets a client that sends all commands before it reads a reply would wait for ever.
    """
    waiting: dict[socket.socket, bytearray] = {encrypted: bytearray(), target: bytearray()}
    for each in waiting:
        each.settimeout(0)
    is_open = True
    while is_open:
        select.select(list(waiting), [each for each, unsent in waiting.items() if unsent], [])
        is_open = _receive(encrypted, waiting[target]) and _receive(target, waiting[encrypted])
        for each, unsent in waiting.items():
            _send(each, unsent)
    for each, unsent in waiting.items():
        each.settimeout(None)
        each.sendall(unsent)


def _receive(source: socket.socket, received: bytearray) -> bool:
    """Add all bytes that have arrived to *received*, and tell whether *source* is still open."""
    with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        while part := source.recv(BUFFER_BYTES):
            received += part
        return False
    return True


def _send(sink: socket.socket, unsent: bytearray) -> None:
    """Send as many bytes of *unsent* as *sink* takes now."""
    with suppress(BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        while unsent:
            del unsent[: sink.send(bytes(unsent[:BUFFER_BYTES]))]
