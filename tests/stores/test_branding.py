"""Rows of brandings: who may delete them."""

import pytest
from psycopg.errors import InsufficientPrivilege

from tenancy.rules.branding.branding import ImageSlot
from tenancy.stores.postgres.branding import delete_image, find_branding
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import NOW, Databases
from tests.use_cases.privacy_jobs import store_branding

DELETE_BRANDING = "DELETE FROM tenant_branding"
DELETE_IMAGES = "DELETE FROM branding_images"


@pytest.mark.parametrize("statement", [DELETE_BRANDING, DELETE_IMAGES])
def test_branding_of_a_live_organization_is_not_deleted(
    databases: Databases, acme: Provisioned, statement: str
) -> None:
    store_branding(databases, acme)

    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        deleted = conn.execute(statement.encode()).rowcount

    assert deleted == 0


def test_removed_image_is_deleted_alone(databases: Databases, acme: Provisioned, globex: Provisioned) -> None:
    store_branding(databases, acme)
    store_branding(databases, globex)

    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        delete_image(conn, acme.organization.id, ImageSlot.LOGO, now=NOW)

    with databases.platform.tenant_transaction(globex.organization.id) as conn:
        assert list(find_branding(conn, globex.organization.id).images) == [ImageSlot.LOGO]
    with databases.platform.tenant_transaction(acme.organization.id) as conn:
        assert find_branding(conn, acme.organization.id).images == {}


@pytest.mark.parametrize("statement", [DELETE_BRANDING, DELETE_IMAGES])
def test_functions_of_tenants_only_read(databases: Databases, acme: Provisioned, statement: str) -> None:
    store_branding(databases, acme)

    with (
        pytest.raises(InsufficientPrivilege),
        databases.functions.tenant_transaction(acme.organization.id) as conn,
    ):
        conn.execute(statement.encode())
