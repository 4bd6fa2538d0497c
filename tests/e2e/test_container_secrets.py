"""Functions under `sam local` have secrets with a prefix of their own."""

from scripts.stack.aws import find_secret, list_secrets
from scripts.stack.stack import CONTAINER_SECRETS_PREFIX, SECRETS_PREFIX
from tests.e2e.deployed import Stack


def test_containers_have_each_secret_of_the_stack(stack: Stack) -> None:
    url = stack.aws_endpoint_url

    written = {name for name in list_secrets(url, SECRETS_PREFIX) if find_secret(url, f"{SECRETS_PREFIX}/{name}")}

    assert {"token-signing-keys", "token-public-keys", "platform-key"} <= written
    assert {name for name in written if not find_secret(url, f"{CONTAINER_SECRETS_PREFIX}/{name}")} == set()
