"""A certificate authority of the stack, for servers of the tests on this machine."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from scripts.stack.credentials import write_private
from scripts.stack.settings import LOOPBACK

ROOT = "root.pem"
SERVER = "server.pem"
LIFETIME = timedelta(days=3_650)
HOSTS = ("localhost", "*.localhost")


def make_authority(folder: Path) -> None:
    """Make a root certificate, and a server's certificate with its key for `localhost`, unless they are there.

    The root's key is thrown away, so the root trusts no other certificate.
    """
    if (folder / ROOT).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    root_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = common_name("Tests of the tenancy stack")
    usage = x509.KeyUsage(*(name in {5, 6} for name in range(9)))  # key_cert_sign and crl_sign
    root = (
        unsigned_certificate(root_name, root_name, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(key_id(root_key), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    names = [*(x509.DNSName(host) for host in HOSTS), x509.IPAddress(ip_address(LOOPBACK))]
    signer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id(root_key))
    server = (
        unsigned_certificate(common_name("localhost"), root_name, server_key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(signer, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    key = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(folder / SERVER, (server.public_bytes(Encoding.PEM) + key).decode())
    (folder / ROOT).write_bytes(root.public_bytes(Encoding.PEM))  # last: it tells that both are there


def common_name(text: str) -> x509.Name:
    """Return the name of a subject or an issuer."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    """Return the identifier of a key in certificates."""
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def unsigned_certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, lifetime: timedelta = LIFETIME
) -> x509.CertificateBuilder:
    """Return a certificate of *key*, to be extended and signed."""
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + lifetime)
    )
