"""Secrets: found where they stand, masked where they are shown, gone where a model reads. All of these are made up."""

from __future__ import annotations

import base64
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import library
from app.analysis.probe import probes
from app.analysis.scan import scan
from app.core import secrets
from app.core.secrets import Certainty
from app.core.source import SourceFile

RULES = [rule for rule in library.load().rules if rule.id == "secrets"]
LETTERS = string.ascii_letters + string.digits
DICE = random.Random(20260427)


def some(length: int, alphabet: str = LETTERS) -> str:
    return "".join(DICE.choice(alphabet) for _ in range(length))


HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
TOKENS = {
    "GitHub personal": "ghp_" + some(36),
    "GitHub app, old": "ghs_" + some(36),
    "GitHub app, long": "ghs_1184231_eyJ" + some(80) + ".eyJ" + some(200) + "." + some(220, LETTERS + "-_"),
    "GitHub fine-grained": "github_pat_" + some(22) + "_" + some(59),
    "GitLab": "glpat-" + some(20),
    "AWS": "AKIA" + some(16, UPPER),
    "Slack bot": "xoxb-" + some(12, string.digits) + "-" + some(24),
    "Slack webhook": "https://hooks.slack.com/services/T" + some(8, UPPER) + "/B" + some(8, UPPER) + "/" + some(24),
    "Stripe": "sk_live_" + some(24),
    "Google": "AIza" + some(35),
    "OpenAI, old": "sk-" + some(20) + "T3BlbkFJ" + some(20),
    "OpenAI, project": "sk-proj-" + some(120, LETTERS + "-_") + "x",
    "Anthropic": "sk-ant-api03-" + some(90) + "AA",
    "SendGrid": "SG." + some(22) + "." + some(43),
    "npm": "npm_" + some(36),
    "PyPI": "pypi-AgEIcHlwaS5vcmc" + some(120),
    "Hugging Face": "hf_" + some(34, string.ascii_letters),
    "DigitalOcean": "dop_v1_" + some(64, HEX),
    "Telegram": some(9, "123456789") + ":AA" + some(33),
    "GitLab pipeline": "glptt-" + some(40, HEX),
    "Atlassian": "ATATT3" + some(180) + "=" + some(8, "0123456789ABCDEF"),
    "Azure": some(3) + "8Q~" + some(34),
    "Cloudflare": "cfut_" + some(48),
    "Docker": "dckr_oat_" + some(32),
    "Dynatrace": "dt0c01." + some(24, UPPER) + "." + some(64, UPPER),
    "Groq": "gsk_" + some(52),
    "Postman": "PMAK-" + some(24, HEX) + "-" + some(34, HEX),
    "RubyGems": "rubygems_" + some(48, HEX),
    "Terraform": some(14) + ".atlasv1." + some(64),
    "Sonar": "squ_" + some(40, HEX),
    "xAI": "xai-" + some(80),
    "key without a passphrase": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAA\n"
    + "\n".join(some(64) for _ in range(3))
    + "\n-----END OPENSSH PRIVATE KEY-----",
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    + "\n".join(some(64) for _ in range(5))
    + "\n-----END OPENSSH PRIVATE KEY-----",
    "private key in one line": "-----BEGIN PRIVATE KEY-----\\n" + some(200) + "\\n-----END PRIVATE KEY-----",
}

FORM_ALONE = (
    "GitHub personal",
    "GitHub app, old",
    "AWS",
    "Google",
    "npm",
    "Azure",
    "private key",
    "private key in one line",
)
"""Made up without a checksum, without the half that opens something, or of a form that other values have too."""
PUBLISHED = "ghp_" + "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"
"""A revoked token that shows GitHub's form in public: the only one here that nobody made up."""
KEY_BYTES = b"\x30\x81\x78" + bytes(DICE.randrange(256) for _ in range(0x78))


every_token = pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())


def found(path: str, text: str) -> list[str]:
    return [one.detector for one in scan([SourceFile(path, text, whole=True)], probes(RULES)).new]


