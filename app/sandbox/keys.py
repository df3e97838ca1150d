"""The keys of Apps: made here, as GitHub makes them; the private half is handed out once, the public half is kept."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def make() -> rsa.RSAPrivateKey:
    """A new key, 2048 bits as GitHub's."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """The key as GitHub hands it out."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """What checks the signatures made with the key."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
