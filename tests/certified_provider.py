"""A certified OpenID Connect provider (npm `oidc-provider`), and a browser that visits it."""

import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

MAX_REDIRECTS = 10


@contextmanager
def running_certified_provider(node: tuple[str, Path], certificate: Path, *arguments: str) -> Iterator[str]:
    """Run the provider, and yield its issuer.

    *certificate* has a key, too. *arguments* are client id, client secret, redirect URI, host, and a port or none.
    """
    program, folder = node
    command = [program, "provider.mjs", str(certificate), *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


class ProviderVisit:
    """A browser at the provider, with its cookies there.

    It trusts the authority of *root_file*. The provider leads it back to *callback*.
    """

    def __init__(self, root_file: Path, callback: str) -> None:
        self._context = ssl.create_default_context(cafile=root_file)
        self._callback = callback
        self._cookies: dict[str, str] = {}

    def authorize(self, url: str) -> dict[str, str]:
        """Follow the provider's redirects, and return the members of its answer."""
        for _ in range(MAX_REDIRECTS):
            location = urljoin(url, self._get(url))
            if location.startswith(self._callback):
                return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
            url = location
        raise AssertionError("The provider leads nowhere.")

    def _get(self, url: str) -> str:
        parts = urlsplit(url)
        assert parts.hostname
        connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=self._context)
        plain = socket.create_connection(("127.0.0.1", parts.port))
        connection.sock = self._context.wrap_socket(plain, server_hostname=parts.hostname)
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        connection.request("GET", f"{parts.path}?{parts.query}", headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        for text in answer.msg.get_all("set-cookie") or []:
            name, _, value = text.partition(";")[0].partition("=")
            self._cookies[name] = value
        return str(answer.headers["location"])
