"""A SAML provider of npm (`samlify`), and a browser that visits it."""

import http.client
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.saml_provider import SigningKey


@contextmanager
def running_samlify(
    node: tuple[str, Path], certificate: Path, folder: Path, person: str, host: str, *port: str
) -> Iterator[str]:
    """Run the provider, and yield its origin.

    *certificate* has a key, too. Its *person* is logged in. The metadata of the platform is to be written to the file
    `service.xml` of *folder*.
    """
    program, packages = node
    key, signing_file = SigningKey.generate(), folder / "signing.pem"
    private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signing_file.write_bytes(private + key.certificate.public_bytes(Encoding.PEM))
    command = [program, "saml-provider.mjs", str(certificate), str(signing_file), str(folder / "service.xml"), host]
    environment = {**os.environ, "PERSON": person}
    with subprocess.Popen(
        [*command, *port], cwd=packages, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def visit_samlify(root_file: Path, url: str) -> dict[str, str]:
    """Visit *url* of the provider as a browser does, and return the form for the platform."""
    context, parts = ssl.create_default_context(cafile=root_file), urlsplit(url)
    assert parts.hostname
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context)
    plain = socket.create_connection(("127.0.0.1", parts.port or 443))
    connection.sock = context.wrap_socket(plain, server_hostname=parts.hostname)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200, text
    form: dict[str, str] = json.loads(text)
    return form
