"""Requests about brandings."""

import base64
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import Databases, tenant_of
from tests.handlers.functions import API_HOST, Function, superuser
from tests.handlers.requests import (
    Answer,
    Event,
    answer_of,
    called_by,
    problem_of,
    sample,
    with_body,
    with_headers,
    with_path,
    with_query,
)

IMAGE_ROUTE = "/branding/images/{organization_id}/{digest}"
API_URL = f"http://{API_HOST}/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """The branding of an organization, as its administrators and others see it."""

    function: Function
    provisioned: Provisioned

    def put(self, **members: object) -> dict[str, Any]:
        """Change the branding, and return the answer."""
        answer = answer_of(self.function(self.put_request(members)))
        assert answer.status == 200, answer.body
        return dict(answer.document)

    def refused(self, members: object, code: str = "invalid", status: int = 422) -> dict[str, Any]:
        """Return the refusal of a change."""
        request = self.put_request(members)
        return problem_of(self.function(request), request, status, code)

    def put_request(self, members: object) -> Event:
        return with_body(called_by(sample("branding", "change"), tenant_of(self.provisioned)), members)

    def stored(self) -> dict[str, Any]:
        request = called_by(sample("branding", "show_stored"), tenant_of(self.provisioned))
        answer = answer_of(self.function(request))
        assert answer.status == 200, answer.body
        return dict(answer.document)

    def shown(self) -> dict[str, Any]:
        return dict(self.ask(organization=self.provisioned.organization.subdomain).document)

    def ask(self, *, organization: str | None = None, **headers: str) -> Answer:
        """Ask for the public branding."""
        query = {} if organization is None else {"organization": organization}
        return answer_of(self.function(with_headers(with_query(sample("branding", "show"), **query), **headers)))

    def ask_with_body(self, body: object) -> Answer:
        """Return the answer of the public branding to a request with *body*."""
        return answer_of(self.function(with_body(sample("branding", "show"), body)))

    def image(self, url: str, **headers: str) -> Answer:
        """Return the answer of the URL of an image."""
        organization_id, digest = url.removeprefix(f"{API_URL}/branding/images/").split("/")
        return self.image_of(UUID(organization_id), digest, **headers)

    def image_of(self, organization_id: UUID | str, digest: str, **headers: str) -> Answer:
        path = IMAGE_ROUTE.replace("{organization_id}", str(organization_id)).replace("{digest}", digest)
        request = with_headers(with_path(sample("branding", "show_image"), path, IMAGE_ROUTE), **headers)
        request["pathParameters"] = {"organization_id": str(organization_id), "digest": digest}
        return answer_of(self.function(request))


def content_of(answer: Answer) -> bytes:
    """Return the bytes of an image, which API Gateway decodes."""
    return base64.b64decode(answer.body, validate=True)


def set_organization(databases: Databases, provisioned: Provisioned, column: str, value: str) -> None:
    statement = f"UPDATE organizations SET {column} = %s, updated_at = now() WHERE id = %s"
    with superuser(databases) as conn:
        conn.execute(statement.encode(), (value, provisioned.organization.id))
