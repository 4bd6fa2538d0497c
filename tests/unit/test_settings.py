"""The environment of a function is read once, cast, and complete or refused."""

from datetime import timedelta

import pytest

from tenancy.settings import Settings

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
    "SECRETS_PREFIX": "tenancy/test",
    "BASE_DOMAIN": "Attribution.Example",
    "TOKEN_ISSUER": "https://api.attribution.example",
    "EVENTS_QUEUE_URL": "http://127.0.0.1:4566/000000000000/events",
    "DEAD_LETTERS_URL": "http://127.0.0.1:4566/000000000000/dead-letters",
    "PLATFORM_GATEWAY_KEY": "platform-tenancy-of-the-operators",
    "USAGE_PLANS_PATH": "/tenancy/usage-plans",
    "AUDIT_QUEUE_URL": "http://127.0.0.1:4566/000000000000/audit",
    "SIGNING_KEY_ID": "0f000000-0000-4000-8000-00000000000f",
    "SEALING_KEY_ID": "0e000000-0000-4000-8000-00000000000e",
    "MAIL_FROM": "no-reply@attribution.example",
    "EXPORTS_BUCKET": "tenancy-exports",
    "REDIS_PATIENCE_MS": "50",
    "DELETION_GRACE_SECONDS": "2592000",
    "ERASURE_QUIET_SECONDS": "120",
    "RECOUNT_AFTER_SECONDS": "86400",
    "STATE_MACHINE_ARN": "arn:aws:states:eu-west-1:123456789012:stateMachine:delete",
}


def test_every_setting_comes_from_its_variable() -> None:
    assert Settings.from_env(ENVIRONMENT) == Settings(
        region="eu-west-1",
        aws_endpoint_url="http://127.0.0.1:4566",
        secrets_prefix="tenancy/test",
        base_domain="attribution.example",
        token_issuer="https://api.attribution.example",
        events_queue_url="http://127.0.0.1:4566/000000000000/events",
        dead_letters_url="http://127.0.0.1:4566/000000000000/dead-letters",
        platform_gateway_key="platform-tenancy-of-the-operators",
        usage_plans_path="/tenancy/usage-plans",
        audit_queue_url="http://127.0.0.1:4566/000000000000/audit",
        signing_key_id="0f000000-0000-4000-8000-00000000000f",
        encryption_key_id="0e000000-0000-4000-8000-00000000000e",
        mail_from="no-reply@attribution.example",
        exports_bucket="tenancy-exports",
        redis_timeout_seconds=0.05,
        deletion_grace=timedelta(days=30),
        writer_wait=timedelta(minutes=2),
        recount_after=timedelta(days=1),
        state_machine_arn="arn:aws:states:eu-west-1:123456789012:stateMachine:delete",
    )


def test_what_a_function_does_not_use_is_empty() -> None:
    settings = Settings.from_env({"SECRETS_PREFIX": "tenancy/test"})
    assert settings.region == "eu-central-1"
    assert settings.aws_endpoint_url is None
    assert {settings.base_domain, settings.events_queue_url, settings.mail_from} == {""}


def test_an_empty_endpoint_is_none() -> None:
    assert Settings.from_env(ENVIRONMENT | {"AWS_ENDPOINT_URL": ""}).aws_endpoint_url is None


def test_without_a_prefix_for_secrets_nothing_starts() -> None:
    with pytest.raises(KeyError, match="SECRETS_PREFIX"):
        Settings.from_env({})


def test_settings_are_read_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETS_PREFIX", "tenancy/of-this-process")
    assert Settings.from_env().secrets_prefix == "tenancy/of-this-process"


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Settings.from_env(ENVIRONMENT).region = "us-east-1"  # type: ignore[misc]
