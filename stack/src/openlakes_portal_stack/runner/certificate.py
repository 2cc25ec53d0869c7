"""A self-signed certificate for a server on loopback.

It outlives the stack that it is made for; one that nears its end, or cannot be read, is made anew by `good_for_long`.
"""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openlakes_portal_stack.runner.layout import write_whole

LIFETIME = datetime.timedelta(days=3650)
LONG = datetime.timedelta(days=30)


def good_for_long(certificate: Path) -> bool:
    """Whether a certificate is there, and will not end within a month."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return False
    return found.not_valid_after_utc - datetime.datetime.now(datetime.UTC) > LONG


def self_signed(folder: Path, address: str) -> tuple[Path, Path]:
    """Write `server.crt` (what clients trust) and `server.pem` (key and certificate, for the server); their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_whole(folder / "server.pem", (private + public).decode())
    write_whole(folder / "server.crt", public.decode(), mode=0o644)
    return folder / "server.crt", folder / "server.pem"
