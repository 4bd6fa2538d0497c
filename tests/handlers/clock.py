"""A stopped clock for functions, so that no rate window, lease or month ends within a test."""

from datetime import UTC, datetime, timedelta, tzinfo
from types import ModuleType, SimpleNamespace

import pytest

from tenancy.gateway import http, resolver, trail
from tests.handlers.functions import Function


class StoppedClock:
    """The time (UTC) of the gateway and of functions. It stands still until a test changes it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.moment = datetime.now(UTC)
        self._patch = patch
        for module in (http, resolver, trail):
            self._stop_module(module)

    def stop(self, *functions: Function) -> None:
        """Stop the clock of *functions*, and the time in which they end their own work."""
        for function in functions:
            if hasattr(function.app, "datetime"):
                self._stop_module(function.app)
            if hasattr(function.app, "time"):
                self._patch.setattr(function.app, "time", SimpleNamespace(monotonic=lambda: 0.0))

    def advance(self, duration: timedelta) -> None:
        self.moment += duration

    def _stop_module(self, module: ModuleType) -> None:
        clock = self

        class Stopped(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return clock.moment.astimezone(tz)

        self._patch.setattr(module, "datetime", Stopped)
