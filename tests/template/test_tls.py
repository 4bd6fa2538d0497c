"""TLS of the API: endpoints take TLS 1.2 or later, with the access mode that API Gateway requires."""

import re
from pathlib import Path
from typing import Any

from tests.given import ROOT
from tests.members import for_each
from tests.template.template import TEMPLATE
from tests.template.transformed import transformed_of

# "Supported security policies" in the developer guide of API Gateway. Those that are not here take TLS 1.0, or are of
# another type of endpoint.
POLICIES = re.compile(r"SecurityPolicy_TLS13_1_[23]_\w+")
ACCESS_MODES = {"BASIC", "STRICT"}
DOCUMENTS = sorted(ROOT.glob("docs/**/*.md"))


def endpoints() -> dict[str, dict[str, Any]]:
    """Return the resources of the transformed template that take TLS connections."""
    return transformed_of("AWS::ApiGateway::RestApi") | transformed_of("AWS::ApiGateway::DomainName")


def test_api_is_an_endpoint() -> None:
    assert "Api" in endpoints()


@for_each("name", endpoints)
def test_endpoint_takes_tls_1_2_or_later(name: str) -> None:
    assert POLICIES.fullmatch(endpoints()[name]["Properties"]["SecurityPolicy"])


@for_each("name", endpoints)
def test_endpoint_has_an_access_mode(name: str) -> None:
    """API Gateway refuses a policy of this kind without one ("Endpoint access mode" in its developer guide)."""
    mode = endpoints()[name]["Properties"]["EndpointAccessMode"]

    assert mode == {"Ref": "EndpointAccessMode"}
    assert set(TEMPLATE["Parameters"]["EndpointAccessMode"]["AllowedValues"]) == ACCESS_MODES


@for_each("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_sets_the_policy_by_hand(path: Path) -> None:
    """The next deploy would fail, because CloudFormation does not know the policy."""
    assert "path=/securityPolicy" not in path.read_text()
