"""Measures the processor time of functions, without that of the test's own gateway."""

import time
from collections.abc import Mapping
from typing import Any

from tests.handlers.functions import Function
from tests.isolation.proof.attack.calls import Call, find_successful_call, request_for
from tests.isolation.proof.attack.gateway import GatewayRequest, LocalGateway
from tests.isolation.proof.discovery.deployment import Route
from tests.isolation.proof.proof_data import Credential, ProofData

# The fastest attempt counts, because a pause of the machine is no cost of the input. An input that seems too expensive
# is tried more often.
ATTEMPTS, ATTEMPTS_OF_EXPENSIVE = 3, 20


class MeteredFunction(Function):
    """A function that adds its processor time to *spent*, a list."""

    def __init__(self, function: Function, spent: list[float]) -> None:
        super().__init__(function.caller, function.app)
        self._spent = spent

    def respond(self, event: Mapping[str, Any]) -> dict[str, Any]:
        started = time.process_time()
        try:
            return super().respond(event)
        finally:
            self._spent.append(time.process_time() - started)


class CostMeter:
    """Sends requests to *gateway*, whose functions add their processor time to *spent*."""

    def __init__(self, gateway: LocalGateway, data: ProofData, spent: list[float]) -> None:
        self.gateway = gateway
        self.data = data
        self._spent = spent
        self.plain_costs: dict[object, float] = {}
        self.statuses: set[int] = set()

    def plain_cost(self, request: GatewayRequest) -> float:
        """Return the processor time of *request*, which must be admitted, because a refusal is cheap."""
        self.statuses.clear()
        cost = self.cost(request)
        assert self.statuses.isdisjoint({401, 403, 413, 429}), f"{request.route.name}: {self.statuses}"
        return cost

    def cost(self, request: GatewayRequest, *, at_most: float = 0.0) -> float:
        """Return the processor time of *request* in seconds, the least of several attempts.

        The first attempt that takes no more than *at_most* ends the measurement.
        """
        costs = []
        for _ in range(ATTEMPTS_OF_EXPENSIVE if at_most else ATTEMPTS):
            self._spent.clear()
            self.statuses.add(self.gateway.send(request).status)
            costs.append(sum(self._spent))
            if costs[-1] <= at_most:
                break
        return min(costs)

    def permitted(self, route: Route) -> tuple[Call, Credential, GatewayRequest]:
        """Return a call of *route* that succeeds, its credential and its request."""
        own = self.data.organizations[0]
        found = find_successful_call(self.gateway, route, self._credentials(), own)
        assert found is not None, f"No credential can call {route.name}."
        call, credential = found
        return call, credential, request_for(call, credential, own)

    def refused(self, call: Call) -> GatewayRequest | None:
        """Return a request of *call* by a valid credential without the right, None if every one has it."""
        for credential in self._credentials():
            request = request_for(call, credential, self.data.organizations[0])
            self.gateway.state.restore_rows()  # else a repeated deletion is 404 for a credential that has the right
            if credential.is_valid and request.has_authorization and self.gateway.send(request).status in {403, 404}:
                return request
        return None

    def _credentials(self) -> tuple[Credential, ...]:
        own = self.data.organizations[0]
        return (*self.data.credentials_of(own.organization_id), *self.data.credentials_of(None))
