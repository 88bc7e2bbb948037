"""Every variable the product reads, in one class. `.env.example` documents each of them.

A workspace's own token variable (`arcana workspace add --token-env NAME`) is the one exception: its name
is data, so `token_from_environment` looks it up.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from arcana_pipelines import installation_secrets
from arcana_pipelines.alert_routes import Route, is_address
from arcana_pipelines.alert_routes import parse as parse_routes
from arcana_pipelines.errors import FileRefused, InvalidSetting, MissingToken
from arcana_pipelines.home import DEFAULT, require_known
from arcana_pipelines.mail_address import MailServer
from arcana_pipelines.trusted_files import read_secret


def _is_http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address that begins with http:// or https://")
    return url.rstrip("/")


def _is_origin(url: str) -> str:
    parts = urlsplit(_is_http(url))
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be the address of a server, without a path: http://127.0.0.1:3000")
    return f"{parts.scheme}://{parts.netloc}"


def _is_postgres(url: SecretStr) -> SecretStr:
    from arcana_pipelines.postgres_address import Address

    return SecretStr(Address.parse(url.get_secret_value()).url)


def require_https(url: str) -> str:
    """An address as it is written, if nobody on the way can read or change what it answers.

    Raises:
        ValueError: it is another one.
    """
    parts = urlsplit(url)
    is_here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not is_here):
        raise ValueError("must be an address that begins with https:// (http:// on this machine alone)")
    return url


def _is_redis(url: SecretStr) -> SecretStr:
    if urlsplit(url.get_secret_value()).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("must be an address that begins with redis://, rediss:// or unix://")
    return url


def _tags(text: str) -> dict[str, str]:
    """Tags of runs; a value that is no text stands in them as JSON, as `dagster-k8s/config` wants it.

    Raises:
        ValueError: it is no JSON object.
    """
    try:
        given = json.loads(text or "{}")
    except json.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise ValueError('must be a JSON object of tags, for instance {"dagster-celery/queue": "embedding"}')
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}


def _are_tags(text: str) -> str:
    _tags(text)
    return text


def _is_broker(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError("must be an address that begins with redis:// or rediss://")
    # Celery would tell its password to whoever answers.
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in parse_qs(parts.query):
        raise ValueError("must end in ?ssl_cert_reqs=required (none: nobody proves who answers)")
    return url


def _is_secret_http(url: SecretStr) -> SecretStr:
    return SecretStr(_is_http(url.get_secret_value()))


def _is_mail_server(url: SecretStr) -> SecretStr:
    MailServer.parse(url.get_secret_value())
    return url


def _are_addresses(text: str) -> str:
    if wrong := [each for each in _with_commas(text) if not is_address(each)]:
        raise ValueError(f"'{wrong[0]}' is no e-mail address")
    return text


def _is_address(text: str) -> str:
    if text and not is_address(text):
        raise ValueError("must be one e-mail address")
    return text


def _are_routes(text: str) -> str:
    parse_routes(text)
    return text


def _with_commas(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _is_strong(secret: SecretStr) -> SecretStr:
    return SecretStr(installation_secrets.require_strong(secret.get_secret_value().strip()))


def _is_encryption_key(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value().strip()
    installation_secrets.key_bytes(key)
    return SecretStr(key)


def _one_of(kind: str, *ours: str) -> Callable[[str], str]:
    """A check that a name is one of ours, or of what plug-ins bring of this kind."""

    def check(name: str) -> str:
        from arcana_pipelines import plugins

        if name not in ours and name not in (others := plugins.installed(kind)):
            raise ValueError(f"must be {' or '.join(repr(each) for each in (*ours, *others))}")
        return name

    return check


HttpUrl = Annotated[str, AfterValidator(_is_http)]
HttpOrigin = Annotated[str, AfterValidator(_is_origin)]
HttpsUrl = Annotated[str, AfterValidator(require_https)]
SecretHttpUrl = Annotated[SecretStr, AfterValidator(_is_secret_http)]
RedisUrl = Annotated[SecretStr, AfterValidator(_is_redis)]
BrokerUrl = Annotated[SecretStr, AfterValidator(_is_broker)]
RunTags = Annotated[str, AfterValidator(_are_tags)]
MailServerUrl = Annotated[SecretStr, AfterValidator(_is_mail_server)]
EmailAddress = Annotated[str, AfterValidator(_is_address)]
EmailAddresses = Annotated[str, AfterValidator(_are_addresses)]
AlertRoutes = Annotated[str, AfterValidator(_are_routes)]
StrongSecret = Annotated[SecretStr, AfterValidator(_is_strong)]
EncryptionKey = Annotated[SecretStr, AfterValidator(_is_encryption_key)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_is_postgres)]
EmbeddingProviderName = Annotated[
    str, AfterValidator(_one_of("embedding provider", "local", "local-small", "onnx", "openai"))
]
RerankerName = Annotated[str, AfterValidator(_one_of("reranker", "endpoint", "onnx"))]


class _Unusable(InvalidSetting):
    def __init__(self, problems: dict[str, str]) -> None:
        self.problems = problems
        super().__init__(
            "; ".join(f"{name}: {problem}" if name else problem for name, problem in problems.items())
            + ". Correct the environment or the .env file (.env.example explains each variable)."
        )


class _FromEnvironment(BaseModel):
    """A model whose fields are variables of the environment in capitals; empty ones count as unset.

    A secret may be in a file, which the variable with `_FILE` behind its name names. What is given by name wins over
    the environment.

    Raises:
        InvalidSetting: the file of a secret is not read.
        pydantic.ValidationError: a value cannot be used.
    """

    # pydantic-settings does the same and more, and takes longer to import than pydantic.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, validate_default=True)

    def __init__(self, **given: Any) -> None:
        variables = {name.lower(): value for name, value in (os.environ | _said_anew).items() if value}
        fields = type(self).model_fields
        problems: dict[str, str] = {}
        for name in sorted(fields.keys() - variables.keys() - given.keys()):
            if f"{name}_file" in variables and _holds_secret(fields[name].annotation):
                try:
                    variables[name] = _secret_of_file(f"{name}_FILE".upper())
                except _Unusable as error:
                    problems.update(error.problems)
        if problems:
            raise _Unusable(problems)
        super().__init__(**{**{name: variables[name] for name in fields if name in variables}, **given})


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))


def _secret_of_file(variable: str) -> str:
    path = Path(os.environ[variable]).expanduser()
    if not path.is_absolute():
        raise _Unusable({variable: "must be an absolute path, as what Arcana starts runs in other folders than yours"})
    try:
        return read_secret(path)
    except FileRefused as error:
        raise _Unusable({variable: f"{path} is not read: {error}"}) from None
    except OSError as error:
        raise _Unusable({variable: f"{path} cannot be read: {error.strerror}"}) from None


class ScheduleTimes(_FromEnvironment):
    """When things happen by the clock: cron expressions of five fields, in one time zone.

    Apart from `Settings` because Dagster's definitions are loaded with nothing else of the environment. Whether they
    are times at all is for Dagster to say (`defs.schedule_times`).

    Attributes:
        schedule_audit: when every source is listed and compared in full.
        schedule_quality: when the golden questions are asked.
        schedule_check_installation: when the schema and the freshness of all workspaces are checked.
        schedule_maintenance: when old records of Dagster's runs are deleted.
        schedule_backup: when everything is backed up, where BACKUP_TO says where to.
        schedule_time_zone: the zone of all five, by its name: `Asia/Seoul`.
    """

    schedule_audit: str = "0 3 * * *"
    schedule_quality: str = "0 5 * * *"
    schedule_check_installation: str = "30 5 * * *"
    schedule_maintenance: str = "0 6 * * *"
    schedule_backup: str = "0 2 * * *"
    schedule_time_zone: str = "UTC"


class LauncherSettings(_FromEnvironment):
    """Where runs of Dagster are started, and what that needs.

    Apart from `Settings` because Dagster's daemon and its web server start and stop runs with nothing else of the
    environment. What has to be there for which launcher is said by `defs.launcher`.

    Attributes:
        run_launcher: `local` (beside the code), `docker`, `kubernetes` or `celery`.
        celery_broker_url: the Redis or Valkey that hands runs to workers and keeps their state.
        docker_image: the image of runs; unset, that of the code server.
        docker_network: the network that containers of runs are in.
        kubernetes_namespace: where Jobs of runs are made.
        kubernetes_image: the image of runs; unset, that of the code server.
        kubernetes_service_account: as whom pods of runs act.
        kubernetes_config_map: the ConfigMap whose key `dagster.yaml` is Dagster's instance.
        kubernetes_env_secrets: Secrets whose keys are variables of runs, with commas.
        kubernetes_env_config_maps: ConfigMaps of the same kind.
        embedding_run_tags: tags of runs that embed whole workspaces, by which they go to machines of their own; JSON.
    """

    run_launcher: Literal["local", "docker", "kubernetes", "celery"] = "local"
    celery_broker_url: BrokerUrl | None = None
    docker_image: str | None = None
    docker_network: str | None = None
    kubernetes_namespace: str = "default"
    kubernetes_image: str | None = None
    kubernetes_service_account: str = "default"
    kubernetes_config_map: str = "dagster-instance"
    kubernetes_env_secrets: str = ""
    kubernetes_env_config_maps: str = ""
    embedding_run_tags: RunTags = ""

    @property
    def tags_of_embedding(self) -> dict[str, str]:
        """The tags in `EMBEDDING_RUN_TAGS`."""
        return _tags(self.embedding_run_tags)

    @property
    def env_secrets(self) -> list[str]:
        """The names in `KUBERNETES_ENV_SECRETS`."""
        return _with_commas(self.kubernetes_env_secrets)

    @property
    def env_config_maps(self) -> list[str]:
        """The names in `KUBERNETES_ENV_CONFIG_MAPS`."""
        return _with_commas(self.kubernetes_env_config_maps)

    @model_validator(mode="after")
    def _launcher_has_its_settings(self) -> Self:
        if self.run_launcher == "celery" and self.celery_broker_url is None:
            raise ValueError("RUN_LAUNCHER is celery, and CELERY_BROKER_URL is not set")
        return self


class UiSettings(_FromEnvironment):
    """What Dagster's web server needs of us: apart from `Settings`, as it has nothing else of the environment.

    Attributes:
        arcana_ui_hosts: names by which people reach the UI, with commas.
    """

    arcana_ui_hosts: str = ""

    @property
    def ui_hosts(self) -> list[str]:
        """The names in `ARCANA_UI_HOSTS`."""
        return _with_commas(self.arcana_ui_hosts)


class Settings(ScheduleTimes, LauncherSettings, UiSettings):
    """The environment, validated. Build one with `load_settings`, which reports errors in words."""

    arcana_home: Path = DEFAULT
    arcana_key_prefix: str | None = Field(None, pattern=r"^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$")

    database_url: PostgresUrl | None = None
    serve_database_url: PostgresUrl | None = None
    search_database_url: PostgresUrl | None = None
    search_replica_lag: float = Field(10.0, gt=0, le=86_400)
    database_pool_size: int = Field(10, ge=1, le=1000)
    database_max_overflow: int = Field(20, ge=0, le=1000)

    notion_token: SecretStr | None = None
    notion_base_url: HttpUrl = "https://api.notion.com"
    notion_requests_per_minute: int = Field(180, ge=0)
    notion_timeout: float = Field(60.0, gt=0)
    freshdesk_domain: str | None = None
    freshdesk_api_key: SecretStr | None = None
    freshdesk_base_url: HttpUrl | None = None
    freshdesk_requests_per_minute: int | None = Field(None, ge=0)
    freshdesk_timeout: float = Field(60.0, gt=0)
    sweep_share: float = Field(0.01, ge=0, le=1)

    notion_webhook_token: SecretStr | None = None

    secret_key: StrongSecret | None = None
    api_key_salt: StrongSecret | None = None
    encryption_key: EncryptionKey | None = None
    encryption_key_previous: EncryptionKey | None = None
    jwt_secret: StrongSecret | None = None

    embedding_provider: EmbeddingProviderName = "local"
    embedding_model_path: Path | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: HttpUrl = "https://api.openai.com/v1"
    openai_organization: str | None = None
    openai_embedding_model: str = "text-embedding-3-small"
    openai_embedding_dimensions: int = Field(1536, ge=1, le=16000)
    openai_max_retries: int = Field(3, ge=0, le=20)
    openai_timeout: float = Field(30.0, gt=0)
    openai_batch_above: int = Field(0, ge=0)
    embedding_price_per_million_tokens: Decimal | None = Field(None, ge=0)
    embedding_monthly_budget_usd: Decimal | None = Field(None, ge=0)

    key_requests_per_minute: int = Field(600, ge=1, le=1_000_000)
    refused_keys_per_minute: int = Field(30, ge=1, le=1_000_000)
    usage_log_months: int = Field(13, ge=1, le=1200)
    keep_questions: Literal["text", "hash", "off"] = "text"
    # A day is counted when it is over.
    search_log_days: int = Field(30, ge=2, le=36500)
    question_days: int = Field(90, ge=1, le=36500)
    conversation_days: int = Field(30, ge=1, le=3650)
    analytics_months: int = Field(13, ge=1, le=1200)
    oauth_issuer: HttpsUrl | None = None
    oauth_audience: HttpsUrl | None = None
    oauth_jwks_url: HttpsUrl | None = None
    oauth_company_claim: str = "arcana_company"
    oauth_workspaces_claim: str | None = None

    redis_url: RedisUrl | None = None
    redis_db: int = Field(0, ge=0, le=1_000_000)
    redis_max_connections: int = Field(100, ge=1, le=100_000)
    cache_ttl: int = Field(3600, ge=0, le=2_592_000)
    search_cache_ttl: int = Field(1800, ge=0, le=2_592_000)
    embedding_cache_ttl: int = Field(86_400, ge=0, le=2_592_000)

    qdrant_url: HttpUrl | None = None
    qdrant_api_key: SecretStr | None = None
    milvus_host: str | None = None
    milvus_port: int = Field(19530, ge=1, le=65535)
    milvus_user: str | None = None
    milvus_password: SecretStr | None = None
    milvus_timeout: float = Field(30.0, gt=0, le=600)

    reranker: RerankerName = "endpoint"
    reranker_url: HttpUrl | None = None
    reranker_model: str | None = None
    reranker_api_key: SecretStr | None = None
    reranker_model_path: Path | None = None

    # Summaries of tickets. The least budget is what one ticket may need.
    summary_model: str | None = None
    summary_base_url: HttpUrl = "https://api.openai.com/v1"
    summary_api_key: SecretStr | None = None
    summary_budget: int = Field(1_000_000, ge=100_000)
    summary_timeout: float = Field(60.0, gt=0, le=600)

    # What is logged, and where traces go; both are read where a process begins, before there are settings.
    log_format: Literal["text", "json"] = "text"
    otel_exporter_otlp_endpoint: HttpUrl | None = None

    alert_webhook_url: SecretHttpUrl | None = None
    alert_email_to: EmailAddresses = ""
    alert_email_from: EmailAddress = ""
    alert_smtp_url: MailServerUrl | None = None
    alert_pagerduty_key: SecretStr | None = None
    alert_pagerduty_url: HttpsUrl = "https://events.pagerduty.com"
    alert_routes: AlertRoutes = ""
    arcana_ui_url: HttpUrl | None = None
    dagster_ui_url: HttpOrigin | None = None

    retention_days: int = Field(30, ge=1, le=36500)

    # Pages' files. Names with commas, as people write them.
    files: Literal["on", "off"] = "on"
    file_max_bytes: int = Field(50 * 1024 * 1024, ge=1, le=5 * 1024**3)
    file_types: str = ""
    file_covers: Literal["on", "off"] = "off"
    file_external_hosts: str = ""
    file_ocr: Literal["on", "off"] = "off"
    file_ocr_languages: str = Field("kor+eng", pattern=r"^[A-Za-z_]+(\+[A-Za-z_]+)*$")
    file_transcription_url: HttpUrl | None = None
    file_transcription_api_key: SecretStr | None = None
    file_transcription_model: str = "whisper-1"
    file_cdn_base_url: HttpUrl | None = None

    s3_endpoint_url: HttpUrl | None = None
    s3_bucket_name: str | None = None
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None
    s3_region: str = "us-east-1"

    # Where backups are put: a folder's path.
    backup_to: str | None = None
    backup_keep_days: int = Field(30, ge=1, le=36500)
    backup_wal: Literal["on", "off"] = "off"

    batch_size: int = Field(100, ge=1, le=2048)
    max_concurrent_requests: int = Field(10, ge=1, le=200)
    worker_processes: int | None = Field(None, ge=1, le=64)

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if self.serve_database_url is not None and self.database_url is None:
            raise ValueError("SERVE_DATABASE_URL names a user of the database at DATABASE_URL, which is not set")
        if self.search_database_url is not None and self.database_url is None:
            raise ValueError("SEARCH_DATABASE_URL names a replica of the database at DATABASE_URL, which is not set")
        return self

    @model_validator(mode="after")
    def _runs_reach_the_database(self) -> Self:
        """The embedded server listens on a socket of this machine, and lives as long as who uses it here."""
        if self.run_launcher != "local" and self.database_url is None:
            raise ValueError(
                f"RUN_LAUNCHER is {self.run_launcher}, and DATABASE_URL is not set: runs elsewhere do not reach the "
                "embedded PostgreSQL"
            )
        return self

    @model_validator(mode="after")
    def _secrets_differ(self) -> Self:
        """One that was found out, or is handed to another service, must not open what the others protect."""
        seen: dict[str, str] = {}
        for name in installation_secrets.PURPOSES:
            if secret := getattr(self, name.lower()):
                first = seen.setdefault(secret.get_secret_value(), name)
                if first != name:
                    raise ValueError(f"{name} is the same as {first}: each has to be a value of its own")
        return self

    @model_validator(mode="after")
    def _audience_is_named(self) -> Self:
        """A token that was made for another service opens nothing here."""
        if self.oauth_issuer is not None and self.oauth_audience is None:
            raise ValueError("OAUTH_ISSUER is set without OAUTH_AUDIENCE, the address of /mcp that its tokens are for")
        return self

    @model_validator(mode="after")
    def _alerts_arrive(self) -> Self:
        """A receiver that lacks something would be told nothing, and nobody would know."""
        by_mail = [name for name in self.alert_receivers if name not in ("webhook", "pagerduty")]
        if by_mail and self.alert_smtp_url is None:
            raise ValueError(f"ALERT_SMTP_URL is not set, the mail server that sends alerts to {by_mail[0]}")
        if by_mail and self.alert_sender is None:
            raise ValueError("ALERT_EMAIL_FROM is not set, the address that alerts come from")
        for route in self.routes_of_alerts:
            if route.receiver not in self.alert_receivers:
                variable = {
                    "webhook": "ALERT_WEBHOOK_URL",
                    "email": "ALERT_EMAIL_TO",
                    "pagerduty": "ALERT_PAGERDUTY_KEY",
                }[route.receiver]
                raise ValueError(f"ALERT_ROUTES names {route.receiver}, and {variable} is not set")
        return self

    def require(self, name: str) -> SecretStr:
        """One of the installation's own secrets (`installation_secrets.PURPOSES`), by the name of its variable.

        Raises:
            InvalidSetting: it is not set.
        """
        secret: SecretStr | None = getattr(self, name.lower())
        if secret is None:
            raise InvalidSetting(
                f"{name} is not set; it {installation_secrets.PURPOSES[name]}. `arcana config init` makes it."
            )
        return secret

    @property
    def home(self) -> Path:
        """`ARCANA_HOME` as an absolute path."""
        return self.arcana_home.expanduser().absolute()

    @property
    def routes_of_alerts(self) -> list[Route]:
        """The routes in `ALERT_ROUTES`; none: everyone is told everything."""
        return parse_routes(self.alert_routes)

    @property
    def alert_receivers(self) -> frozenset[str]:
        """The names of those whom alerts can be sent to, as `ALERT_ROUTES` calls them."""
        named = {
            "webhook": self.alert_webhook_url is not None,
            "email": bool(self.alert_recipients),
            "pagerduty": self.alert_pagerduty_key is not None,
        }
        addresses = {route.receiver for route in self.routes_of_alerts if is_address(route.receiver)}
        return frozenset({*addresses, *(name for name, is_set in named.items() if is_set)})

    @property
    def alert_recipients(self) -> list[str]:
        """The addresses in `ALERT_EMAIL_TO`."""
        return _with_commas(self.alert_email_to)

    @property
    def alert_sender(self) -> str | None:
        """The address that alerts come from: `ALERT_EMAIL_FROM`, or the mail server's user where that is one."""
        if self.alert_email_from:
            return self.alert_email_from
        user = self.mail_server.user if self.mail_server is not None else ""
        return user if is_address(user) else None

    @property
    def mail_server(self) -> MailServer | None:
        """The server at `ALERT_SMTP_URL`."""
        return MailServer.parse(self.alert_smtp_url.get_secret_value()) if self.alert_smtp_url is not None else None

    @property
    def storage_root(self) -> Path:
        """Where every workspace has its directory `workspace/{slug}`."""
        return self.home / "storage"

    @property
    def key_prefix(self) -> list[str] | None:
        """The parts of `ARCANA_KEY_PREFIX`."""
        return self.arcana_key_prefix.split("/") if self.arcana_key_prefix else None

    @property
    def dagster_home(self) -> Path:
        """Where Dagster's instance keeps `dagster.yaml`, logs and artefacts."""
        return self.home / "dagster"


# Names of variables that came from a file `.env`, for this process and those that it starts.
_FROM_FILE = "ARCANA_FROM_ENV_FILE"
# What files `.env` have said since (see `environment.read_anew`).
_said_anew: dict[str, str] = {}
# What is sent where.
_SENT_TO = (
    ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    ("RERANKER_API_KEY", "RERANKER_URL"),
    ("SUMMARY_API_KEY", "SUMMARY_BASE_URL"),
    ("QDRANT_API_KEY", "QDRANT_URL"),
    ("MILVUS_PASSWORD", "MILVUS_HOST"),
    ("FILE_TRANSCRIPTION_API_KEY", "FILE_TRANSCRIPTION_URL"),
    ("S3_SECRET_KEY", "S3_ENDPOINT_URL"),
    ("ALERT_PAGERDUTY_KEY", "ALERT_PAGERDUTY_URL"),
    ("PGPASSWORD", "DATABASE_URL"),
    ("PGPASSWORD", "SERVE_DATABASE_URL"),
    ("PGPASSWORD", "SEARCH_DATABASE_URL"),
)

_SECRETS = frozenset(name.upper() for name, field in Settings.model_fields.items() if _holds_secret(field.annotation))


# Tokens that workspaces name, and what is said beside the settings. What steers the interpreter, the loader or other
# programs is not ours.
_OURS_BY_NAME = re.compile(r"ARCANA_[A-Z0-9_]+|POSTGRES_PASSWORD|[A-Z0-9_]*TOKEN[A-Z0-9_]*")


