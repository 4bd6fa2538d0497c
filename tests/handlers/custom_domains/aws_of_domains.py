"""ACM, API Gateway's domain names and Route 53 of a test, which sets the states of certificates.

The emulator and moto issue every certificate at once. All other calls go on to another endpoint.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4
from xml.etree import ElementTree as ET

from tests.handlers.invocations import pass_on

ACM_TARGET = "CertificateManager."
ROUTE53 = re.compile(r"/2013-04-01/hostedzone/(\w+)/rrset/?")
XML = "https://route53.amazonaws.com/doc/2013-04-01/"
FOUND, NOT_FOUND = 200, 404


class RefusedError(Exception):
    """AWS refuses the call."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass(slots=True)
class AwsOfDomains:
    """The resources, by their names, and every call in order.

    The call with a number of *failing* is refused once, before it has an effect, and one of *lost* after it.
    """

    url: str = ""
    status: str = "ISSUED"  # of new certificates
    certificates: dict[str, dict[str, Any]] = field(default_factory=dict)
    domain_names: dict[str, dict[str, Any]] = field(default_factory=dict)
    mappings: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    refusals: dict[str, str] = field(default_factory=dict)  # the code that each call of a name is refused with

    @property
    def resources(self) -> tuple[int, int, int, int]:
        """The numbers of certificates, domain names, mappings and records."""
        mappings = sum(len(each) for each in self.mappings.values())
        return len(self.certificates), len(self.domain_names), mappings, len(self.records)

    def reset(self) -> None:
        self.status = "ISSUED"
        for each in (self.certificates, self.domain_names, self.mappings, self.records):
            each.clear()
        self.calls.clear()
        self.failing.clear()
        self.lost.clear()
        self.refusals.clear()

    def set_status(self, status: str) -> None:
        """Give this state to all certificates, and to new ones."""
        self.status = status
        for certificate in self.certificates.values():
            certificate["Status"] = status

    def stop_renewal(self, status: str | None, ends_at: datetime) -> None:
        """Let all certificates end, with this state of their renewal."""
        for certificate in self.certificates.values():
            certificate["NotAfter"] = ends_at.timestamp()
            certificate["RenewalSummary"] = {"RenewalStatus": status, "UpdatedAt": 0, "DomainValidationOptions": []}
            if status is None:
                del certificate["RenewalSummary"]

    def refuse(self, number: int, *, before: bool) -> None:
        """Refuse the call with that number before or after its effect, if a test wants that."""
        if number in (self.failing if before else self.lost):
            raise RefusedError(503, "ServiceUnavailable")

    def refuse_call(self, name: str) -> None:
        """Refuse every call of that name, if a test wants that."""
        if name in self.refusals:
            raise RefusedError(400, self.refusals[name])

    def acm(self, operation: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        arn = body.get("CertificateArn", "")
        if operation == "RequestCertificate":
            return {"CertificateArn": self._request(body)}
        if operation == "ListCertificates":
            return {"CertificateSummaryList": list(self.certificates.values())}
        if arn not in self.certificates:
            raise RefusedError(400, "ResourceNotFoundException")
        match operation:
            case "DescribeCertificate":
                return {"Certificate": self.certificates[arn]}
            case "ListTagsForCertificate":
                return {"Tags": self.certificates[arn]["Tags"]}
            case "DeleteCertificate":
                if any(name["regionalCertificateArn"] == arn for name in self.domain_names.values()):
                    raise RefusedError(400, "ResourceInUseException")
                del self.certificates[arn]
                return {}
        raise RefusedError(400, "UnknownOperationException")

    def _request(self, body: dict[str, Any]) -> str:
        for arn, each in self.certificates.items():
            if each["token"] == body["IdempotencyToken"] and each["DomainName"] == body["DomainName"]:
                return arn
        arn = f"arn:aws:acm:eu-central-1:123456789012:certificate/{uuid4()}"
        name = f"_{len(self.certificates)}c.{body['DomainName']}."
        record = {"Name": name, "Type": "CNAME", "Value": "_x.acm-validations.aws."}
        self.certificates[arn] = {
            "CertificateArn": arn,
            "DomainName": body["DomainName"],
            "Status": self.status,
            "DomainValidationOptions": [{"DomainName": body["DomainName"], "ResourceRecord": record}],
            "Tags": body["Tags"],
            "token": body["IdempotencyToken"],
        }
        return arn

    def api_gateway(self, method: str, parts: list[str], body: dict[str, Any]) -> Any:  # noqa: ANN401
        match method, parts:
            case "GET", []:
                return {"item": list(self.domain_names.values())}
            case "POST", []:
                return self._create_name(body)
            case _, [name, *_] if name not in self.domain_names:
                raise RefusedError(NOT_FOUND, "NotFoundException")
            case "GET", [name]:
                return self.domain_names[name]
            case "DELETE", [name]:
                del self.domain_names[name]
                self.mappings.pop(name, None)
                return {}
            case _, [name, "basepathmappings", *paths]:
                return self._map(method, self.mappings.setdefault(name, {}), paths, body)
        raise RefusedError(400, "BadRequestException")

    def _map(self, method: str, mappings: dict[str, Any], paths: list[str], body: dict[str, Any]) -> Any:  # noqa: ANN401
        if method == "POST":
            if body["basePath"] in mappings:
                raise RefusedError(409, "ConflictException")
            mappings[body["basePath"]] = body
            return body
        [path] = paths
        if path not in mappings:
            raise RefusedError(NOT_FOUND, "NotFoundException")
        return mappings[path] if method == "GET" else mappings.pop(path) and {}

    def _create_name(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["domainName"]
        if name in self.domain_names:
            raise RefusedError(409, "ConflictException")
        target = f"d-{len(self.calls)}.execute-api.eu-central-1.amazonaws.com"
        self.domain_names[name] = {**body, "regionalDomainName": target, "domainNameStatus": "AVAILABLE"}
        return self.domain_names[name]

    def route53(self, method: str, body: bytes) -> str:
        if method == "GET":
            sets = "".join(record_set(name, value) for name, value in sorted(self.records.items()))
            return document("ListResourceRecordSets", f"<ResourceRecordSets>{sets}</ResourceRecordSets>{PAGE}")
        change = ET.fromstring(body)
        names = {"r": XML}
        action, name, value = (
            change.findtext(f".//r:{tag}", namespaces=names) or "" for tag in ("Action", "Name", "Value")
        )
        if action == "DELETE":
            del self.records[name]
        else:
            self.records[name] = value
        info = "<Id>C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-24T12:00:00Z</SubmittedAt>"
        return document("ChangeResourceRecordSets", f"<ChangeInfo>{info}</ChangeInfo>")


PAGE = "<IsTruncated>false</IsTruncated><MaxItems>1</MaxItems>"


def document(operation: str, content: str) -> str:
    return f'<{operation}Response xmlns="{XML}">{content}</{operation}Response>'


def record_set(name: str, value: str) -> str:
    records = f"<ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords>"
    return f"<ResourceRecordSet><Name>{name}</Name><Type>CNAME</Type><TTL>300</TTL>{records}</ResourceRecordSet>"


@contextmanager
def serving_aws_of_domains(others_url: str) -> Iterator[AwsOfDomains]:
    """Serve the calls about domains, and send all others to *others_url*."""
    aws, turn, others = AwsOfDomains(), Lock(), urlsplit(others_url).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with turn:
                status, headers, answer = answer_call(aws, self, body) or pass_on(others, self, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _respond  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's signature
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        aws.url = f"http://127.0.0.1:{server.server_port}"
        yield aws
        server.shutdown()


def answer_call(
    aws: AwsOfDomains, request: BaseHTTPRequestHandler, body: bytes
) -> tuple[int, dict[str, str], bytes] | None:
    """Return the answer of a call about domains, or None for another call."""
    path, target = urlsplit(request.path).path, request.headers.get("X-Amz-Target", "")
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if not (target.startswith(ACM_TARGET) or parts[0] == "domainnames" or ROUTE53.fullmatch(path)):
        return None
    name = target.removeprefix(ACM_TARGET) if target else f"{request.command} {path}"
    aws.calls.append(name)
    number = len(aws.calls)
    try:
        aws.refuse(number, before=True)
        aws.refuse_call(name)
        if ROUTE53.fullmatch(path):
            answer, kind = aws.route53(request.command, body), "text/xml"
        elif target:
            answer, kind = json.dumps(aws.acm(name, json.loads(body))), "application/x-amz-json-1.1"
        else:
            parsed = json.loads(body) if body else {}
            answer, kind = json.dumps(aws.api_gateway(request.command, parts[1:], parsed)), "application/json"
        aws.refuse(number, before=False)
    except RefusedError as error:
        text = json.dumps({"__type": error.code, "message": error.code}).encode()
        return error.status, {"x-amzn-ErrorType": error.code, "Content-Type": "application/json"}, text
    return FOUND, {"Content-Type": kind}, answer.encode()
