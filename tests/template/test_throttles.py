"""Throttles: all methods together stay below an account's limits, and each lets its callers pass."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache

import pytest

from tenancy.rules.durations import PREFLIGHT_MAX_AGE_SECONDS
from tenancy.rules.tiers import PLATFORM_REQUESTS_PER_MINUTE, QUOTAS, RATE_LIMIT_WINDOW_SECONDS, Tier
from tests.given import ROOT
from tests.members import for_each
from tests.template.app_source import operator_routes, resolver_routes
from tests.template.template import FOLDERS, RESOURCES, TEMPLATE
from tests.template.transformed import defaults, transformed_of

# Defaults of an AWS account in a region: "Amazon API Gateway quotas" and "Lambda quotas".
ACCOUNT_REQUESTS_PER_SECOND = 10_000
ACCOUNT_BURST = 5_000
ACCOUNT_CONCURRENCY = 1_000
UNRESERVED_CONCURRENCY = 100  # which Lambda never lets a reservation take
ORGANIZATIONS = 2  # of the largest tier, at their full rate limit, on one method
FURTHER_PATHS = 20  # fewer left: lower a rate, or raise the account's limit, before the last one is used
CALLS_PER_PREFLIGHT = 7  # of a browser on one path within the two hours for which it keeps a preflight
API = RESOURCES["Api"]["Properties"]
RETRY_AFTER_SECONDS = int(
    API["GatewayResponses"]["THROTTLED"]["ResponseParameters"]["Headers"]["Retry-After"].strip("'")
)
FIRST_VISITS_PER_SECOND = 5
FILES_OF_A_VISIT = 6  # a page, the linked modules, styles, icon, the module of the page, the chart
VERBS = {"get", "post", "put", "patch", "delete", "options", "head", "x-amazon-apigateway-any-method"}
ALL_METHODS = ("/*", "*")

type Method = tuple[str, str]


@cache
def methods() -> dict[Method, str]:
    """Return the target of each method, by its name and path, as the transform makes them."""
    [api] = transformed_of("AWS::ApiGateway::RestApi").values()
    paths = api["Properties"]["Body"]["paths"]
    return {
        (name.upper(), path): str(method.get("x-amazon-apigateway-integration", {}).get("uri"))
        for path, item in paths.items()
        for name, method in item.items()
        if name in VERBS
    }


@cache
def settings() -> dict[Method, dict[str, object]]:
    """Return the settings of methods by their encoded path and their name."""
    [stage] = transformed_of("AWS::ApiGateway::Stage").values()
    return {(each["ResourcePath"], each["HttpMethod"]): each for each in stage["Properties"]["MethodSettings"]}


def paths() -> list[str]:
    return sorted({path for _, path in methods()})


def methods_for_write_keys() -> set[Method]:
    targets = methods().items()
    return {method for method, target in targets if "${IngestAliaslive}" in target and method[0] != "OPTIONS"}


def methods_of_any_tier() -> list[Method]:
    others = RARE | methods_for_write_keys()
    return [method for method in methods() if method not in others and method[0] != "OPTIONS"]


FILES = {("GET", "/console/{file}")}
DOCUMENTS = {  # clients and caches keep them
    ("GET", "/console"),
    ("GET", "/openapi.json"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/branding"),
    ("GET", "/branding/images/{organization_id}/{digest}"),
}
LOG_IN_BY_SSO = {route for route in resolver_routes("sso") if route[1].startswith("/auth/")}
FOR_PEOPLE = (resolver_routes("identity") | LOG_IN_BY_SSO) - DOCUMENTS
OWN_REPORT = ("GET", "/organizations/{organization_id}/compliance/report")
MANAGING = ("branding", "compliance", "domains", "keys", "members", "sso")
FOR_ADMINISTRATORS = (
    {OWN_REPORT, *(route for function in MANAGING for route in resolver_routes(function))} - FOR_PEOPLE - DOCUMENTS
)
FOR_OPERATORS = {route for function in FOLDERS for route in operator_routes(function)} - FOR_ADMINISTRATORS
FOR_MONITORS = {("GET", "/health")}
RARE = FOR_PEOPLE | FOR_ADMINISTRATORS | FOR_OPERATORS | FOR_MONITORS | DOCUMENTS | FILES
LARGEST_TIER = QUOTAS[Tier.ENTERPRISE]


def encoded(path: str) -> str:
    """Return *path* as MethodSettings names it: `~1` stands for each slash after the first character."""
    return "/" + path.replace("/", "~1")


def number(value: object) -> float:
    """Return a value of the transformed template, with the parameters' defaults."""
    return float(defaults()[value["Ref"]] if isinstance(value, dict) else str(value))


def throttle(method: Method) -> tuple[float, float]:
    """Return rate and burst of a method."""
    setting = settings().get((encoded(method[1]), method[0]), settings()[ALL_METHODS])
    return number(setting["ThrottlingRateLimit"]), number(setting["ThrottlingBurstLimit"])


def methods_of(path: str) -> Iterator[Method]:
    return (method for method in methods() if method[1] == path and method[0] != "OPTIONS")


def test_methods_are_those_of_the_functions() -> None:
    registered = {route for function in FOLDERS for route in resolver_routes(function)}

    assert FOR_OPERATORS < registered < set(methods())


def test_each_setting_is_that_of_a_method() -> None:
    known = {(encoded(path), method) for method, path in methods()} | {ALL_METHODS}

    assert set(settings()) <= known


def test_all_methods_together_stay_below_the_accounts_limit() -> None:
    """So a flood of some methods, also of those without an authorizer, leaves the others their rates."""
    assert sum(throttle(method)[0] for method in methods()) <= ACCOUNT_REQUESTS_PER_SECOND


