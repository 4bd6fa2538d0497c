"""Refusals: a request cannot make its own refusal large."""

import json

from tenancy.errors import LOCATION_MAX_CHARACTERS, MAX_ERRORS, MESSAGE_MAX_CHARACTERS, FieldError, InvalidError
from tenancy.gateway.http import INSTANCE_MAX_CHARACTERS, problem_answer


def test_errors_of_a_refusal_are_bounded() -> None:
    errors = [FieldError(location=f"body/{number}", code="unknown", message="x") for number in range(30_000)]

    kept = InvalidError("x", errors=errors).errors

    assert kept == tuple(errors[:MAX_ERRORS])


def test_repeated_names_and_values_are_cut() -> None:
    long, exact = "x" * 300_000, "y" * LOCATION_MAX_CHARACTERS
    error = FieldError(location=long, code="unknown", message=long)
    refusal = InvalidError(long)

    assert (len(error.location), error.location[-1]) == (LOCATION_MAX_CHARACTERS, "…")
    assert (len(error.message), error.message[-1]) == (MESSAGE_MAX_CHARACTERS, "…")
    assert len(refusal.detail) == len(str(refusal)) == MESSAGE_MAX_CHARACTERS
    assert FieldError(location=exact, code="unknown", message="").location == exact


def test_path_in_a_problem_document_is_cut() -> None:
    answer = problem_answer(InvalidError("x"), instance="/" + "x" * 300_000, request_id="1")

    assert len(json.loads(answer["body"])["instance"]) == INSTANCE_MAX_CHARACTERS
