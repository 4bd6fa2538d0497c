"""Dead letters in S3: read together, and found among other objects."""

from uuid import UUID

import pytest

from tenancy.errors import UnavailableError
from tenancy.stores.aws.dead_letter_objects import READ_AT_ONCE, DeadLetterObjects
from tests.aws_account import put_objects
from tests.given import DEAD_LETTERS_BUCKET, REGION

pytestmark = pytest.mark.usefixtures("aws")
OBJECTS = DeadLetterObjects(REGION, DEAD_LETTERS_BUCKET, path_style=True)
NOWHERE = DeadLetterObjects(REGION, "no-such-bucket", path_style=True)
ACME, GLOBEX = UUID(int=1, version=4), UUID(int=2, version=4)
LETTERS = [UUID(int=number << 100, version=4) for number in range(1, READ_AT_ONCE + 1)]


def test_bodies_are_read_together() -> None:
    for number, letter_id in enumerate(LETTERS[1:]):
        OBJECTS.put_body(ACME, letter_id, str(number))
    OBJECTS.put_body(GLOBEX, LETTERS[0], "another's")

    bodies = OBJECTS.find_bodies(ACME, LETTERS)

    assert list(bodies.values()) == [None, *map(str, range(READ_AT_ONCE - 1))]


def test_letters_with_an_object_are_found() -> None:
    for organization_id, stored in ((ACME, LETTERS[::2]), (GLOBEX, LETTERS)):
        for letter_id in stored:
            OBJECTS.put_body(organization_id, letter_id, "body")
    OBJECTS.put(ACME, "no-letter", b"")

    assert OBJECTS.find_stored(ACME, LETTERS) == set(LETTERS[::2])
    assert OBJECTS.find_stored(ACME, LETTERS[1:4]) == {LETTERS[2]}
    assert OBJECTS.find_stored(ACME, []) == set()


def test_letter_is_found_behind_many_objects() -> None:
    put_objects(DEAD_LETTERS_BUCKET, (f"{ACME}/{UUID(int=number)}" for number in range(1_001)))
    OBJECTS.put_body(ACME, LETTERS[-1], "body")

    assert OBJECTS.find_stored(ACME, [UUID(int=2), LETTERS[0], LETTERS[-1]]) == {UUID(int=2), LETTERS[-1]}


@pytest.mark.parametrize("call", [DeadLetterObjects.find_bodies, DeadLetterObjects.find_stored])
def test_missing_bucket_is_unavailable(call: object) -> None:
    with pytest.raises(UnavailableError):
        call(NOWHERE, ACME, LETTERS)  # type: ignore[operator]
