"""Other people's code and words, as they lie in the database: text → compressed and encrypted bytes, and back.

The key is derived from `PRINCIPAL_SECRET_KEY`, so a copy of the database shows no code to whoever lacks it. Where the operator
set none, the key lies in the same database, and this protects nobody from whoever reads all of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import Code, Permanent

SEALED = b"\x01"
"""How sealed bytes begin. What an older version kept was only compressed, and begins otherwise."""
WRAPPED = "sealed:"
"""How sealed bytes begin where only text may stand: no JSON begins like that."""
NONCE_BYTES = 12
OPENED_AT_MOST_BYTES = 512 * 1024 * 1024


class Vault:
    """Seals and opens texts under one secret. Nobody without the secret can make the name of a text."""

    def __init__(self, secret: bytes, *, opened_at_most_bytes: int = OPENED_AT_MOST_BYTES) -> None:
        self._naming = _derived(secret, b"principal: names of artifacts")
        self._cipher = AESGCM(_derived(secret, b"principal: artifacts"))
        self._most = opened_at_most_bytes

    def name(self, text: str, *, repository_id: int) -> str:
        """The name of a text, 64 characters: each repository has its own, so that one can be forgotten without the others.

        Whoever guesses the text cannot find out from the name that they are right.
        """
        return hmac.new(self._naming, f"{repository_id}:{text}".encode(), hashlib.sha256).hexdigest()

    def seal(self, text: str) -> bytes:
        """The text, compressed and encrypted."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return SEALED + nonce + self._cipher.encrypt(nonce, zlib.compress(text.encode(), 6), SEALED)

    def open(self, sealed: bytes) -> str:
        """The text that was sealed. Raises `Permanent` when another secret sealed it, or when somebody changed it."""
        return _expanded(self._decrypted(sealed) if sealed.startswith(SEALED) else sealed, most_bytes=self._most)

    def wrap(self, text: str) -> str:
        """The text sealed, for where only text may stand."""
        return WRAPPED + base64.b64encode(self.seal(text)).decode("ascii")

    def unwrap(self, wrapped: str) -> str:
        """The text that was wrapped; what an older version wrote was not, and is given back as it is. Raises as `open`."""
        if not wrapped.startswith(WRAPPED):
            return wrapped
        try:
            return self.open(base64.b64decode(wrapped.removeprefix(WRAPPED), validate=True))
        except binascii.Error as error:
            raise Permanent(Code.INTERNAL, "What was kept of the job is damaged") from error

    def _decrypted(self, sealed: bytes) -> bytes:
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, SEALED)
        except (InvalidTag, ValueError) as error:
            what = "What was kept of the job cannot be opened: was PRINCIPAL_SECRET_KEY changed?"
            raise Permanent(Code.INTERNAL, what) from error


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)


def _expanded(body: bytes, *, most_bytes: int) -> str:
    inflate = zlib.decompressobj()
    try:
        text = inflate.decompress(body, most_bytes).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise Permanent(Code.INTERNAL, "What was kept of the job is damaged") from error
    if not inflate.eof:
        raise Permanent(Code.INTERNAL, "What was kept of the job is cut off, or larger than anything that is kept")
    return text
