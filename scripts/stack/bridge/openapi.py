"""The parts of an OpenAPI body that MiniStack leaves out when it creates a REST API.

SAM writes all of an API into ``AWS::ApiGateway::RestApi.Body``. MiniStack imports paths, methods, authorizers and the
address of each integration. This module adds ``x-amazon-apigateway-any-method``, gateway responses,
``ApiKeySourceType``, and the slash in ``BinaryMediaTypes`` (``*~1*`` is ``*/*``). Still missing are templates and
responses of integrations: a mock answers ``{}``. Delete it part by part as ``_import_rest_api`` and
``_apigw_rest_api_create`` learn them.
"""

# ruff: noqa: ANN401, SLF001 - MiniStack has no types and no other way in

from typing import Any

from ministack.services import apigateway_v1 as gateway
from ministack.services.cloudformation import provisioners

_ANY = "x-amazon-apigateway-any-method"
_GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"


def install() -> None:
    """Replace the creation of a REST API from a template."""
    create = provisioners._apigw_rest_api_create

    def create_rest_api(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        created = create(logical_id, _readable(props), stack_name)
        _complete(created[0], props)
        return created

    gateway._OPENAPI_HTTP_METHODS.add("any")
    provisioners._apigw_rest_api_create = create_rest_api
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["create"] = create_rest_api


def _readable(props: dict[str, Any]) -> dict[str, Any]:
    """Return the properties in the spelling that MiniStack understands."""
    media_types = [media_type.replace("~1", "/") for media_type in props.get("BinaryMediaTypes") or []]
    readable = {**props, "BinaryMediaTypes": media_types}
    if isinstance(props.get("Body"), dict):
        paths = {
            path: {"any" if method == _ANY else method: operation for method, operation in item.items()}
            for path, item in (props["Body"].get("paths") or {}).items()
        }
        readable["Body"] = {**props["Body"], "paths": paths}
    return readable


def _complete(api_id: str, props: dict[str, Any]) -> None:
    gateway._rest_apis[api_id]["apiKeySource"] = props.get("ApiKeySourceType") or "HEADER"
    body = props.get("Body")
    responses = body.get(_GATEWAY_RESPONSES) if isinstance(body, dict) else None
    for response_type, response in (responses or {}).items():
        gateway._put_gateway_response(api_id, response_type, response)
