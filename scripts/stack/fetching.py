"""Let the deployed function `Fetch` reach servers of the tests on this machine: a DNS server, and two providers.

The template allows no such server. So the variables are set on the function, after the deploy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.deploy.versions import ALIAS
from scripts.stack import aws
from scripts.stack.authority import ROOT, SERVER, make_authority
from scripts.stack.deployment import function_ids
from scripts.stack.settings import LOOPBACK, StackSettings

FUNCTION = "Fetch"
FOLDER = "authority"
NAMES = "names"
PROVIDERS = ("oidc", "saml")
PORTS = frozenset({NAMES, *PROVIDERS})  # of tests: no part of the stack listens on them


@dataclass(frozen=True, slots=True, kw_only=True)
class ServersOfTests:
    """The addresses at which tests start their servers, and the files of their certificates."""

    dns_address: str
    provider_hosts: str
    root_file: Path
    server_file: Path

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the function."""
        return {
            "DNS_RESOLVER": self.dns_address,
            "PRIVATE_HOSTS_ALLOWED": self.provider_hosts,
            "SSL_CERT_FILE": str(self.root_file),  # OpenSSL reads it itself
        }

    @property
    def described(self) -> dict[str, str]:
        """The members of ``stack.json``."""
        return {
            "dns_address": self.dns_address,
            "provider_hosts": self.provider_hosts,
            "provider_certificate": str(self.server_file),
        }


def allow_servers_of_tests(settings: StackSettings, url: str, ports: Mapping[str, int]) -> ServersOfTests:
    """Make the certificates, and set the variables of the function unless it has them already."""
    folder = settings.directory / FOLDER
    make_authority(folder)
    servers = ServersOfTests(
        dns_address=f"{LOOPBACK}:{ports[NAMES]}",
        provider_hosts=",".join(f"localhost:{ports[name]}" for name in PROVIDERS),
        root_file=folder / ROOT,
        server_file=folder / SERVER,
    )
    if FUNCTION in function_ids(settings.sources).values():  # the first releases had no such function
        change_variables(url, servers.variables)
    return servers


def change_variables(url: str, changes: Mapping[str, str]) -> None:
    """Change variables of the deployed function, if they differ, as a new version. The next run starts with them."""
    functions, name = aws.client("lambda", url), function_name(url)
    configured: dict[str, Any] = functions.get_function_configuration(FunctionName=name, Qualifier=ALIAS)
    variables = configured.get("Environment", {}).get("Variables", {})
    changed = {**variables, **changes}
    if changed != variables:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": changed})
        version = functions.publish_version(FunctionName=name)["Version"]
        functions.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)


def function_name(url: str) -> str:
    """Return the physical name of the deployed function."""
    formation = aws.client("cloudformation", url)
    resource = formation.describe_stack_resource(StackName=aws.STACK, LogicalResourceId=FUNCTION)
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])
