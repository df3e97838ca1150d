"""A token's text in, whether it shows that an issuer made it: by a checksum, by what it decodes to, by a form of one's own.

What an issuer builds into a token so that leaks can be told from look-alikes is checked here; nothing is asked over the network.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

_SUMMED = frozenset(("GitHub token", "GitHub installation token", "npm token"))
"""Of the classic forms the last six characters are the CRC-32 of those before, to the base 62."""
_CLASSIC = re.compile(r"[a-z]{3}_(?P<body>[A-Za-z0-9]{30})(?P<sum>[A-Za-z0-9]{6})")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_COMMON_FORMS = frozenset((
    "AWS access key id", "Google API key", "Google OAuth refresh token", "model provider's key", "Twilio key", "Mailgun key",
    "Mailchimp key", "NuGet key", "Square token", "JFrog token", "Alibaba access key id", "Salesforce session", "X bearer token",
    "NATS seed", "New Relic key", "Instagram token", "Dropbox token", "WunderGraph key", "Azure client secret",
    "Discord bot token",
))  # fmt: skip
"""A few letters and a length, which other values have as well, and ids and keys that are no secrets by themselves."""
_SECRET_OF_AWS = re.compile(
    r"(?<![A-Za-z0-9/+=])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*[A-Z])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
)
_FRAME = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]{0,40}-----")
_LOCKED = re.compile(r"BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED")
_LEFT_OUT = re.compile(r"\\[nrt]|[^A-Za-z0-9+/]")
_OPENSSH, _OPENSSH_UNLOCKED = b"openssh-key-v1\0", b"\0\0\0\x04none"
LEAST_DER_BYTES = 40
_SEQUENCE, _LONG_LENGTH = 0x30, 0x80


def proves_itself(kind: str, value: str, *, beside: str) -> bool:
    """Whether the value alone, or with its other half in the lines beside it, can only come from its issuer."""
    if kind == "private key":
        return _is_whole_key(value)
    if kind in _SUMMED and (classic := _CLASSIC.fullmatch(value)) is not None:
        return _checksum(classic["body"]) == classic["sum"]
    if kind == "AWS access key id":
        return _SECRET_OF_AWS.search(beside) is not None
    return kind not in _COMMON_FORMS


def _checksum(body: str) -> str:
    number, written = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        written = _DIGITS[digit] + written
    return written.rjust(6, "0")


def _is_whole_key(block: str) -> bool:
    """Whether a block decodes to a key that nothing locks: an OpenSSH key, or ASN.1 as long as it says."""
    if _LOCKED.search(block):
        return False
    if "PGP" in block[:40]:
        return True
    text = _LEFT_OUT.sub("", _FRAME.sub("", block))
    try:
        data = base64.b64decode(text[: len(text) // 4 * 4] + _rest(text))
    except binascii.Error:
        return False
    if data.startswith(_OPENSSH):
        return data[len(_OPENSSH) :].startswith(_OPENSSH_UNLOCKED)
    return _der_length(data) == len(data)


def _rest(text: str) -> str:
    left = text[len(text) // 4 * 4 :]
    return left + "=" * (-len(left) % 4)


def _der_length(data: bytes) -> int | None:
    """How many bytes an ASN.1 sequence says that it has, its head included; None for what is none."""
    if len(data) < LEAST_DER_BYTES or data[0] != _SEQUENCE:
        return None
    if data[1] < _LONG_LENGTH:
        return 2 + data[1]
    size = data[1] - _LONG_LENGTH
    return 2 + size + int.from_bytes(data[2 : 2 + size]) if 1 <= size <= 2 else None
