"""Settings: one structure, read once from the environment, passed down. Each has a safe default."""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator may set. Names in the environment: IGLAYERS_ and the field in capitals."""

    database_url: str | None = None
    data_dir: Path
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 3000
    secret_key: str | None = None
    sandbox_speed: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    worker_slots: Annotated[int, msgspec.Meta(ge=1, le=500)] = 32
    send_deadline_s: float = 20.0
    send_lease_s: float = 90.0
    commit_patience_s: float = 5.0
    key_cache_s: float = 1.0
    rate_limit_per_minute: int = 300
    rate_limit_burst: int = 100
    breaker_least: Annotated[int, msgspec.Meta(ge=1)] = 50
    breaker_failed: Share = 0.3
    breaker_unknown: Share = 0.1
    breaker_opted_out: Share = 0.1
    allow_http_webhooks: bool = False
    allow_networks: str | None = None
    webhook_deadline_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 15.0
    webhook_retries_s: str = "5,300,1800,7200,18000,36000,36000"
    public_url: str | None = None
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    metrics_token: str | None = None
    instagram_app_id: str | None = None
    instagram_app_secret: str | None = None
    instagram_meta_app_secret: str | None = None
    instagram_verify_token: str | None = None
    instagram_human_agent: bool = False
    instagram_api_version: Annotated[str, msgspec.Meta(pattern=r"^v[0-9]{1,3}\.[0-9]\Z")] = "v26.0"
    instagram_graph_url: str = "https://graph.instagram.com"
    instagram_api_url: str = "https://api.instagram.com"
    instagram_www_url: str = "https://www.instagram.com"

    def __post_init__(self) -> None:
        # A lease that ends while a send may still be on the wire would let a second worker judge it.
        if self.send_lease_s <= self.send_deadline_s + 15:
            raise SettingsError(
                "IGLAYERS_SEND_LEASE_S",
                f"must be more than IGLAYERS_SEND_DEADLINE_S + 15 = {self.send_deadline_s + 15:g}",
            )
        try:
            [ip_network(network) for network in listed(self.allow_networks)]
        except ValueError as error:
            raise SettingsError("IGLAYERS_ALLOW_NETWORKS", str(error)) from None
        if not all(delay.isascii() and delay.isdigit() and len(delay) <= 6 for delay in listed(self.webhook_retries_s)):
            raise SettingsError("IGLAYERS_WEBHOOK_RETRIES_S", "must be whole seconds with commas between them")
        for name in ("instagram_graph_url", "instagram_api_url", "instagram_www_url"):
            if not _is_safe_base(getattr(self, name)):
                raise SettingsError(
                    f"IGLAYERS_{name.upper()}",
                    "must be an https:// address without user, query or fragment; http:// only to this machine",
                )


class SettingsError(ValueError):
    """A setting that cannot be used: its name in the environment, and why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")


def public_url(settings: Settings) -> str:
    """Where people and other systems find the server."""
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    host = called(settings.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def called(host: str) -> str:
    """The address under which a host that listens everywhere is called from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 it is compared, not listened on


def _is_safe_base(url: str) -> bool:
    """Whether tokens may be sent there: they must not cross a network in the clear."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.query or parts.fragment or parts.username is not None or not url.isascii():
        return False
    if parts.scheme == "http":
        return host in ("localhost", "127.0.0.1", "::1")
    return parts.scheme == "https"


def listed(text: str | None) -> list[str]:
    """The parts of a setting that is a list with commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def load(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Settings from the environment; `overrides` (command line options) win when they are not None."""
    environ = os.environ if environ is None else environ
    values: dict[str, object] = {"data_dir": str(default_data_dir())}
    for field in msgspec.structs.fields(Settings):
        if (text := environ.get(f"IGLAYERS_{field.name.upper()}", "").strip()) != "":
            values[field.name] = text
    values |= {name: value for name, value in overrides.items() if value is not None}
    for name, value in values.items():
        _check(name, value)
    try:
        return msgspec.convert(values, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:  # how msgspec passes on what __post_init__ raised
        raise error.__cause__ if isinstance(error.__cause__, SettingsError) else error from None


def default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/iglayers")
    return Path.home() / ".local" / "share" / "iglayers"


def _check(name: str, value: object) -> None:
    field = next(field for field in msgspec.structs.fields(Settings) if field.name == name)
    try:
        msgspec.convert(value, field.type, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(f"IGLAYERS_{name.upper()}", str(error)) from None


def _decode(kind: type, value: object) -> object:
    if kind is Path:
        return Path(str(value)).expanduser().absolute()
    raise NotImplementedError(kind)