@pytest.mark.parametrize("name", TOKENS)
def test_a_providers_token_is_proven_by_its_form_and_told_where_the_form_is_enough(name: str) -> None:
    token = TOKENS[name]
    text = f'export const key = "{token}";\nexport const other = 1;\n'
    (secret,) = [one for one in secrets.find(text) if one.certainty is Certainty.PROVEN]
    assert text[secret.start : secret.end] == token
    assert found("src/a.ts", text) == ["token-elsewhere" if name in FORM_ALONE else "provider-token"]


def test_a_checksum_tells_a_token_from_what_looks_like_one() -> None:
    assert found("src/a.ts", f'const key = "{PUBLISHED}";\n') == ["provider-token"]
    assert found("src/a.ts", f'const key = "{PUBLISHED[:-1]}8";\n') == ["token-elsewhere"]


def test_a_private_key_is_told_when_it_is_as_long_as_it_says() -> None:
    for data, told in ((KEY_BYTES, "provider-token"), (KEY_BYTES[:-1], "token-elsewhere")):
        body = base64.b64encode(data).decode()
        lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
        block = f"-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n"
        assert found("deploy/app.pem", block) == [told]
        assert found("src/a.ts", f"const key = {json.dumps(block)};\n") == [told]
        assert found("docker/dev/server.pem", block) == ["token-elsewhere"]


def test_the_id_of_a_key_is_told_with_the_half_that_opens_something() -> None:
    half = f"secret: {some(38)}aB\n"
    assert found("deploy/values.yaml", f"id: {TOKENS['AWS']}\n{half}")[0] == "provider-token"
    assert found("deploy/values.yaml", f"id: {TOKENS['AWS']}\nsecret: ${{SECRET}}\n") == ["token-elsewhere"]


@every_token
def test_s29_nothing_of_a_token_reaches_a_model_and_no_line_is_lost(token: str) -> None:
    text = f"first\n+const a = '{token}'; // {token}\nlast {token}"
    clean = secrets.redact(text)
    assert not any(
        token[at : at + 12] in clean
        for at in range(0, max(1, len(token) - 12), 4)
        if token[at : at + 12] not in "-----BEGIN OPENSSH PRIVATE KEY-----"
    )
    assert clean.count("\n") == text.count("\n")
    assert clean.count("#1>") == 3


@every_token
def test_s30_what_a_person_sees_is_masked(token: str) -> None:
    (seen, *_) = scan([SourceFile("src/a.ts", f'const key = "{token}";\n', whole=True)], probes(RULES)).new
    shown = seen.quote + seen.note + "".join(text for _, text in seen.captures)
    assert token[12:40] not in shown.replace("OPENSSH PRIVATE KEY", "")
    assert "********" in seen.quote


def test_a_key_is_found_behind_the_marks_of_a_diff() -> None:
    lines = ["-----BEGIN RSA PRIVATE KEY-----", *(some(64) for _ in range(6)), "-----END RSA PRIVATE KEY-----"]
    for mark in ("+", "-", " ", "   12    13 + "):
        text = "\n".join(mark + line for line in lines)
        clean = secrets.redact(text)
        assert not any(line in clean for line in lines[1:-1])
        assert clean.count("\n") == text.count("\n")


def test_a_key_without_its_last_line_is_found_up_to_where_it_stops() -> None:
    body = [some(64) for _ in range(4)]
    text = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *body, "}", "const after = 1;"])
    clean = secrets.redact(text)
    assert not any(line in clean for line in body)
    assert "const after = 1;" in clean


@pytest.mark.parametrize(
    "text",
    [
        'const dbPassword = "tR4!vbn9Qx2";',
        "password: 'tR4!vbn9Qx2',",
        '"api_key": "9f86d081884c7d659a2feaa0c55ad015",',
        "AUTH_TOKEN = 'Zk41vQx9Lm7RtB2nYp8s'",
        'client_secret => "Zk41vQx9Lm7RtB2nYp8s"',
        "const url = 'amqp://svc:Zk41vQx9Lm7R@mq.prod.internal:5672';",
        'process.env.JWT_SECRET || "Zk41vQx9Lm7RtB2nYp8s"',
        'const token = "kQzRtLmXwVbNpHsGdFyJcKqZ";',
        'const token = "' + "İ" * 3 + '"; const authToken = "Zk41vQx9Lm7RtB2nYp8s";',
        'setPassword("x"); const accessKey: string = "Zk41vQx9Lm7RtB2nYp8s";',
    ],
)
def test_a_value_under_a_telling_name_is_likely(text: str) -> None:
    assert Certainty.LIKELY in [one.certainty for one in secrets.find(text)]
    assert "Zk41vQx9" not in secrets.redact(text)
    assert "tR4!vbn9" not in secrets.redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "const token = request.headers.authorization;",
        'const token = await getToken("session-token-name");',
        'const passwordLabel = "Password2 confirmation";',
        'const tokenType = "Bearer1234567890abc";',
        'const publicKey = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";',
        'const apiKey = "your-api-key-here-12345";',
        'const apiKey = "xxxxxxxxxxxxxxxxxxxx1";',
        'const secret = "${SECRET_VALUE_1}";',
        'password = os.environ["DB_PASSWORD_2"]',
        'const secretArn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3";',
        "password: process.env.DB_PASSWORD1,",
        'const tokenUrl = "https://auth.example.net/oauth2/v1/token";',
        'integrity="sha512-Zk41vQx9Lm7RtB2nYp8sZk41vQx9Lm7RtB2nYp8s=="',
        'const id = "9f86d081-884c-4d65-9a2f-eaa0c55ad015";',
        "const csrfToken = 'Zk41vQx9Lm7RtB2nYp8s';",
        'const nextPageToken = "Zk41vQx9Lm7RtB2nYp8s";',
        "postgres://user:password@localhost:5432/db",
        "https://user:${TOKEN}@github.example/x.git",
        "import { tokenize1 } from './tokens';",
        'const analyticsKey = "phc_Zk41vQx9Lm7RtB2nYp8sQ"; const apiKey = "phc_Zk41vQx9Lm7RtB2nYp8sQ";',
        'const accessToken = "2026-04-27T10:00:00Z";',
        'const secret = "aaaaaaaabbbbbbbbcccc";',
        'const token = "user.session.token1";',
        'const token = "resetPasswordTokenExpiredTwice";',
        "password = 'admin_user-name.x';",
        "TOKEN = call(something1)",
        'const key = "ghp_' + "0123456789abcdefghijklmnopqrstuvwxyz" + '";',
    ],
)
def test_names_references_and_placeholders_do_not_alarm(text: str) -> None:
    assert found("src/server/a.ts", text + "\n") == []


@pytest.mark.parametrize(
    "path",
    [
        "test/a.ts",
        "src/__tests__/a.ts",
        "fixtures/a.json",
        "examples/a.py",
        ".env.example",
        "config/local.env",
        "a.spec.js",
    ],
)
def test_tests_fixtures_and_examples_do_not_alarm_but_are_redacted(path: str) -> None:
    text = 'API_KEY = "Zk41vQx9Lm7RtB2nYp8s"\n'
    assert found(path, text) == []
    assert "Zk41vQx9" not in secrets.redact(text)


