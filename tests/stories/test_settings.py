"""Settings: what is wrong is refused in one line that names the variable and shows no secret, before a port is opened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app.errors import Code, UserError
from app.settings import Effort, Settings

ROOT = Path(__file__).parents[2]
SECRET = "a-secret-that-nobody-guesses"


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


KEY = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
ELLIPTIC = pem(ec.generate_private_key(ec.SECP256R1()))
APP = {"GITHUB_APP_ID": "7", "GITHUB_PRIVATE_KEY": KEY, "GITHUB_WEBHOOK_SECRET": SECRET}


def refusal(environ):
    with pytest.raises(UserError) as refused:
        Settings.load(environ).app()
    assert refused.value.code is Code.SETTINGS_INVALID
    assert "\n" not in refused.value.what
    return refused.value.what


def test_nothing_set_is_a_valid_installation_without_an_app():
    settings = Settings.load({})
    assert not settings.app_configured
    assert settings.app() is None
    assert settings.github_graphql_url == "https://api.github.com/graphql"
    assert settings.database_url == f"sqlite:///{Path('data').absolute()}/principal.db"
    assert (settings.effort, settings.quiet_seconds, settings.port) == (Effort.STANDARD, 15.0, 8000)


def test_a_whole_app_is_accepted():
    app = Settings.load(APP).app()
    assert app is not None
    assert app.id == 7
    assert app.private_key.get_secret_value() == KEY
    assert [secret.get_secret_value() for secret in app.webhook_secrets] == [SECRET]


def test_any_secret_may_stand_in_a_file_but_not_in_two_places(tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    settings = Settings.load(
        {"OPENAI_API_KEY_FILE": str(file), "GITHUB_WEBHOOK_SECRET_FILE": str(file), "HOST_FILE": "x"}
    )
    assert settings.openai_api_key is not None
    assert settings.openai_api_key.get_secret_value() == SECRET
    assert [one.get_secret_value() for one in settings.github_webhook_secrets] == [SECRET]
    assert settings.host == "0.0.0.0"
    file.write_text("postgresql://a:b@c/d\n")
    assert Settings.load({"DATABASE_URL_FILE": str(file)}).database_url == "postgresql://a:b@c/d"
    both = {"OPENAI_API_KEY_FILE": str(file), "OPENAI_API_KEY": "x"}
    assert refusal(both) == "OPENAI_API_KEY and OPENAI_API_KEY_FILE are both set: keep one"
    missing = {"GITHUB_TOKEN_FILE": str(tmp_path / "none")}
    assert refusal(missing) == "GITHUB_TOKEN_FILE cannot be read: No such file or directory"
    file.write_bytes(b"\xff\xfe")
    assert refusal({"GITHUB_TOKEN_FILE": str(file)}) == "GITHUB_TOKEN_FILE is not text"


def test_a_key_may_come_from_a_file_or_with_written_line_breaks(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text(KEY)
    file.chmod(0o440)
    from_file = {"GITHUB_APP_ID": "7", "GITHUB_PRIVATE_KEY_PATH": str(file), "GITHUB_WEBHOOK_SECRET": SECRET}
    assert Settings.load(from_file).app() == Settings.load(APP).app()
    assert Settings.load(APP | {"GITHUB_PRIVATE_KEY": KEY.replace("\n", "\\n")}).app() == Settings.load(APP).app()


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o777])
def test_s59_a_key_that_others_may_use_is_refused_with_its_mode(tmp_path, mode):
    file = tmp_path / "key.pem"
    file.write_text(KEY)
    file.chmod(mode)
    said = refusal(APP | {"GITHUB_PRIVATE_KEY": "", "GITHUB_PRIVATE_KEY_PATH": str(file)})
    assert f"{file} (mode {mode:04o})" in said
    assert "chmod 600" in said


def test_s59_a_key_that_belongs_to_somebody_else_is_refused(tmp_path):
    file = tmp_path / "key.pem"
    file.write_text(KEY)
    file.chmod(0o600)
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(file, 12_345, -1)
    said = refusal(APP | {"GITHUB_PRIVATE_KEY": "", "GITHUB_PRIVATE_KEY_PATH": str(file)})
    assert "belongs to another user (12345)" in said


def test_two_secrets_may_be_active():
    app = Settings.load(APP | {"GITHUB_WEBHOOK_SECRET": f"{SECRET}, {SECRET}-2"}).app()
    assert app is not None
    assert [secret.get_secret_value() for secret in app.webhook_secrets] == [SECRET, f"{SECRET}-2"]


@pytest.mark.parametrize(
    "secret",
    [
        "",
        " ",
        " \t\n ",
        "short",
        "x" * 15,
        f"{SECRET},",
        f",{SECRET}",
        f"{SECRET},,",
        f"{SECRET}, short",
        f"{SECRET},{SECRET},{SECRET}",
        "It's a Secret to Everybody",
        "replace-this-with-a-long-random-secret",
    ],
    ids=range(12),
)
def test_s16_a_secret_that_protects_nobody_is_refused(secret):
    assert "GITHUB_WEBHOOK_SECRET" in refusal(APP | {"GITHUB_WEBHOOK_SECRET": secret})


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"GITHUB_PRIVATE_KEY": ""}, "GITHUB_PRIVATE_KEY"),
        ({"GITHUB_PRIVATE_KEY": "not a key"}, "GITHUB_PRIVATE_KEY"),
        ({"GITHUB_PRIVATE_KEY": KEY[:200]}, "GITHUB_PRIVATE_KEY"),
        ({"GITHUB_PRIVATE_KEY": ELLIPTIC}, "GITHUB_PRIVATE_KEY is not an RSA key"),
        (
            {"GITHUB_PRIVATE_KEY": "", "GITHUB_PRIVATE_KEY_PATH": "/nowhere/key.pem"},
            "GITHUB_PRIVATE_KEY_PATH cannot be read",
        ),
        ({"GITHUB_PRIVATE_KEY": "", "GITHUB_PRIVATE_KEY_PATH": "/"}, "GITHUB_PRIVATE_KEY_PATH cannot be read"),
        (
            {"GITHUB_PRIVATE_KEY": "", "GITHUB_PRIVATE_KEY_PATH": sys.executable},
            "GITHUB_PRIVATE_KEY_PATH is not a PEM file",
        ),
        ({"GITHUB_PRIVATE_KEY_PATH": "/nowhere"}, "both set"),
        ({"GITHUB_APP_ID": ""}, "GITHUB_APP_ID is missing"),
        ({"GITHUB_APP_ID": "seven"}, "GITHUB_APP_ID"),
        ({"GITHUB_APP_ID": "0"}, "GITHUB_APP_ID"),
        ({"GITHUB_APP_ID": "-7"}, "GITHUB_APP_ID"),
    ],
)
def test_half_an_app_is_refused_and_the_variable_named(changes, variable):
    assert variable in refusal(APP | changes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_API_URL", "api.github.com"),
        ("GITHUB_API_URL", "ftp://api.github.com"),
        ("GITHUB_SERVER_URL", "https://user:pass@github.com"),
        ("OPENAI_BASE_URL", "https://"),
        ("ANTHROPIC_BASE_URL", "https://host/?key=1"),
        ("PRINCIPAL_EFFORT", "heroic"),
        ("PRINCIPAL_MODEL_TIMEOUT_SECONDS", "0"),
        ("PRINCIPAL_MODEL_TIMEOUT_SECONDS", "nan"),
        ("PRINCIPAL_MAX_TOKENS_PER_REVIEW", "many"),
        ("PRINCIPAL_DAILY_BUDGET_USD", "-1"),
        ("PRINCIPAL_DAILY_BUDGET_USD", "inf"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("PRINCIPAL_QUIET_SECONDS", "-1"),
        ("PRINCIPAL_RETENTION_DAYS", "0"),
        ("PRINCIPAL_ALLOW_VERDICT", "perhaps"),
        ("PORT", "65536"),
        ("LOG_LEVEL", "chatty"),
    ],
)
def test_a_wrong_value_is_refused_and_the_variable_named(name, value):
    assert name in refusal({name: value})


def test_every_wrong_variable_is_named_at_once():
    what = refusal({"PORT": "x", "LOG_LEVEL": "x"})
    assert "PORT" in what
    assert "LOG_LEVEL" in what


def test_lists_folders_and_other_forms_are_read():
    settings = Settings.load(
        {
            "PRINCIPAL_REPOSITORIES": "octo/*, acme/shop ,",
            "PRINCIPAL_SKILLS": os.pathsep.join(("/one", "/two")),
            "GITHUB_API_URL": "https://ghe.example/api/v3/",
            "DATABASE_URL": "postgres://localhost/principal",
            "LOG_LEVEL": "debug",
            "PRINCIPAL_ALLOW_VERDICT": "on",
            "HOST": "  ",
        }
    )
    assert settings.repositories == ("octo/*", "acme/shop")
    assert settings.skills == (Path("/one"), Path("/two"))
    assert settings.github_api_url == "https://ghe.example/api/v3"
    assert settings.github_graphql_url == "https://ghe.example/api/graphql"
    assert settings.database_url == "postgresql://localhost/principal"
    assert settings.log_level == "DEBUG"
    assert settings.allow_verdict
    assert settings.host == "0.0.0.0"


def test_no_secret_is_shown():
    secrets = {
        "GITHUB_TOKEN": "ghs_hush-1",
        "OPENAI_API_KEY": "hush-2",
        "ANTHROPIC_API_KEY": "hush-3",
        "PRINCIPAL_SECRET_KEY": "hush-4",
        "PRINCIPAL_DASHBOARD_PASSWORD": "hush-5",
        "GITHUB_CLIENT_SECRET": "hush-6",
        "DATABASE_URL": "postgresql://user:hush-7@localhost/x",
        "GITHUB_WEBHOOK_SECRET": "hush-8-and-some-more",
    }
    settings = Settings.load(secrets)
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)
    assert "hush" not in refusal(APP | {"GITHUB_PRIVATE_KEY": "hush hush hush", "GITHUB_APP_ID": "7"})
    assert "hush" not in refusal({"DATABASE_URL": "mysql://user:hush@host/x", "PORT": "hush"})


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Settings.load({}).port = 1


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"GITHUB_WEBHOOK_SECRET": ""}, "GITHUB_WEBHOOK_SECRET"),
        ({"GITHUB_PRIVATE_KEY": "not a key"}, "GITHUB_PRIVATE_KEY"),
    ],
)
def test_s16_the_server_does_not_start_half_configured(tmp_path, changes, variable):
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    ended = subprocess.run(
        [sys.executable, "-c", "from app.cli import main; main()", "serve"],
        cwd=ROOT,
        env=clean | APP | {"PRINCIPAL_DATA_DIR": str(tmp_path), "PORT": "0"} | changes,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode != 0
    assert variable in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []
