"""Work that libraries repeat for each request, connection or message.

Nearly every test sends requests to moto and opens connections to Redis. This work would be a large part of the
processor time of a run. Tests need it once.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import moto.backends
import pytest
import redis.utils
from botocore.useragent import UserAgentString
from moto.core import responses, utils
from moto.core.base_backend import AccountSpecificBackend
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.sqs import models
from moto.sqs.models import SQSBackend


@contextmanager
def saved() -> Iterator[None]:
    """Let boto3, moto and redis-py do this work once, and let moto's SQS read the clock cheaply."""
    user_agent = UserAgentString.from_environment().to_string()
    generate_regions: Any = AccountSpecificBackend._generate_regions.__wrapped__
    list_regions = cache(lambda service: generate_regions(None, service))
    modules = frozenset(moto.backends.list_of_moto_modules())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moto.backends, "list_of_moto_modules", lambda: modules)
        patch.setattr(UserAgentString, "to_string", lambda _: user_agent)
        patch.setattr(AccountSpecificBackend, "_generate_regions", lambda _, service: list_regions(service))
        patch.setattr(models, "camelcase_to_underscores", cache(utils.camelcase_to_underscores))
        patch.setattr(responses, "method_names_from_class", cache(utils.method_names_from_class))
        patch.setattr(MotoRequestHandler, "log_request", lambda *_: None)
        patch.setattr(models, "unix_time_millis", lambda: time.time() * 1000)
        patch.setattr(SQSBackend, "is_message_valid_based_on_retention_period", is_retained)
        patch.setattr(redis.utils, "get_lib_version", cache(redis.utils.get_lib_version))
        yield


def is_retained(backend: SQSBackend, queue_name: str, message: Any) -> bool:  # noqa: ANN401 - moto's, typed in part
    """Tell whether *message* is young enough.

    moto reads all attributes of the queue for that, and counts all its messages.
    """
    queue: Any = backend.get_queue(queue_name)
    return bool(message.sent_timestamp / 1000 + queue.message_retention_period > time.time())
