"""Each route that shows events, or links to files with events, records its reads by keys."""

import ast

import pytest

from tests.template.app_source import routed
from tests.template.template import FOLDERS

# Each route with the first permission shows events. With the second one, only the reads do.
SHOWING, READS_SHOWING = "for_tenants(EVENTS_READ)", "for_tenants(EXPORTS_WRITE)"


def decorators(node: ast.FunctionDef) -> set[str]:
    return {ast.unparse(each) for each in node.decorator_list}


def shows_events(node: ast.FunctionDef) -> bool:
    found = decorators(node)
    is_read = any(each.startswith("app.get(") for each in found)
    return SHOWING in found or (READS_SHOWING in found and is_read)


SHOWING_ROUTES = [node for function in FOLDERS for node in routed(function) if shows_events(node)]


def test_routes_that_show_events_are_found() -> None:
    assert {"list_exports", "show_export"} <= {node.name for node in SHOWING_ROUTES}


@pytest.mark.parametrize("route", SHOWING_ROUTES, ids=lambda route: route.name)
def test_route_that_shows_events_is_recorded(route: ast.FunctionDef) -> None:
    assert "recorded" in decorators(route)
