"""API Gateway in this process: a request passes the real authorizer, then the real function."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tenancy.rules.organization import OrganizationStatus
from tests.handlers.functions import Function, Start
from tests.isolation.proof.attack.state import DeploymentState
from tests.isolation.proof.discovery.deployment import PATH_PARAMETER, Route, discover_routes, environment_of
from tests.isolation.proof.leaks.answers import AnswerInspector

AUTHORIZER = "authorizer"
REQUEST_ID = "c6af9ac6-7b61-4d3a-9f0c-1d2e3f4a5b00"
METHOD_ARN = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/v1"
SOURCE_ADDRESS = "203.0.113.10"
AUTHORIZER_FAILED = 503  # as the template's AUTHORIZER_FAILURE response says
DELETE_ORGANIZATION = "DELETE /organizations/{organization_id}"
LOG_OUT_EVERYWHERE = "POST /auth/logout-all"
OF_SAML = ("POST /auth/sso/acs",)
OF_SSO = ("/auth/sso/", "/sso")  # their calls use states up, and replace the connection
OF_SESSIONS = ("/auth/", "/users", "/organizations/{organization_id}/users")  # their calls raise epochs

type Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRequest:
    """One request of a client, whose headers and query may contain a name twice.

    *base_path* is that of a custom domain of API Gateway, and empty for the stage.
    """

    route: Route
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Pairs = ()
    query: Pairs = ()
    body: bytes = b""
    has_trailing_slash: bool = False
    base_path: str = ""

    @property
    def has_authorization(self) -> bool:
        return "authorization" in {name.lower() for name, _ in self.headers}

    @property
    def path(self) -> str:
        """The path as the client sends it, without the stage."""
        path = PATH_PARAMETER.sub(
            lambda found: quote(self.parameters[found[1]], safe="", errors="surrogatepass"), self.route.path
        )
        return f"{path}/" if self.has_trailing_slash else path


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayResponse:
    """The response to the client.

    *gateway_key* is the key whose usage plan the request counts against.
    """

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: str
    gateway_key: str = ""

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 400

    @property
    def is_fault(self) -> bool:
        return self.status >= 500

    @property
    def text(self) -> str:
        return "\n".join([*(f"{name}: {value}" for name, value in sorted(self.headers.items())), self.body])


class LocalGateway:
    """Serves the routes of the template. Every function is loaded once and stays warm."""

    def __init__(self, start: Start, resources: Mapping[str, str], state: DeploymentState) -> None:
        """Load the functions with *resources*, to which the template's variables refer."""
        self.state = state
        self.answers = AnswerInspector()
        self.routes = discover_routes()
        self._functions: dict[str, Function] = {
            name: start(name, **environment_of(name, resources))
            for name in sorted({AUTHORIZER, *(route.function for route in self.routes)})
        }

    def send(self, request: GatewayRequest) -> GatewayResponse:
        """Answer as API Gateway does, with rate limits that count from zero for each request."""
        self.state.reset_rate_limits()
        event = _event(request)
        gateway_key = ""
        if request.route.has_authorizer:
            if not request.has_authorization:
                return _gateway_response(401)
            try:
                policy = self._authorize(event)
            except Exception as error:  # noqa: BLE001 - API Gateway reads nothing but the message
                return _gateway_response(401 if str(error) == "Unauthorized" else AUTHORIZER_FAILED)
            context = {name: str(value) for name, value in policy["context"].items()}
            event["requestContext"]["authorizer"] = {**context, "principalId": policy["principalId"]}
            gateway_key = policy["usageIdentifierKey"]
        if request.route.name in OF_SAML:
            self.state.connect_saml()
        response = _response(self._functions[request.route.function].respond(event), gateway_key)
        self._check_secrets(request, response)
        if response.is_success and request.route.name == DELETE_ORGANIZATION:
            self.state.set_status(OrganizationStatus.ACTIVE)  # a deleted organization could attempt nothing else
        if request.route.path.startswith(OF_SSO):
            self.state.restore_sso()
        if request.route.path.startswith(OF_SESSIONS):
            self.state.restore_sessions(has_revoked=request.route.name == LOG_OUT_EVERYWHERE)
        return response

    def _check_secrets(self, request: GatewayRequest, response: GatewayResponse) -> None:
        self.answers.check(
            request.route.name,
            response.text,
            is_success=response.is_success,
            is_repeatable="idempotency-key" in {name.lower() for name, _ in request.headers},
            path=request.parameters.values(),
        )

    def _authorize(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return self._functions[AUTHORIZER]({**event, "type": "REQUEST", "methodArn": f"{METHOD_ARN}/GET/x"})


def _event(request: GatewayRequest) -> dict[str, Any]:
    headers, query = _grouped(request.headers), _grouped(request.query)
    return {
        "resource": request.route.path,
        "path": f"{request.base_path}{request.path}",
        "httpMethod": request.route.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": dict(request.parameters) or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": REQUEST_ID,
            "path": f"/v1{request.path}",
            "resourcePath": request.route.path,
            "httpMethod": request.route.method,
            "stage": "v1",
            "domainName": next((values[-1] for name, values in headers.items() if name.lower() == "host"), ""),
            "identity": {"sourceIp": SOURCE_ADDRESS},
        },
        "body": base64.b64encode(request.body).decode() if request.body else None,
        "isBase64Encoded": bool(request.body),
    }


def _grouped(pairs: Pairs) -> dict[str, list[str]]:
    """Group *pairs* by name without regard to case, under the first spelling."""
    spelling: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
    return values


def _response(result: Mapping[str, Any], gateway_key: str) -> GatewayResponse:
    headers = {name.lower(): value for name, value in (result.get("headers") or {}).items()}
    headers |= {name.lower(): values[-1] for name, values in (result.get("multiValueHeaders") or {}).items()}
    body = result.get("body") or ""
    if result.get("isBase64Encoded"):
        body = base64.b64decode(body).decode(errors="replace")
    return GatewayResponse(status=int(result["statusCode"]), headers=headers, body=body, gateway_key=gateway_key)


def _gateway_response(status: int) -> GatewayResponse:
    """Return a response of API Gateway itself.

    The template's GatewayResponses repeat nothing of the request.
    """
    return GatewayResponse(status=status, headers={}, body=json.dumps({"status": status, "request_id": REQUEST_ID}))
