from tenancy.use_cases.provision import Provisioned
from tests.given import Databases


def test_x(acme: Provisioned, globex: Provisioned, databases: Databases) -> None:
    with databases.functions.tenant_transaction(acme.organization.id) as conn:
        assert conn.execute("select subdomain from organizations").fetchall() == [("acme",)]
        assert conn.execute("select email from users").fetchall() == [("admin@acme.example",)]
