"""The file of roots in the certificates' layer, and the variable that names it."""

import re
import warnings
from datetime import UTC, datetime, timedelta

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from tests.given import ROOT
from tests.members import for_each
from tests.template.template import FOLDERS, FUNCTIONS, RESOURCES, TEMPLATE

BUNDLE = ROOT / "layers/certificates/aws-roots.pem"
BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
RDS = re.compile(r"Amazon RDS (?P<region>[a-z]+(?:-[a-z]+)+-\d) Root CA (?P<kind>RSA2048|RSA4096|ECC384) G1")
KINDS = {"RSA2048", "RSA4096", "ECC384"}  # RDS signs with one of these in each region
AMAZON = {
    *(f"Amazon Root CA {number}" for number in range(1, 5)),
    "Starfield Services Root Certificate Authority - G2",
}
LONG_ENOUGH = timedelta(days=365)
WRITTEN_AT = datetime(2026, 11, 28, tzinfo=UTC)


def certificates(text: str) -> list[x509.Certificate]:
    """Return the certificates of *text*.

    One of Amazon's roots has the serial number 0, of which cryptography warns.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return [x509.load_pem_x509_certificate(block.encode()) for block in BLOCK.findall(text)]


def name_of(certificate: x509.Certificate) -> str:
    [attribute] = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


ROOTS = certificates(BUNDLE.read_text())


def test_roots_are_authorities_that_signed_themselves() -> None:
    for root in ROOTS:
        root.verify_directly_issued_by(root)

        assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_no_root_expires_within_a_year_of_its_release() -> None:
    assert [name_of(root) for root in ROOTS if root.not_valid_after_utc < WRITTEN_AT + LONG_ENOUGH] == []


def test_rds_proxy_has_all_roots_of_amazon() -> None:
    amazons = [root for root in ROOTS if name_of(root) in AMAZON]

    assert {name_of(root) for root in amazons} == AMAZON


def test_roots_of_amazon_are_those_that_mozilla_trusts() -> None:
    trusted = certifi.contents()

    amazons = [root for root in ROOTS if name_of(root) in AMAZON]

    assert [name_of(root) for root in amazons if root.public_bytes(Encoding.PEM).decode() not in trusted] == []


def test_all_other_roots_are_those_of_rds() -> None:
    assert [name_of(root) for root in ROOTS if name_of(root) not in AMAZON and not RDS.fullmatch(name_of(root))] == []


def test_each_region_has_a_root_of_each_kind() -> None:
    found = [match.groups() for root in ROOTS if (match := RDS.fullmatch(name_of(root)))]

    regions = {region for region, _ in found}

    assert {"eu-central-1", "us-east-1"} <= regions
    assert sorted(found) == sorted((region, kind) for region in regions for kind in KINDS)


@for_each("function", FOLDERS)
def test_variable_names_the_file_of_the_layer(function: str) -> None:
    """Lambda mounts the folder of a layer at /opt. libpq reads the variable itself."""
    layers = [*TEMPLATE["Globals"]["Function"]["Layers"], *FUNCTIONS[function].get("Layers", [])]

    assert TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["PGSSLROOTCERT"] == f"/opt/{BUNDLE.name}"
    assert {"Ref": "CertificatesLayer"} in layers
    assert RESOURCES["CertificatesLayer"]["Properties"]["ContentUri"] == BUNDLE.parent.relative_to(ROOT).as_posix()
