"""The garbage collector's threshold, which makes cold starts faster."""

import gc

from tenancy import OBJECTS_BEFORE_COLLECTION


def test_importing_the_core_raises_the_threshold() -> None:
    assert gc.get_threshold()[0] == OBJECTS_BEFORE_COLLECTION
