"""Each body of a PATCH follows one rule: at least one member, and no null that means nothing."""

import pytest
from pydantic import BaseModel, ValidationError

from scripts.openapi.routes import find_resolver_route, list_routes
from tenancy.gateway.documents.key_bodies import OwnOrganizationChange
from tenancy.rules.partial_change import PartialChange

PATCHES = [route for route in list_routes() if route.method == "PATCH"]
NULL_HAS_A_MEANING = {OwnOrganizationChange}  # no rotation policy


def body_of(path: str) -> type[BaseModel]:
    [route] = [route for route in PATCHES if route.path == path]
    resolved = find_resolver_route(route)
    assert resolved is not None
    model = resolved.dependant.body_params[0].field_info.annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return model


@pytest.mark.parametrize("path", [route.path for route in PATCHES])
def test_body_of_a_patch_is_a_partial_change(path: str) -> None:
    model = body_of(path)

    assert issubclass(model, PartialChange) or model in NULL_HAS_A_MEANING


@pytest.mark.parametrize("path", [route.path for route in PATCHES])
def test_empty_patch_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        body_of(path).model_validate({})


@pytest.mark.parametrize("model", PartialChange.__subclasses__())
def test_null_changes_nothing_and_is_refused(model: type[PartialChange]) -> None:
    for name in model.model_fields:
        with pytest.raises(ValidationError, match="A null is not allowed"):
            model.model_validate({name: None})
