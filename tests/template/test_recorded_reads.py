"""Each route that shows events, files with events, the audit log or its report records its reads by keys."""

import ast

import pytest

from tests.template.app_source import routed
from tests.template.template import FOLDERS

# Each route with these permissions shows events or the audit log. With the last one, only the reads do.
SHOWING = {"for_tenants(EVENTS_READ)", "for_tenants(AUDIT_READ)", "for_operators_or_own(AUDIT_READ)"}
READS_SHOWING = "for_tenants(EXPORTS_WRITE)"


def decorators(node: ast.FunctionDef) -> set[str]:
    return {ast.unparse(each) for each in node.decorator_list}


def is_to_be_recorded(node: ast.FunctionDef) -> bool:
    found = decorators(node)
    is_read = any(each.startswith("app.get(") for each in found)
    return bool(SHOWING & found) or (READS_SHOWING in found and is_read)


SHOWING_ROUTES = [node for function in FOLDERS for node in routed(function) if is_to_be_recorded(node)]


def test_routes_that_show_events_or_logs_are_found() -> None:
    assert {"list_exports", "show_export", "list_own", "verify_own", "report"} <= {node.name for node in SHOWING_ROUTES}


@pytest.mark.parametrize("route", SHOWING_ROUTES, ids=lambda route: route.name)
def test_route_that_shows_events_or_logs_is_recorded(route: ast.FunctionDef) -> None:
    assert "recorded" in decorators(route)