ENCODED = base64.b64encode(TOKENS["private key"].encode()).decode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ALTER USER 'shop'@'%' IDENTIFIED BY 'tR4vbn9Qx2';", "tR4vbn9Qx2"),
        ("CREATE ROLE shop WITH LOGIN PASSWORD 'tR4vbn9Qx2';", "tR4vbn9Qx2"),
        ("curl -H 'Authorization: Basic c2hvcDp0UjR2Ym45UXgy' https://api.example.net", "c2hvcDp0UjR2Ym45UXgy"),
        ('headers: { "X-Api-Key": "Zk41vQx9Lm7RtB2nYp8s" }', "Zk41vQx9Lm7RtB2nYp8s"),
        ("Server=db.internal;Database=shop;User Id=shop;Password=tR4!vbn9Qx2;", "tR4!vbn9Qx2"),
        ("AccountName=shop;AccountKey=" + "Zk41vQx9Lm7RtB2nYp8s" * 4 + "==;", "Zk41vQx9Lm7RtB2nYp8s" * 4),
        ("curl -u shop:tR4!vbn9Qx2 https://api.example.net", "tR4!vbn9Qx2"),
        ("user: shop, pw:tR4!vbn9Qx2", "tR4!vbn9Qx2"),
        ("mysql --password tR4vbn9Qx2 shop", "tR4vbn9Qx2"),
        ('#define PASSWORD "tR4vbn9Qx2"', "tR4vbn9Qx2"),
        ("https://api.example.net/js?token=Zk41vQx9Lm7RtB2nYp8s&page=2", "Zk41vQx9Lm7RtB2nYp8s"),
        ('{"kty": "oct", "k": "Zk41vQx9Lm7RtB2nYp8s"}', "Zk41vQx9Lm7RtB2nYp8s"),
        (f"tls.key: {ENCODED}", ENCODED),
    ],
)
def test_what_is_said_in_prose_commands_and_statements_reaches_no_model(text: str, value: str) -> None:
    clean = secrets.redact(text)
    assert value not in clean
    assert "<SECRET:" in clean


@pytest.mark.parametrize(
    "text",
    [
        "const passwordHash = await hash(password, salt);",
        "if (token !== user.resetToken) throw new ForbiddenError('token expired');",
        "export const keys = { sha256Key: 'sha256', md5Hash: 'md5' };",
        "const key = `user:${id}:v2`;",
        "// The token is base64url2 encoded.",
        "password.length >= 8 && /[A-Z0-9]/.test(password)",
        "ALTER USER shop IDENTIFIED BY :password",
        "Authorization: Bearer <token>",
        "headers.authorization = `Bearer ${accessToken}`;",
        "import { passkey2Options } from '../passkeys/options2';",
        "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t" + some(90),
    ],
)
def test_ordinary_code_about_secrets_stays_as_it_is(text: str) -> None:
    assert secrets.redact(text) == text


@pytest.mark.parametrize("unit", ["password=", "pass1:", "eyJ", "curl -u ", "user=a;", "LS0tLS1CRUdJTi", "key is "])
def test_hostile_repeats_end(unit: str) -> None:
    assert secrets.redact(unit * 3_000)


def test_a_web_token_is_kept_from_models_though_it_may_be_meant_to_be_seen() -> None:
    token = f"eyJ{some(20)}.eyJ{some(40)}.{some(43)}"
    (secret,) = secrets.find(f"const anon = '{token}';")
    assert secret.certainty is Certainty.POSSIBLE
    assert token not in secrets.redact(token)


def test_one_value_has_one_placeholder_and_another_has_another() -> None:
    one, other = "ghp_" + some(36), "ghp_" + some(36)
    assert secrets.redact(f"{one} {other} {one}") == (
        "<SECRET:GitHub token#1> <SECRET:GitHub token#2> <SECRET:GitHub token#1>"
    )


def test_text_without_secrets_stays_as_it_is() -> None:
    text = "for (const token of tokens) { print(token.value, 'a b c'); }\n" * 50
    assert secrets.redact(text) == text


@given(st.text(max_size=300))
def test_redaction_keeps_lines_and_is_done_after_once(text: str) -> None:
    once = secrets.redact(text)
    assert once.count("\n") == text.count("\n")
    assert [one for one in secrets.find(once) if one.certainty is Certainty.PROVEN] == []


@given(st.text(alphabet="abAB01=:'\"\n -_./@", max_size=200), st.sampled_from(sorted(TOKENS)))
def test_a_token_is_redacted_wherever_it_stands_alone(around: str, name: str) -> None:
    token = TOKENS[name]
    assert token not in secrets.redact(f"{around} {token} {around}")
