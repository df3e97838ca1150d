"""What the operator sets, read once: environment → `Settings`, or one line that names the variable to correct.

The names are a contract (README, "Settings"). Secrets are `SecretStr`, so that no repr, log or error shows them.
Whoever holds an `App` knows that the webhook secret is fit for use and that the key is an RSA key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from app import identity
from app.errors import Code, UserError

PASSWORD_MIN_CHARACTERS = 12
SECRET_MIN_CHARACTERS = 16
SECRETS_AT_MOST = 2
KEY_AT_MOST_BYTES = 64 * 1024
FILE_SUFFIX = "_FILE"
PUBLIC_SECRETS = frozenset({"It's a Secret to Everybody", "replace-this-with-a-long-random-secret"})
"""Secrets that stand in somebody's documentation: everybody can sign with them."""


class Effort(StrEnum):
    """How much a review may read and ask."""

    QUICK = "quick"
    STANDARD = "standard"
    DEEP = "deep"


@dataclass(frozen=True, slots=True)
class App:
    """A complete App identity: its id, its RSA key in PEM, and the one or two webhook secrets in use."""

    id: int
    private_key: SecretStr
    webhook_secrets: tuple[SecretStr, ...]


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "must be an address that starts with https:// (or http://)"
        raise ValueError(msg)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = "must be a plain address, without user, query or fragment"
        raise ValueError(msg)
    return value.rstrip("/")


def _words(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _folders(value: Any) -> Any:
    return tuple(part for part in value.split(os.pathsep) if part.strip()) if isinstance(value, str) else value


def _secrets(value: Any) -> Any:
    # Empty parts are kept, so that "first," is refused and does not silently become one secret.
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _database(value: str) -> str:
    scheme = value.partition(":")[0].partition("+")[0]
    if scheme == "postgres":  # The older name of the same scheme, which hosting platforms still hand out.
        return "postgresql" + value[len("postgres") :]
    if scheme == "sqlite" and (not urlsplit(value).path.strip("/") or "memory" in value.partition("///")[2][:8]):
        msg = "must name a file: a database in memory would lose what GitHub was told is safe"
        raise ValueError(msg)
    if scheme not in {"sqlite", "postgresql"}:
        msg = "must start with sqlite:/// or postgresql://"
        raise ValueError(msg)
    return value


Url = Annotated[str, AfterValidator(_url)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Folders = Annotated[tuple[Path, ...], BeforeValidator(_folders)]


class Settings(BaseModel):
    """Every variable of the settings table, typed and checked. Empty variables count as not set."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    github_api_url: Url = Field("https://api.github.com", alias="GITHUB_API_URL")
    github_server_url: Url = Field("https://github.com", alias="GITHUB_SERVER_URL")
    github_app_id: int | None = Field(None, alias="GITHUB_APP_ID", ge=1, lt=2**63)
    github_private_key: SecretStr | None = Field(None, alias="GITHUB_PRIVATE_KEY")
    github_private_key_path: Path | None = Field(None, alias="GITHUB_PRIVATE_KEY_PATH")
    github_webhook_secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets)] = Field(
        (), alias="GITHUB_WEBHOOK_SECRET"
    )
    github_token: SecretStr | None = Field(None, alias="GITHUB_TOKEN")

    openai_api_key: SecretStr | None = Field(None, alias="OPENAI_API_KEY")
    openai_base_url: Url | None = Field(None, alias="OPENAI_BASE_URL")
    anthropic_api_key: SecretStr | None = Field(None, alias="ANTHROPIC_API_KEY")
    anthropic_base_url: Url | None = Field(None, alias="ANTHROPIC_BASE_URL")
    azure_openai_endpoint: Url | None = Field(None, alias="AZURE_OPENAI_ENDPOINT")
    azure_openai_api_key: SecretStr | None = Field(None, alias="AZURE_OPENAI_API_KEY")
    openai_api_version: str = Field("2024-10-21", alias="OPENAI_API_VERSION")
    aws_region: str | None = Field(None, alias="AWS_REGION")
    aws_bearer_token_bedrock: SecretStr | None = Field(None, alias="AWS_BEARER_TOKEN_BEDROCK")
    anthropic_bedrock_base_url: Url | None = Field(None, alias="ANTHROPIC_BEDROCK_BASE_URL")
    anthropic_vertex_project_id: str | None = Field(None, alias="ANTHROPIC_VERTEX_PROJECT_ID")
    anthropic_vertex_base_url: Url | None = Field(None, alias="ANTHROPIC_VERTEX_BASE_URL")
    anthropic_vertex_token: SecretStr | None = Field(None, alias="ANTHROPIC_VERTEX_TOKEN")
    cloud_ml_region: str = Field("global", alias="CLOUD_ML_REGION", min_length=1)
    model: str | None = Field(None, alias="PRINCIPAL_MODEL")
    verifier_model: str | None = Field(None, alias="PRINCIPAL_VERIFIER_MODEL")
    triage_model: str | None = Field(None, alias="PRINCIPAL_TRIAGE_MODEL")
    effort: Effort = Field(Effort.STANDARD, alias="PRINCIPAL_EFFORT")
    model_timeout_seconds: float = Field(120.0, alias="PRINCIPAL_MODEL_TIMEOUT_SECONDS", gt=0, le=3600)
    model_calls_at_once: int = Field(32, alias="PRINCIPAL_MODEL_CALLS_AT_ONCE", ge=1, le=2000)
    max_tokens_per_review: int = Field(400_000, alias="PRINCIPAL_MAX_TOKENS_PER_REVIEW", ge=0)
    daily_budget_usd: float | None = Field(None, alias="PRINCIPAL_DAILY_BUDGET_USD", ge=0, allow_inf_nan=False)
    repository_budget_usd: float | None = Field(
        None, alias="PRINCIPAL_REPOSITORY_BUDGET_USD", ge=0, allow_inf_nan=False
    )
    prices: Path | None = Field(None, alias="PRINCIPAL_PRICES")

    database: Annotated[str, AfterValidator(_database)] | None = Field(None, alias="DATABASE_URL", repr=False)
    data_dir: Path = Field(Path("data"), alias="PRINCIPAL_DATA_DIR")
    skills: Folders = Field((), alias="PRINCIPAL_SKILLS")
    rules: Folders = Field((), alias="PRINCIPAL_RULES")
    secret_key: SecretStr | None = Field(None, alias="PRINCIPAL_SECRET_KEY")
    public_url: Url | None = Field(None, alias="PRINCIPAL_PUBLIC_URL")
    quiet_seconds: float = Field(15.0, alias="PRINCIPAL_QUIET_SECONDS", ge=0, le=3600)
    retention_days: float = Field(30.0, alias="PRINCIPAL_RETENTION_DAYS", gt=0, le=3660)
    grace_seconds: float = Field(2.0, alias="PRINCIPAL_GRACE_SECONDS", ge=0, le=600)
    reviews_at_once: int = Field(300, alias="PRINCIPAL_REVIEWS_AT_ONCE", ge=1, le=2000)
    repositories: Words = Field((), alias="PRINCIPAL_REPOSITORIES")
    allow_verdict: bool = Field(default=False, alias="PRINCIPAL_ALLOW_VERDICT")

    host: str = Field("0.0.0.0", alias="HOST")  # noqa: S104 - a service in a container is reached from outside it.
    port: int = Field(8000, alias="PORT", ge=0, le=65535)
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        "INFO", alias="LOG_LEVEL"
    )
    otel_exporter_otlp_endpoint: Url | None = Field(None, alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    otel_exporter_otlp_traces_endpoint: Url | None = Field(None, alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    otel_traces_exporter: Literal["otlp", "none"] = Field("otlp", alias="OTEL_TRACES_EXPORTER")
    otel_sdk_disabled: bool = Field(default=False, alias="OTEL_SDK_DISABLED")
    otel_service_name: str = Field("principal", alias="OTEL_SERVICE_NAME")
    dashboard_password: SecretStr | None = Field(None, alias="PRINCIPAL_DASHBOARD_PASSWORD")
    dashboard_org: str | None = Field(None, alias="PRINCIPAL_DASHBOARD_ORG")
    github_client_id: str | None = Field(None, alias="GITHUB_CLIENT_ID")
    github_client_secret: SecretStr | None = Field(None, alias="GITHUB_CLIENT_SECRET")

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """The settings of this environment (the process's own by default), and the App of a set-up where it names none.

        Raises `UserError` (SETTINGS_INVALID) with one line that names every wrong variable and never shows its value.
        """
        environ = os.environ if environ is None else environ
        given = {name: environ[name] for name in _names() if environ.get(name, "").strip()}
        given |= _from_files(environ, given)
        try:
            settings = cls.model_validate(given)
            stored = {} if identity.IDENTITY & given.keys() else identity.read(settings.data_dir)
            return cls.model_validate({**stored, **given}) if stored else settings
        except ValidationError as error:
            raise _refused("; ".join(_sentences(error))) from None

    @property
    def app_configured(self) -> bool:
        """Whether any of the App's identity is set. `app()` says whether all of it is, and is right."""
        return any((self.github_app_id, self.github_private_key, self.github_private_key_path))

    @property
    def dashboard_configured(self) -> bool:
        """Whether there is a way to log in to the dashboard. Raises `UserError` when one is half configured."""
        password, by_github = self.dashboard_password, self.dashboard_org is not None
        if password is not None and len(password.get_secret_value()) < PASSWORD_MIN_CHARACTERS:
            raise _refused(f"PRINCIPAL_DASHBOARD_PASSWORD is shorter than {PASSWORD_MIN_CHARACTERS} characters")
        if by_github and (self.github_client_id is None or self.github_client_secret is None):
            raise _refused("PRINCIPAL_DASHBOARD_ORG is set: GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET must be as well")
        return by_github or password is not None

    def app(self) -> App | None:
        """The App's identity; None when nothing of it is set.

        Raises `UserError` naming the variable when the App is half configured: an id without a webhook secret, a secret
        that others could guess, a key that is missing, unreadable or not an RSA key.
        """
        if not self.app_configured:
            return None
        if self.github_app_id is None:
            raise _refused("GITHUB_APP_ID is missing: a private key is set, and without the id nothing can be signed")
        return App(
            id=self.github_app_id,
            private_key=self._private_key(),
            webhook_secrets=fit_secrets(self.github_webhook_secrets),
        )

    @property
    def database_url(self) -> str:
        """Where deliveries and jobs are kept: `DATABASE_URL`, else a SQLite file in the data folder."""
        return self.database or f"sqlite:///{(self.data_dir / 'principal.db').absolute()}"

    @property
    def github_graphql_url(self) -> str:
        """The GraphQL address that belongs to the REST root: github.com, GHE.com and GitHub Enterprise Server."""
        if self.github_api_url.endswith("/api/v3"):
            return self.github_api_url.removesuffix("/v3") + "/graphql"
        return f"{self.github_api_url}/graphql"

    @property
    def traces_endpoint(self) -> str | None:
        """Where traces are sent by OTLP over HTTP; None when no variable names a place, or one switches them off."""
        if self.otel_sdk_disabled or self.otel_traces_exporter == "none":
            return None
        if self.otel_exporter_otlp_traces_endpoint:
            return self.otel_exporter_otlp_traces_endpoint
        return self.otel_exporter_otlp_endpoint and f"{self.otel_exporter_otlp_endpoint}/v1/traces"

    def secret_values(self) -> tuple[str, ...]:
        """Every value of these settings that must never be said: keys, tokens, passwords. For comparing, not for showing."""
        held = [getattr(self, name) for name in type(self).model_fields]
        single = [value for value in held if isinstance(value, SecretStr)]
        app = self.app()
        several = [*self.github_webhook_secrets, *([app.private_key] if app else [])]
        password = urlsplit(self.database).password if self.database else None
        return (*(value.get_secret_value() for value in (*single, *several)), *([password] if password else []))

    def _private_key(self) -> SecretStr:
        if self.github_private_key and self.github_private_key_path:
            raise _refused("GITHUB_PRIVATE_KEY and GITHUB_PRIVATE_KEY_PATH are both set: keep one")
        if self.github_private_key:
            # Many platforms cannot hold line breaks in a variable and write them as backslash-n.
            return _rsa_key(self.github_private_key.get_secret_value().replace("\\n", "\n"), "GITHUB_PRIVATE_KEY")
        if self.github_private_key_path is None:
            raise _refused("GITHUB_PRIVATE_KEY or GITHUB_PRIVATE_KEY_PATH is missing: GITHUB_APP_ID is set")
        try:
            with self.github_private_key_path.open("rb") as file:
                text, facts = file.read(KEY_AT_MOST_BYTES).decode(), os.fstat(file.fileno())
        except OSError as error:
            raise _refused(f"GITHUB_PRIVATE_KEY_PATH cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise _refused("GITHUB_PRIVATE_KEY_PATH is not a PEM file") from None
        key = _rsa_key(text, "GITHUB_PRIVATE_KEY_PATH")
        identity.refuse_shared(self.github_private_key_path, facts, named="GITHUB_PRIVATE_KEY_PATH")
        return key


def fit_secrets(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """The webhook secrets, if there are one or two and nobody can guess them. Raises `UserError` otherwise."""
    if not secrets:
        raise _refused("GITHUB_WEBHOOK_SECRET is missing: without it anybody could send events")
    if len(secrets) > SECRETS_AT_MOST:
        raise _refused("GITHUB_WEBHOOK_SECRET holds more than two secrets: keep the new one and the one being replaced")
    for secret in secrets:
        value = secret.get_secret_value()
        if not value.strip():
            raise _refused("GITHUB_WEBHOOK_SECRET is empty, or has an empty part beside a comma")
        if len(value) < SECRET_MIN_CHARACTERS:
            raise _refused(f"GITHUB_WEBHOOK_SECRET is shorter than {SECRET_MIN_CHARACTERS} characters")
        if value in PUBLIC_SECRETS:
            raise _refused("GITHUB_WEBHOOK_SECRET is an example from the documentation: make a random one")
    return secrets


def _rsa_key(pem: str, variable: str) -> SecretStr:
    try:
        identity.signing_key(pem)
    except ValueError as error:
        raise _refused(f"{variable} {error}") from None
    return SecretStr(pem)


def _from_files(environ: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The secrets that stand in files: `NAME_FILE` holds the path, as container platforms mount them.

    Raises `UserError` when one is set in both ways, or cannot be read.
    """
    found: dict[str, str] = {}
    for name in _may_be_files():
        path = environ.get(name + FILE_SUFFIX, "").strip()
        if not path:
            continue
        if name in given:
            raise _refused(f"{name} and {name}{FILE_SUFFIX} are both set: keep one")
        try:
            with Path(path).open("rb") as file:
                found[name] = file.read(KEY_AT_MOST_BYTES).decode().strip()
        except OSError as error:
            raise _refused(f"{name}{FILE_SUFFIX} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError:
            raise _refused(f"{name}{FILE_SUFFIX} is not text") from None
    return {name: value for name, value in found.items() if value}


def _may_be_files() -> list[str]:
    """The variables that hold a secret. The App's key has a variable for its path, which also looks at the file's mode."""
    secret = [field.alias for field in Settings.model_fields.values() if "SecretStr" in str(field.annotation)]
    return ["DATABASE_URL", *(name for name in secret if name and name != "GITHUB_PRIVATE_KEY")]


def _names() -> list[str]:
    return [field.alias for field in Settings.model_fields.values() if field.alias]


def _sentences(error: ValidationError) -> list[str]:
    return [
        f"{problem['loc'][0]}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _refused(what: str) -> UserError:
    return UserError(what, Code.SETTINGS_INVALID)
