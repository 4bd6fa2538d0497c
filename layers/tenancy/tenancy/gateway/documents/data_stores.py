"""The properties of the custom resource that prepares new data stores."""

from collections.abc import Mapping
from typing import Any

from tenancy.errors import DeploymentError
from tenancy.rules.data_stores import DataStores, ServerAddress


def parse_data_stores(properties: Mapping[str, Any]) -> DataStores:
    """Return the data stores that *properties* name. CloudFormation sends each value as a text.

    Raises:
        DeploymentError: a property is missing or has another form.
    """
    return DataStores(
        cluster=_address(properties, "Cluster"),
        proxy=_address(properties, "Proxy"),
        redis=_address(properties, "Redis"),
        master_secret=text_of(properties, "MasterSecret"),
    )


def text_of(properties: Mapping[str, Any], name: str) -> str:
    """Return the property *name*.

    Raises:
        DeploymentError: it is missing or no text.
    """
    text = properties.get(name)
    if not (isinstance(text, str) and text):
        raise DeploymentError(f"The custom resource has no property {name}. Restore it in template.yaml.")
    return text


def _address(properties: Mapping[str, Any], name: str) -> ServerAddress:
    text = text_of(properties, name)
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdigit()):
        raise DeploymentError(f"The property {name} of the custom resource is {text!r}. Expected host:port.")
    return ServerAddress(host=host, port=int(port))
