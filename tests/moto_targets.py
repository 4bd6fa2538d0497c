"""API Gateway and SES inside moto, without HTTP, for the organizations that tests start with.

Nearly every test provisions one, and the requests for its gateway key and its mail would cost most of the time of its
fixtures. The tests of provisioning and of the stores send these requests.
"""

from dataclasses import replace
from typing import Final, override
from uuid import UUID

from moto.apigateway.models import apigateway_backends
from moto.sesv2.models import sesv2_backends
from moto.ssm.models import ssm_backends

from tenancy.rules.mails import Mail
from tenancy.rules.usage_plans import UsagePlan
from tenancy.stores.aws.gateway_keys import STACK_TAG, GatewayKeys
from tenancy.stores.aws.mail import Mailer
from tenancy.use_cases.outbox.run_entries import OutboxTargets

ACCOUNT: Final = "123456789012"  # moto's default


class MotoGatewayKeys(GatewayKeys):
    """Gateway keys that are put into moto's state."""

    @override
    def put_key(self, organization_id: UUID, value: str, plan: UsagePlan) -> None:
        backend = apigateway_backends[ACCOUNT][self._region]
        new = {"name": value, "value": value, "enabled": True, "tags": {STACK_TAG: self._plans_path}}
        key = next(iter(backend.get_api_keys(value)), None) or backend.create_api_key(new)
        parameter = ssm_backends[ACCOUNT][self._region].get_parameter(f"{self._plans_path}/{plan.value}")
        assert parameter is not None, plan
        backend.create_usage_plan_key(parameter.value, {"keyId": key.id, "keyType": "API_KEY"})


class MotoMailer(Mailer):
    """Mail that is put into moto's state."""

    @override
    def send(self, organization_id: UUID, mail: Mail) -> None:
        backend = sesv2_backends[ACCOUNT][self._region]
        backend.send_email(self._sender, {"ToAddresses": [mail.to]}, mail.subject, mail.text)


def inside_moto(targets: OutboxTargets) -> OutboxTargets:
    """Return *targets* whose keys and mails reach moto without a request."""
    keys, mailer = targets.gateway_keys, targets.mailer
    return replace(
        targets,
        gateway_keys=keys and MotoGatewayKeys(keys._region, keys._plans_path),
        mailer=mailer and MotoMailer(mailer._region, mailer._sender),
    )