def is_ours(variable: str) -> bool:
    """Whether a file `.env` may set the variable of this name, by its name."""
    is_setting = variable.isupper() and variable.lower() in Settings.model_fields
    return is_setting or _OURS_BY_NAME.fullmatch(variable) is not None


def is_secret(variable: str) -> bool:
    """Whether the variable of this name is a secret: one of ours, or a token that a workspace may name."""
    return variable in _SECRETS or ("TOKEN" in variable and variable.lower() not in Settings.model_fields)


def giver(secret: str) -> str | None:
    """The variable that gives a secret: its own, or that with `_FILE` behind its name; None: neither is set."""
    return next((name for name in (secret, f"{secret}_FILE") if _value(name)), None)


def _value(variable: str) -> str:
    return _said_anew.get(variable, os.environ.get(variable, ""))


def note_from_file(names: Iterable[str]) -> None:
    """Remember that these variables were set by a file `.env`, and that such files are read here at all."""
    os.environ[_FROM_FILE] = ",".join(sorted({*(from_files() or ()), *names}))


def from_files() -> frozenset[str] | None:
    """The variables that a file `.env` has set for this process; None where neither it nor who started it reads any."""
    noted = os.environ.get(_FROM_FILE)
    return None if noted is None else frozenset(noted.split(",")) - {""}


