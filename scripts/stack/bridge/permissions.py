"""The permissions that a signed request to AWS needs, as IAM names them.

The Service Authorization Reference of AWS has the actions and resources of each service. A resource is written without
partition, region and account: `sqs:<queue>`, `s3:<bucket>/<key>`, `apigateway:/apikeys/<id>`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

CALLS_PATH: Final = "/_stack/calls"
# A signed request has its scope in a header, and a presigned link has it in its query.
SCOPE: Final = re.compile(r"Credential=(?P<caller>[^/%]+)/\d{8}/[\w-]+/(?P<service>[\w-]+)/aws4_request")
MEMBERS: Final = {
    "events": None,
    "kms": "KeyId",
    "secretsmanager": "SecretId",
    "sqs": "QueueUrl",
    "ssm": "Path",
    "states": "stateMachineArn|executionArn",
    "acm": "CertificateArn",
}

# Parts of a bucket that a query asks for.
S3_SETTINGS: Final = {
    "encryption": "GetEncryptionConfiguration",
    "lifecycle": "GetLifecycleConfiguration",
    "versioning": "GetBucketVersioning",
    "versions": "ListBucketVersions",
}
# Services with AWS's query protocol: a form names the action. The member with the name of the resource, and its kind.
QUERY_PROTOCOL: Final = {"cloudformation": ("StackName", ""), "rds": ("DBClusterIdentifier", "cluster:")}

type Permission = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request, its caller's access key and the service that it is signed for."""

    caller: str
    service: str
    method: str
    path: str
    query: str
    target: str
    body: bytes

    def member(self, names: str) -> str:
        """Return the text of one of the members *names* (`a|b`) of the JSON body, or an empty text."""
        found = re.search(rb'"(?:' + names.encode() + rb')"\s*:\s*"([^"]*)"', self.body)
        return found[1].decode() if found else ""


def parse_signed(method: str, url: str, headers: Mapping[str, str], body: bytes) -> SignedRequest | None:
    """Return the request if it is signed. Names of *headers* are in lower case."""
    parts = urlsplit(url)
    scope = SCOPE.search(headers.get("authorization", "")) or SCOPE.search(unquote(parts.query))
    if scope is None:
        return None
    return SignedRequest(
        caller=scope["caller"],
        service=scope["service"],
        method=method,
        path=unquote(parts.path),
        query=parts.query,
        target=headers.get("x-amz-target", "").rpartition(".")[2],
        body=body,
    )


def permissions_of(request: SignedRequest) -> Iterator[Permission]:
    """Yield action and resource of each permission that *request* needs.

    The action of an unknown request is its method and path, which no policy allows.
    """
    known = OF_SERVICE.get(request.service)
    if known is None or (request.service in MEMBERS and not request.target):
        yield f"{request.service}:{request.method} {request.path}", f"{request.service}:"
    else:
        yield from known(request)


def _of_target(request: SignedRequest) -> Iterator[Permission]:
    """The JSON protocol: the header names the action, and a member of the body the resource."""
    service, names = request.service, MEMBERS[request.service]
    action = "SendMessage" if request.target == "SendMessageBatch" else request.target
    resource = request.member(names) if names else "event-bus/default"
    if resource.startswith("arn:"):
        resource = resource.split(":", 5)[5]
    prefixes = {"acm": "certificate/", "kms": "key/", "secretsmanager": "secret:", "ssm": "parameter"}
    if service == "sqs":
        resource = resource.rpartition("/")[2]
    elif not resource.startswith(prefix := prefixes.get(service, "")):
        resource = f"{prefix}{resource}"
    yield f"{service}:{action}", f"{service}:{resource}"
    if request.target == "RequestCertificate" and b'"Tags"' in request.body:
        yield "acm:AddTagsToCertificate", "acm:certificate/new"


def _of_s3(request: SignedRequest) -> Iterator[Permission]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    if key:
        actions = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "GetObject", "DELETE": "DeleteObject"}
        yield f"s3:{actions.get(request.method, request.method)}", f"s3:{bucket}/{key}"
    elif request.method == "POST":
        for each in re.findall(rb"<Object>.*?</Object>", request.body, re.DOTALL):
            [name] = re.findall(rb"<Key>(.*?)</Key>", each)
            action = "DeleteObjectVersion" if b"<VersionId>" in each else "DeleteObject"
            yield f"s3:{action}", f"s3:{bucket}/{name.decode()}"
    else:
        asked = {each.partition("=")[0] for each in request.query.split("&")}
        yield f"s3:{next((S3_SETTINGS[each] for each in asked if each in S3_SETTINGS), 'ListBucket')}", f"s3:{bucket}"


def _of_api_gateway(request: SignedRequest) -> Iterator[Permission]:
    """Actions of API Gateway are methods. Tags of a new resource need a permission of their own."""
    yield f"apigateway:{request.method}", f"apigateway:{request.path}"
    if request.method == "POST" and b'"tags"' in request.body:
        kind = request.path.strip("/")
        yield "apigateway:PUT", f"apigateway:/tags/arn%3Aaws%3Aapigateway%3Aregion%3A%3A%2F{kind}%2Fnew"


def _of_ses(request: SignedRequest) -> Iterator[Permission]:
    if request.method == "POST":
        sender = re.search(r"[^\s<>]+@[^\s<>]+", request.member("FromEmailAddress"))
        yield "ses:SendEmail", f"ses:identity/{sender[0] if sender else ''}"
    else:
        yield "ses:GetEmailIdentity", f"ses:identity/{request.path.rpartition('/')[2]}"


def _of_route53(request: SignedRequest) -> Iterator[Permission]:
    zone = "/".join(request.path.strip("/").split("/")[1:3])
    action = "ListResourceRecordSets" if request.method == "GET" else "ChangeResourceRecordSets"
    yield f"route53:{action}", f"route53:{zone}"


def _of_lambda(request: SignedRequest) -> Iterator[Permission]:
    name = request.path.removesuffix("/invocations").rpartition("/")[2].rpartition(":function:")[2]
    yield "lambda:InvokeFunction", f"lambda:function:{name}"


def _of_query_protocol(request: SignedRequest) -> Iterator[Permission]:
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    member, kind = QUERY_PROTOCOL[request.service]
    yield f"{request.service}:{form.get('Action', '')}", f"{request.service}:{kind}{form.get(member, '')}"


OF_SERVICE: Final[Mapping[str, Callable[[SignedRequest], Iterator[Permission]]]] = {
    **dict.fromkeys(MEMBERS, _of_target),
    **dict.fromkeys(QUERY_PROTOCOL, _of_query_protocol),
    "apigateway": _of_api_gateway,
    "lambda": _of_lambda,
    "route53": _of_route53,
    "s3": _of_s3,
    "ses": _of_ses,
}
