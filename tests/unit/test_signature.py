"""Signatures of AWS calls are those of botocore."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from tenancy.errors import UnavailableError
from tenancy.stores.aws.signature import AwsCredentials, RequestSigner

HEADER_TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@given(
    body=st.binary(max_size=300),
    target=HEADER_TEXTS,
    secret=SECRETS,
    token=st.none() | SECRETS,
    region=st.sampled_from(["eu-central-1", "us-gov-west-1"]),
    service=st.sampled_from(["sqs", "secretsmanager", "kms", "events", "lambda"]),
    path=st.sampled_from(["/", "/functions/fetch/invocations", "/functions/arn%3Aaws%3Afetch%3Alive/invocations"]),
)
def test_signature_is_botocores(
    body: bytes, target: str, secret: str, token: str | None, region: str, service: str, path: str
) -> None:
    host = f"{service}.{region}.amazonaws.com"
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}
    request = AWSRequest("POST", f"https://{host}{path}", headers=dict(headers), data=body)
    SigV4Auth(Credentials("AKIDEXAMPLE", secret, token), service, region).add_auth(request)
    moment = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    credentials = AwsCredentials(access_key_id="AKIDEXAMPLE", secret_access_key=secret, session_token=token)
    signer = RequestSigner(headers, credentials, host=host, region=region, service=service, path=path)

    lines = [signer.header_lines(body, at_seconds=moment.timestamp()) for _ in range(2)]

    signed = dict(line.split(": ", 1) for line in lines[1].removesuffix("\r\n").split("\r\n"))
    names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
    assert lines[0] == lines[1]
    assert [signed.get(name) for name in names] == [request.headers.get(name) for name in names]
    assert {**headers, "Host": host}.items() <= signed.items()


def test_signature_follows_time_and_body() -> None:
    credentials = AwsCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret", session_token=None)
    host, place = "sqs.eu-central-1.amazonaws.com", {"region": "eu-central-1", "service": "sqs"}
    kept = RequestSigner({}, credentials, host=host, **place)
    calls = [(body, seconds) for body in (b"", b"1") for seconds in (0.9, 1.0, 86_399.0, 86_400.0)]

    lines = [kept.header_lines(body, at_seconds=seconds) for body, seconds in calls]

    fresh = [RequestSigner({}, credentials, host=host, **place) for _ in calls]
    assert lines == [
        each.header_lines(body, at_seconds=seconds) for each, (body, seconds) in zip(fresh, calls, strict=True)
    ]
    assert len(set(lines)) == len(calls)


def test_secrets_of_credentials_have_no_text() -> None:
    credentials = AwsCredentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret-1", session_token="token-1")

    text = repr(credentials)

    assert "secret-1" not in text
    assert "token-1" not in text


def test_missing_credentials_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)

    with pytest.raises(UnavailableError, match="AWS_ACCESS_KEY_ID"):
        AwsCredentials.from_env()
