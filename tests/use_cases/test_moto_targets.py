"""Organizations of fixtures have the gateway keys and mails that requests would give them."""

from datetime import UTC, datetime

from moto.apigateway.models import apigateway_backends
from moto.ses.models import ses_backends

from tenancy.rules.tiers import Tier
from tenancy.use_cases.organizations.provision import Provisioned, provision_organization
from tenancy.use_cases.outbox.run_entries import OutboxTargets, run_due_entries
from tests.given import OPERATOR, REGION, AwsAccount, Databases, new_organization
from tests.moto_targets import ACCOUNT

VARYING = {"id", "name", "value", "createdDate", "lastUpdatedDate"}


def shown(provisioned: Provisioned, text: object) -> str:
    """Return *text* without the id and the name of an organization."""
    organization = provisioned.organization
    for own in (str(organization.id), organization.subdomain, organization.name):
        text = str(text).replace(own, "…")
    return str(text)


def keys_of(provisioned: Provisioned, aws: AwsAccount) -> list[dict[str, str]]:
    """Return the keys of an organization in moto, each with its values in the usage plan."""
    backend = apigateway_backends[ACCOUNT][REGION]
    in_plan = backend.usage_plan_keys[aws.plan_ids["starter"]]
    own = [key for key in backend.get_api_keys() if str(provisioned.organization.id) in key.value]
    members = [{**key.to_json(), "in plan": in_plan[key.id].value == key.value} for key in own]
    return [{name: shown(provisioned, value) for name, value in key.items() if name not in VARYING} for key in members]


def mails_to(provisioned: Provisioned) -> list[str]:
    sent = ses_backends[ACCOUNT][REGION].sent_messages
    own = [mail for mail in sent if mail.destinations["ToAddresses"] == [provisioned.admin_email]]
    return [shown(provisioned, (mail.source, mail.destinations, mail.subject, mail.body)) for mail in own]


def test_fixture_makes_what_requests_make(
    databases: Databases, targets: OutboxTargets, aws: AwsAccount, acme: Provisioned
) -> None:
    new, now = new_organization("globex", Tier.STARTER), datetime.now(UTC)
    globex = provision_organization(databases.platform, targets, new, OPERATOR, now=now)
    run_due_entries(databases.platform, targets, now=datetime.now(UTC))

    assert len(keys_of(acme, aws)) == len(mails_to(acme)) == 1
    assert keys_of(acme, aws) == keys_of(globex, aws)
    assert mails_to(acme) == mails_to(globex)
