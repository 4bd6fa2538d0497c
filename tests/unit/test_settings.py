"""Settings: every variable is checked and cast when a function starts."""

from datetime import timedelta

import pytest

from tenancy.settings import OPTIONAL, VARIABLES, InvalidSettingError, Settings
from tests.members import for_each

ENVIRONMENT = {
    "AWS_REGION": "eu-west-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
    "SECRETS_PREFIX": "tenancy/test",
    "STACK_NAME": "tenancy-test",
    "BASE_DOMAIN": "Attribution.Example",
    "API_HOST": "api.attribution.example",
    "TOKEN_ISSUER": "https://api.attribution.example",
    "EVENTS_QUEUE_URL": "http://127.0.0.1:4566/000000000000/events",
    "DEAD_LETTERS_URL": "http://127.0.0.1:4566/000000000000/dead-letters",
    "AUDIT_DEAD_LETTERS_URL": "http://127.0.0.1:4566/000000000000/audit-dead-letters",
    "REJECTED_CALLS_URL": "http://127.0.0.1:4566/000000000000/rejected-calls",
    "DEAD_LETTERS_BUCKET": "tenancy-dead-letters",
    "REGISTER_BUCKET": "tenancy-register",
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
    "UPGRADE_URL": "https://billing.attribution.example/upgrade?from=api",
    "FETCH_FUNCTION": "tenancy-test-Fetch-1",
    "SSO_KEY_ID": "alias/sso",
    "DOMAINS_MACHINE_ARN": "arn:aws:states:eu-west-1:123456789012:stateMachine:domains",
    "HOSTED_ZONE_ID": "Z0123456789",
    "API_ID": "a1b2c3d4e5",
    "ENDPOINT_ACCESS_MODE": "BASIC",
    "DNS_RESOLVER": "127.0.0.1:5353",
    "PRIVATE_HOSTS_ALLOWED": "localhost:8443, 127.0.0.1:8444",
    "PINNED_REGION": "eu-west-1",
    "REPLICA_ADDRESS": "replica.example:5432",
    "REPLICA_REGION": "eu-west-1",
}


REQUIRED = {"SECRETS_PREFIX": "tenancy/test", "STACK_NAME": "tenancy-test"}


EXPECTED = Settings(
    region="eu-west-1",
    aws_endpoint_url="http://127.0.0.1:4566",
    secrets_prefix="tenancy/test",
    stack_name="tenancy-test",
    replica_address=("replica.example", 5432),
    replica_region="eu-west-1",
    pinned_region="eu-west-1",
    base_domain="attribution.example",
    api_host="api.attribution.example",
    token_issuer="https://api.attribution.example",
    events_queue_url="http://127.0.0.1:4566/000000000000/events",
    dead_letters_url="http://127.0.0.1:4566/000000000000/dead-letters",
    audit_dead_letters_url="http://127.0.0.1:4566/000000000000/audit-dead-letters",
    rejected_calls_url="http://127.0.0.1:4566/000000000000/rejected-calls",
    dead_letters_bucket="tenancy-dead-letters",
    register_bucket="tenancy-register",
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
    upgrade_url="https://billing.attribution.example/upgrade?from=api",
    fetch_function="tenancy-test-Fetch-1",
    sso_key_id="alias/sso",
    domains_machine_arn="arn:aws:states:eu-west-1:123456789012:stateMachine:domains",
    hosted_zone_id="Z0123456789",
    api_id="a1b2c3d4e5",
    endpoint_access_mode="BASIC",
    dns_resolver=("127.0.0.1", 5353),
    private_hosts=frozenset({("localhost", 8443), ("127.0.0.1", 8444)}),
)


def test_each_setting_comes_from_its_variable() -> None:
    settings = Settings.from_env(*VARIABLES, environ=ENVIRONMENT)

    assert settings == EXPECTED


def test_function_refuses_to_start_outside_the_pinned_region() -> None:
    with pytest.raises(InvalidSettingError, match="PINNED_REGION is not eu-west-1, the function's region"):
        Settings.from_env(environ=REQUIRED | {"AWS_REGION": "eu-west-1", "PINNED_REGION": "eu-central-1"})


def test_region_and_endpoint_have_defaults() -> None:
    settings = Settings.from_env(environ=REQUIRED | {"AWS_ENDPOINT_URL": ""})

    assert (settings.region, settings.aws_endpoint_url) == ("eu-central-1", None)


@for_each("name", sorted(set(VARIABLES) - OPTIONAL))
@for_each("value", [None, ""])
def test_missing_variable_is_named(name: str, value: str | None) -> None:
    environment = {key: text for key, text in ENVIRONMENT.items() if key != name}
    if value is not None:
        environment[name] = value

    with pytest.raises(InvalidSettingError, match=f"{name} is missing"):
        Settings.from_env(*VARIABLES, environ=environment)


@pytest.mark.parametrize("text", ["x", "-1", "1.5", " 1", "\u0661"])
def test_duration_that_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettingError, match="DELETION_GRACE_SECONDS is not a whole number"):
        Settings.from_env("DELETION_GRACE_SECONDS", environ=ENVIRONMENT | {"DELETION_GRACE_SECONDS": text})


@pytest.mark.parametrize("text", ["localhost", ":8443", "localhost:", "localhost:x", "localhost:8443,", "a b"])
@pytest.mark.parametrize("name", ["DNS_RESOLVER", "PRIVATE_HOSTS_ALLOWED"])
def test_host_without_a_port_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"{name} is "):
        Settings.from_env(name, environ=ENVIRONMENT | {name: text})


def test_no_private_host_is_allowed_by_default() -> None:
    settings = Settings.from_env("PRIVATE_HOSTS_ALLOWED", environ=ENVIRONMENT | {"PRIVATE_HOSTS_ALLOWED": ""})

    assert settings.private_hosts is None


@pytest.mark.parametrize("text", [None, ""])
def test_upgrade_url_is_optional(text: str | None) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "UPGRADE_URL"}

    settings = Settings.from_env(
        "UPGRADE_URL", environ=environment if text is None else {**environment, "UPGRADE_URL": text}
    )

    assert settings.upgrade_url is None


@pytest.mark.parametrize(
    "text",
    [
        "/billing/upgrade",
        "billing.example",
        "http://billing.example",
        "https://",
        "https:///upgrade",
        "https://[x",
        "https://billing.example:x",
        "https://a@billing.example",
        "https://billing.example/a b",
        "https://billing.example/\n",
        "https://bílling.example",
        "javascript:alert(1)",
    ],
)
def test_upgrade_url_that_is_not_absolute_https_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettingError, match="UPGRADE_URL is not an absolute URL"):
        Settings.from_env("UPGRADE_URL", environ=ENVIRONMENT | {"UPGRADE_URL": text})


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(
        InvalidSettingError, match="SECRETS_PREFIX is missing; STACK_NAME is missing; MAIL_FROM is missing"
    ):
        Settings.from_env("MAIL_FROM", environ={})


def test_setting_that_was_not_asked_for_cannot_be_read() -> None:
    settings = Settings.from_env(environ=ENVIRONMENT)

    with pytest.raises(AttributeError, match="mail_from"):
        _ = settings.mail_from


def test_settings_are_read_from_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETS_PREFIX", "tenancy/of-this-process")
    monkeypatch.setenv("STACK_NAME", "tenancy-test")

    assert Settings.from_env().secrets_prefix == "tenancy/of-this-process"


def test_settings_do_not_change() -> None:
    settings = Settings.from_env(environ=ENVIRONMENT)

    with pytest.raises(AttributeError):
        settings.region = "us-east-1"  # type: ignore[misc]
