"""How tests ask to be admitted."""

from collections.abc import Callable
from datetime import UTC, datetime

from tenancy.admission import Admission

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

type Admit = Callable[..., Admission]