def take_anew(said: Mapping[str, str]) -> None:
    """Let these variables have other values in this process from now on; an empty one counts as unset.

    They stand beside the environment: changing that is not safe while other threads read it.
    """
    global _said_anew
    _said_anew = dict(said)


def refuse_to_send(secret: str, address: str) -> None:
    """Refuse to send a secret of the environment to an address that only a file `.env` names.

    Raises:
        InvalidSetting: the secret is set in the environment, or in a file that the environment names, and the address
            in a file `.env` alone.
    """
    from_file = {*(from_files() or ()), *_said_anew}
    set_by = giver(secret)
    if giver(address) in from_file and set_by is not None and set_by not in from_file:
        raise InvalidSetting(
            f"{address} is set in a file .env, and {set_by} in the environment: a file alone does not say where a "
            f"secret is sent. Set {address} in the environment too, or put {secret} beside it into the file."
        )


def problems_of_environment() -> dict[str, str]:
    """What is wrong with which variable, in words that show no value; nothing when `load_settings` would succeed.

    What concerns no variable alone has the empty name.
    """
    try:
        load_settings()
    except _Unusable as error:
        return error.problems
    except InvalidSetting as error:
        return {"": str(error)}
    return {}


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        InvalidSetting: a variable is malformed; the message names it and says what it should be.
    """
    for secret, address in _SENT_TO:
        refuse_to_send(secret, address)
    settings = _read(Settings)
    if "arcana_home" not in settings.model_fields_set:
        require_known(settings.home)
    return settings


def load_launcher_settings() -> LauncherSettings:
    """Read of the environment what says where runs are started, and nothing else.

    Raises:
        InvalidSetting: see `load_settings`.
    """
    return _read(LauncherSettings)


def load_ui_settings() -> UiSettings:
    """Read of the environment what the web server needs, and nothing else.

    Raises:
        InvalidSetting: see `load_settings`.
    """
    return _read(UiSettings)


_Model = TypeVar("_Model", bound=_FromEnvironment)


def _read(model: type[_Model]) -> _Model:
    try:
        return model()
    except ValidationError as error:
        raise _Unusable(
            {
                "_".join(str(part) for part in problem["loc"][:1]).upper(): problem["msg"].removeprefix("Value error, ")
                for problem in error.errors(include_input=False, include_url=False)
            }
        ) from None


def token_from_environment(variable: str, workspace: str, platform: str, address: str | None = None) -> SecretStr:
    """The token that a workspace's variable holds; `address` is the variable that says where it is sent.

    Raises:
        MissingToken: the variable is unset or empty, and names no file either.
        InvalidSetting: the file that it names is not read, or the address may not get it.
    """
    if address is not None:
        refuse_to_send(variable, address)
    value = _value(variable).strip()
    if not value and giver(variable) == f"{variable}_FILE":
        value = _secret_of_file(f"{variable}_FILE")
    if not value:
        raise MissingToken(
            f"Workspace '{workspace}' reads its {platform} token from {variable}, which is not set. "
            f"Set {variable} in the environment{_or_in_a_file(variable)}."
        )
    return require_token(value, f"{variable}, the token of workspace '{workspace}',", platform)


def _or_in_a_file(variable: str) -> str:
    if is_ours(variable):
        return " or in .env"
    return ": from a file .env it is not taken, as its name does not hold TOKEN (in capitals, digits and _ alone)"


def require_token(value: str, named: str, platform: str) -> SecretStr:
    """The value as a token.

    Raises:
        MissingToken: no token of any source looks so. The message begins with `named`.
    """
    if not value.isascii() or any(character.isspace() for character in value):
        raise MissingToken(
            f"{named} holds characters that no token has (a line break, a space or a letter outside ASCII). Copy it "
            f"from the settings of {platform} again."
        )
    return SecretStr(value)
