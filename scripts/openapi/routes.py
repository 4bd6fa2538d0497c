"""The routes of the template, and the functions behind them."""

import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import yaml
from aws_lambda_powertools.event_handler.api_gateway import Route as ResolverRoute

from tenancy.settings import OPTIONAL, VARIABLES

ROOT: Final = Path(__file__).resolve().parents[2]
PREFLIGHT: Final = "OPTIONS"
WELL_KNOWN: Final = "/.well-known/"  # public documents, which a function with a resolver answers without it
WITHOUT_AUTHORIZER: Final = "NONE"
OF_ADMISSION: Final = "REDIS_PATIENCE_MS"  # a variable of the functions that admit requests
# Functions read their variables when they are loaded, and connect at their first request. No server is at this address.
NOWHERE: Final = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_REGION": "eu-central-1",
    "AWS_SECRET_ACCESS_KEY": "none",
}


class _TemplateLoader(yaml.CSafeLoader):
    """Reads the template without the values of CloudFormation's functions."""


_TemplateLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedRoute:
    """A route of the template.

    *function* is the folder of its function. *is_admitted* tells that the function admits the request.
    """

    method: str
    path: str
    function: str
    has_authorizer: bool = True
    is_admitted: bool = True

    def __str__(self) -> str:
        """Return method and path, such as `GET /usage`."""
        return f"{self.method} {self.path}"


@cache
def read_template() -> dict[str, Any]:
    """Return template.yaml."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    template: dict[str, Any] = yaml.load(text, _TemplateLoader)  # noqa: S506 - a SafeLoader
    return template


def list_routes() -> list[DeployedRoute]:
    """Return the routes of the template without preflights, sorted by path and method."""
    functions = [each["Properties"] for each in read_template()["Resources"].values()]
    routes = [
        DeployedRoute(
            method=event["Properties"]["Method"],
            path=event["Properties"]["Path"],
            function=properties["CodeUri"].removeprefix("functions/"),
            has_authorizer=event["Properties"].get("Auth", {}).get("Authorizer") != WITHOUT_AUTHORIZER,
            is_admitted=OF_ADMISSION in properties.get("Environment", {}).get("Variables", {})
            and not event["Properties"]["Path"].startswith(WELL_KNOWN),
        )
        for properties in functions
        if "CodeUri" in properties
        for event in properties.get("Events", {}).values()
        if event["Type"] == "Api" and event["Properties"]["Method"] != PREFLIGHT
    ]
    return sorted(routes, key=lambda route: (route.path, route.method))


@cache
def load_function(name: str) -> ModuleType:
    """Return the module of a function, loaded without any server."""
    values = {**dict.fromkeys(set(VARIABLES) - OPTIONAL, "1"), **NOWHERE}
    before = dict(os.environ)
    module_name = f"documented_{name}"
    spec = importlib.util.spec_from_file_location(module_name, ROOT / "functions" / name / "app.py")
    if spec is None or spec.loader is None:
        raise LookupError(f"There is no function {name}.")
    module = importlib.util.module_from_spec(spec)
    try:
        os.environ.update(values)
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return module


def find_resolver_route(route: DeployedRoute) -> ResolverRoute | None:
    """Return the route in the resolver of its function, or None without one.

    Raises:
        LookupError: the resolver has no such route.
    """
    app = getattr(load_function(route.function), "app", None)
    if app is None or route.path.startswith(WELL_KNOWN):
        return None
    spelled = route.path.replace("{", "<").replace("}", ">")
    for each in (*app._static_routes, *app._dynamic_routes):  # noqa: SLF001 - Powertools has no other list of them
        if (each.method, each.path) == (route.method, spelled):
            found: ResolverRoute = each
            return found
    raise LookupError(f"The resolver of {route.function} has no route {route}.")