def test_bursts_together_pass_within_the_time_of_a_retry() -> None:
    """All bursts together exceed that of the account. The excess is refused and sent again at the account's rate."""
    over = sum(throttle(method)[1] for method in methods()) - ACCOUNT_BURST

    assert over / ACCOUNT_REQUESTS_PER_SECOND <= RETRY_AFTER_SECONDS


@for_each("method", methods, ids=" ".join)
def test_burst_of_a_method_is_one_second_of_its_rate(method: Method) -> None:
    rate, burst = throttle(method)

    assert rate == burst <= ACCOUNT_BURST


@for_each("path", paths)
def test_preflight_has_the_rate_of_its_kind_of_route(path: str) -> None:
    is_public = any(method in methods_for_write_keys() for method in methods_of(path))
    parameter = "PublicPreflightRequestsPerSecond" if is_public else "PreflightRequestsPerSecond"

    assert throttle(("OPTIONS", path))[0] == defaults()[parameter]


@for_each("method", methods_for_write_keys, ids=" ".join)
def test_preflights_of_browsers_pass_beside_their_calls(method: Method) -> None:
    """A browser sends a preflight for each path, and keeps its answer for two hours."""
    calls = LARGEST_TIER.ingest_requests_per_minute / RATE_LIMIT_WINDOW_SECONDS

    assert PREFLIGHT_MAX_AGE_SECONDS == 2 * 60 * 60
    assert throttle(("OPTIONS", method[1]))[0] >= calls / CALLS_PER_PREFLIGHT


@for_each("method", methods_of_any_tier, ids=" ".join)
def test_several_organizations_of_any_tier_pass_a_method(method: Method) -> None:
    assert throttle(method)[0] >= ORGANIZATIONS * LARGEST_TIER.api_requests_per_minute / RATE_LIMIT_WINDOW_SECONDS


@for_each("method", methods_for_write_keys, ids=" ".join)
def test_organization_of_any_tier_passes_a_method_of_ingest(method: Method) -> None:
    assert throttle(method)[0] >= LARGEST_TIER.ingest_requests_per_minute / RATE_LIMIT_WINDOW_SECONDS


def test_organizations_of_any_tier_pass_events_with_all_keys() -> None:
    """POST /v1/events takes secret keys, too."""
    requests = LARGEST_TIER.api_requests_per_minute + LARGEST_TIER.ingest_requests_per_minute

    assert throttle(("POST", "/events"))[0] >= ORGANIZATIONS * requests / RATE_LIMIT_WINDOW_SECONDS


@pytest.mark.parametrize("method", sorted(FOR_OPERATORS | FOR_MONITORS), ids=" ".join)
def test_operators_method_passes_a_platform_key(method: Method) -> None:
    assert throttle(method)[0] == PLATFORM_REQUESTS_PER_MINUTE / RATE_LIMIT_WINDOW_SECONDS


@for_each("method", sorted(FOR_PEOPLE), ids=" ".join)
def test_method_of_log_in_and_the_caller_has_their_rate(method: Method) -> None:
    assert throttle(method)[0] == defaults()["PeopleRequestsPerSecond"]


@for_each("method", sorted(FOR_ADMINISTRATORS), ids=" ".join)
def test_method_of_administrators_has_their_rate(method: Method) -> None:
    assert throttle(method)[0] == defaults()["AdministrationRequestsPerSecond"]


def test_further_routes_of_administrators_fit_the_accounts_limit() -> None:
    """A new path has a method and a preflight."""
    left = ACCOUNT_REQUESTS_PER_SECOND - sum(throttle(method)[0] for method in methods())
    path = defaults()["AdministrationRequestsPerSecond"] + defaults()["PreflightRequestsPerSecond"]

    assert left / path >= FURTHER_PATHS


@pytest.mark.parametrize("document", sorted(DOCUMENTS), ids=" ".join)
def test_document_has_a_rate_of_its_own(document: Method) -> None:
    assert throttle(document)[0] == defaults()["DocumentRequestsPerSecond"]


def test_first_visits_pass_the_files_of_the_console() -> None:
    [(rate, _)] = {throttle(file) for file in FILES}

    assert rate == defaults()["ConsoleRequestsPerSecond"] >= FIRST_VISITS_PER_SECOND * FILES_OF_A_VISIT


def test_documented_throttles_are_the_defaults() -> None:
    documented = re.findall(
        r"^\| `(\w*RequestsPerSecond)` \| ([\d,]+) \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )

    assert {name: int(value.replace(",", "")) for name, value in documented} == {
        name: default for name, default in defaults().items() if name.endswith("RequestsPerSecond")
    }


def test_metrics_per_method_are_off() -> None:
    """They are billed for each method."""
    assert [each for each in settings().values() if each.get("MetricsEnabled")] == []


def test_ingest_has_a_concurrency_that_leaves_some_for_the_authorizer() -> None:
    limited = RESOURCES["Ingest"]["Properties"]["ReservedConcurrentExecutions"]
    with (ROOT / "samconfig.toml").open("rb") as file:
        overrides = tomllib.load(file)["production"]["deploy"]["parameters"]["parameter_overrides"]
    production = dict(each.split("=") for each in overrides.split())

    reserved = int(production["IngestConcurrency"])

    assert limited["Fn::If"][1] == {"Ref": "IngestConcurrency"}
    assert 0 < reserved <= (ACCOUNT_CONCURRENCY - UNRESERVED_CONCURRENCY) / 2
    assert TEMPLATE["Parameters"]["IngestConcurrency"]["Default"] == 0
