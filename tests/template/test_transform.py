"""The transform of template.yaml on this machine is SAM's own, made faster."""

from copy import deepcopy
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from scripts.deploy.transform import PLACE, UPLOADED, transform
from tests.given import REGION
from tests.template.template import TEMPLATE
from tests.template.transformed import defaults

WITH_ROUTES = {"Health", "Ingest"}  # SAM alone needs seconds for the routes of all functions


def template_with_few_routes() -> dict[str, Any]:
    template = deepcopy(TEMPLATE)
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        properties.update(dict.fromkeys(set(UPLOADED) & set(properties), PLACE))
        if resource["Type"] == "AWS::Serverless::Function" and name not in WITH_ROUTES:
            properties.pop("Events", None)
    return template


def without_deployment(template: dict[str, Any]) -> dict[str, Any]:
    """Return *template* without the API's deployment.

    Its logical id is new in each transform.
    """
    [deployment] = [
        name for name, each in template["Resources"].items() if each["Type"] == "AWS::ApiGateway::Deployment"
    ]
    kept: dict[str, Any] = deepcopy(template)
    del kept["Resources"][deployment]
    assert kept["Resources"]["Apiv1Stage"]["Properties"].pop("DeploymentId") == {"Ref": deployment}
    return kept


def test_transform_equals_that_of_sam() -> None:
    template = template_with_few_routes()
    sam = Translator(None, Parser(), boto_session=boto3.Session(region_name=REGION))

    made = transform(template, region=REGION)

    assert len(made["Resources"]["Api"]["Properties"]["Body"]["paths"]) > len(WITH_ROUTES)
    assert without_deployment(made) == without_deployment(sam.translate(template, defaults()))
