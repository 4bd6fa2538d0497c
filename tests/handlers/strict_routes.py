"""The routes that refuse unknown members, each with a sample request of a permitted caller."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from scripts.openapi.routes import WELL_KNOWN
from tenancy.gateway.resolver import known_query
from tenancy.rules.resolution import ORGANIZATION_MEMBER
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import ROOT, member_of, tenant_of
from tests.handlers.functions import Function
from tests.handlers.requests import OPERATOR, Event, called_by, sample
from tests.template.template import FOLDERS, routes
from tests.template.test_routes import PUBLIC

OF_OPERATORS = "/organizations"
OF_THE_PLATFORM = ("/compliance", "/platform-keys")  # and of no organization
OWN_ORGANIZATION = "/organizations/current"
STRICT_WITHOUT_CREDENTIAL = frozenset(
    {
        "/health",
        "/openapi.json",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/auth/token",
        "/auth/refresh",
        "/auth/logout",
        "/auth/sso/metadata",
        "/auth/sso/token",
        "/auth/password-reset",
        "/auth/password-reset/confirm",
        "/users/accept",
        "/branding",
        "/branding/images/{organization_id}/{digest}",
    }
)
OF_MEMBERS = frozenset({"/me", "/auth/logout-all"})
BATCH_MODE = "application/cloudevents-batch+json"
STRUCTURED_MODE = "application/cloudevents+json"
SAMPLE_ID = "0193f6a2-5c1e-4b7a-9d44-3f8a1c2e7b10"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrictRoute:
    """A route with the first sample request of it."""

    function: str
    method: str
    path: str
    sample: Event

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def request(self, acme: Provisioned) -> Event:
        """Return the sample as a request for acme, of the operator or of acme's secret key."""
        own = str(acme.organization.id)
        parameters = {**(self.sample["pathParameters"] or {})}
        if ORGANIZATION_MEMBER in parameters:
            parameters[ORGANIZATION_MEMBER] = own
        request = {
            **self.sample,
            "path": self.sample["path"].replace(SAMPLE_ID, own),
            "pathParameters": parameters or None,
        }
        if self.path in OF_MEMBERS:
            return called_by(request, member_of(acme))
        return called_by(request, OPERATOR if self.is_of_operators() else tenant_of(acme))

    def is_of_operators(self) -> bool:
        """Whether an operator calls the route."""
        return self.path.startswith((OF_OPERATORS, *OF_THE_PLATFORM)) and self.path != OWN_ORGANIZATION

    @property
    def takes_any_member(self) -> bool:
        """Whether unknown members of the body are allowed: the extensions of a CloudEvent."""
        return bool(self.sample["headers"].get("Content-Type") == STRUCTURED_MODE)

    def takes_organization(self) -> bool:
        """Whether a request may name acme in its query and body.

        The list, provisioning, platform keys and the platform's report have no organization.
        """
        return self.path != OF_OPERATORS and not self.path.startswith(OF_THE_PLATFORM)

    def dependant(self, function: Function) -> Any:  # noqa: ANN401 - of Powertools
        """Return the parameters of the route, or None if the function has no resolver."""
        app = getattr(function.app, "app", None)
        if app is None or self.path.startswith(WELL_KNOWN):
            return None
        spelled = self.path.replace("{", "<").replace("}", ">")
        [route] = [
            each
            for each in app._static_routes + app._dynamic_routes
            if (each.method, each.path) in {((self.method,), spelled), (self.method, spelled)}
        ]
        return route.dependant

    def query_members(self, function: Function) -> list[str]:
        dependant = self.dependant(function)
        known = known_query(dependant.query_params) if dependant else frozenset()
        return sorted({*known, *([ORGANIZATION_MEMBER] if self.takes_organization() else [])})

    def body_model(self, function: Function) -> type[BaseModel] | None:
        dependant = self.dependant(function)
        if dependant is None or not dependant.body_params:
            return None
        annotation = dependant.body_params[0].field_info.annotation
        models: list[type[BaseModel]] = [
            each
            for each in (annotation, *get_args(annotation))
            if isinstance(each, type) and issubclass(each, BaseModel)
        ]
        return models[0]


def sampled_query_members() -> set[tuple[str, str]]:
    """Return route and name of each query member in the samples."""
    samples = (sample(file.parent.name, file.stem) for file in (ROOT / "events").glob("*/*.json"))
    requests = [each for each in samples if isinstance(each, dict) and "httpMethod" in each]
    return {
        (f"{each['httpMethod']} {each['resource']}", name)
        for each in requests
        for name in each["queryStringParameters"] or ()
    }


def strict_routes() -> Iterator[StrictRoute]:
    """Yield each route except those of Segment SDKs.

    The sample of a CloudEvent is in structured mode.

    Raises:
        KeyError: a route has no sample in events/.
    """
    for function in FOLDERS:
        samples: dict[tuple[str, str], Event] = {}
        for file in sorted((ROOT / "events" / function).glob("*.json")):
            event = sample(function, file.stem)
            if isinstance(event, dict) and "httpMethod" in event and not _is_in_batch_mode(event):
                samples.setdefault((event["httpMethod"], event["resource"]), event)
        for route in routes(function):
            method, path = route["Method"], route["Path"]
            if method != "OPTIONS" and (path in STRICT_WITHOUT_CREDENTIAL or not PUBLIC.fullmatch(path)):
                yield StrictRoute(function=function, method=method, path=path, sample=samples[method, path])


def _is_in_batch_mode(event: Event) -> bool:
    return bool(event["headers"].get("Content-Type") == BATCH_MODE)


def with_query_values(request: Event, values: Mapping[str, list[str]]) -> Event:
    """Send all *values*, as API Gateway hands them over."""
    return {
        **request,
        "queryStringParameters": {name: many[-1] for name, many in values.items()} or None,
        "multiValueQueryStringParameters": dict(values) or None,
    }
