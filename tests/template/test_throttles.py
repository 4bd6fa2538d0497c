"""All throttles together stay below an account's limits, and public ones leave room for others."""

import tomllib
from collections.abc import Iterator

import pytest

from tenancy.rules.tiers import QUOTAS
from tests.given import ROOT
from tests.template.template import FOLDERS, RESOURCES, TEMPLATE, routes
from tests.template.transformed import defaults

# Defaults of an AWS account in a region: "Amazon API Gateway quotas" and "Lambda quotas".
ACCOUNT_REQUESTS_PER_SECOND = 10_000
ACCOUNT_BURST = 5_000
ACCOUNT_CONCURRENCY = 1_000
UNRESERVED_CONCURRENCY = 100  # which Lambda never lets a reservation take
SETTINGS = RESOURCES["Api"]["Properties"]["MethodSettings"]
ALL_METHODS = ("/*", "*")

type Method = tuple[str, str]


def methods() -> Iterator[tuple[Method, bool]]:
    """Yield each method with its path, and whether it has no authorizer."""
    for function in FOLDERS:
        for route in routes(function):
            yield (route["Method"], route["Path"]), "Auth" in route


def encoded(path: str) -> str:
    """Return *path* as MethodSettings names it: `~1` stands for each slash after the first character."""
    return "/" + path.replace("/", "~1")


def throttle(method: Method) -> tuple[float, int]:
    """Return rate and burst of a method, with the parameters' defaults."""
    by_key = {(each["ResourcePath"], each["HttpMethod"]): each for each in SETTINGS}
    setting = by_key.get((encoded(method[1]), method[0]), by_key[ALL_METHODS])
    rate, burst = setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]
    return float(defaults()[rate["Ref"]] if isinstance(rate, dict) else rate), burst


def test_each_setting_is_that_of_a_route() -> None:
    known = {(encoded(path), method) for (method, path), _ in methods()} | {ALL_METHODS}

    assert [each for each in SETTINGS if (each["ResourcePath"], each["HttpMethod"]) not in known] == []


def test_all_methods_together_stay_below_the_accounts_limit() -> None:
    assert sum(throttle(method)[0] for method, _ in methods()) <= ACCOUNT_REQUESTS_PER_SECOND


def test_methods_without_an_authorizer_leave_half_of_the_limit() -> None:
    public = sum(throttle(method)[0] for method, is_public in methods() if is_public)

    assert 2 * public <= ACCOUNT_REQUESTS_PER_SECOND


def test_one_organization_of_any_tier_passes_a_method() -> None:
    largest = max(quotas.api_requests_per_minute for quotas in QUOTAS.values()) / 60

    assert min(throttle(method)[0] for method, _ in methods()) >= largest


@pytest.mark.parametrize("method", [method for method, _ in methods()])
def test_burst_of_a_method_stays_below_the_accounts_burst(method: Method) -> None:
    rate, burst = throttle(method)

    assert rate <= 2 * burst
    assert burst <= ACCOUNT_BURST


def test_metrics_per_method_are_off() -> None:
    """They are billed for each method."""
    assert [each for each in SETTINGS if each.get("MetricsEnabled")] == []


def test_ingest_has_a_concurrency_that_leaves_some_for_the_authorizer() -> None:
    limited = RESOURCES["Ingest"]["Properties"]["ReservedConcurrentExecutions"]
    with (ROOT / "samconfig.toml").open("rb") as file:
        overrides = tomllib.load(file)["production"]["deploy"]["parameters"]["parameter_overrides"]
    production = dict(each.split("=") for each in overrides.split())

    reserved = int(production["IngestConcurrency"])

    assert limited["Fn::If"][1] == {"Ref": "IngestConcurrency"}
    assert 0 < reserved <= (ACCOUNT_CONCURRENCY - UNRESERVED_CONCURRENCY) / 2
    assert TEMPLATE["Parameters"]["IngestConcurrency"]["Default"] == 0
