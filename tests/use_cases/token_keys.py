"""The secrets of token keys in the AWS account of a test."""

import msgspec

from tenancy.rules.access_tokens.token_keys import NOTHING_PUBLISHED, SigningKeys, TokenKeys, VerifyingKeys
from tenancy.stores.aws.client import AwsClient
from tenancy.stores.aws.secrets import TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS, Secrets
from tests import aws_account
from tests.given import REGION

PREFIX = "tenancy/test"


def new_secrets(endpoint_url: str) -> Secrets:
    """Make both secrets without a value, as a deploy does, and return their reader."""
    for name in (TOKEN_PUBLIC_KEYS, TOKEN_SIGNING_KEYS):
        aws_account.make_secret_without_value(f"{PREFIX}/{name}")
    return Secrets(AwsClient("secretsmanager", REGION, endpoint_url), PREFIX)


def stored(secrets: Secrets) -> TokenKeys:
    """Return the keys as they are stored now."""
    signing = msgspec.json.decode(secrets.read_secret(TOKEN_SIGNING_KEYS).text or "null", type=SigningKeys | None)
    verifying = msgspec.json.decode(secrets.read_secret(TOKEN_PUBLIC_KEYS).text or "null", type=VerifyingKeys | None)
    return TokenKeys(signing=signing, verifying=verifying or NOTHING_PUBLISHED)


def public_ids(keys: TokenKeys) -> list[str]:
    return [key.kid for key in keys.verifying.keys]


def private_ids(keys: TokenKeys) -> list[str]:
    return [] if keys.signing is None else [keys.signing.current.kid, keys.signing.next.kid]
