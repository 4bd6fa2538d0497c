"""The function `fetch`, which fetches URLs and DNS records of tenants for the others."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from tenancy.errors import UnavailableError, UnreachableUrlError
from tenancy.rules.fetching import (
    CnameRequest,
    FetchAnswer,
    FetchedDocument,
    FetchRefused,
    FetchRequest,
    FoundRecords,
    TxtRequest,
    UrlRequest,
)
from tenancy.stores.aws.client import AwsClient

INVOKE_PATH: Final = "/2015-03-31/functions/{}/invocations"


class Fetcher:
    """The function `fetch`. It alone calls servers that a tenant names."""

    def __init__(self, aws: AwsClient, function: str) -> None:
        """Invoke *function*: a name, or the ARN of an alias."""
        self._aws = aws
        self._path = INVOKE_PATH.format(quote(function, safe=""))

    def fetch_url(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> FetchedDocument:
        """Get *url*, or send *form* to it by POST. Return the answer with any status.

        Only a GET without *headers* follows redirects. A POST is sent once. Allowed headers are those of
        `FETCH_HEADERS`.

        Raises:
            UnreachableUrlError: the URL was not fetched. Its text is for the tenant who named the URL.
            UnavailableError: Lambda or `fetch` does not work.
        """
        request = UrlRequest(
            url=url,
            max_bytes=max_bytes,
            method="GET" if form is None else "POST",
            accept=accept,
            form=form,
            headers=headers or {},
        )
        answer = self._invoke(request, is_idempotent=form is None)
        if isinstance(answer, FetchedDocument):
            return answer
        raise UnavailableError("The function `fetch` has given another answer than a document.")

    def find_txt_records(self, name: str) -> tuple[str, ...]:
        """Return the TXT records of *name*, each as one text. There are none if the name does not exist.

        Raises:
            UnreachableUrlError: the DNS servers of the name do not answer.
            UnavailableError: Lambda or `fetch` does not work.
        """
        return self._find_records(TxtRequest(name=name))

    def find_cname_records(self, name: str) -> tuple[str, ...]:
        """Return the names that the CNAME records of *name* lead to. There are none if the name does not exist.

        Raises:
            UnreachableUrlError: the DNS servers of the name do not answer.
            UnavailableError: Lambda or `fetch` does not work.
        """
        return self._find_records(CnameRequest(name=name))

    def _find_records(self, request: TxtRequest | CnameRequest) -> tuple[str, ...]:
        answer = self._invoke(request, is_idempotent=True)
        if isinstance(answer, FoundRecords):
            return answer.records
        raise UnavailableError("The function `fetch` has given another answer than records.")

    def _invoke(self, request: FetchRequest, *, is_idempotent: bool) -> FetchAnswer:
        document: dict[str, Any] = msgspec.to_builtins(request)
        try:
            answer: FetchAnswer = msgspec.convert(
                self._aws.invoke(self._path, document, is_idempotent=is_idempotent), FetchAnswer
            )
        except msgspec.ValidationError as error:  # the function failed: Lambda answers with the error instead
            raise UnavailableError("The function `fetch` has failed.") from error
        if isinstance(answer, FetchRefused):
            max_bytes = request.max_bytes if isinstance(request, UrlRequest) else None
            raise UnreachableUrlError(answer.fault, max_bytes=max_bytes)
        return answer
