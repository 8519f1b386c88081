"""What a service is told when it starts."""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["none", "codes", "reasons", "full"]
LEVELS: tuple[Level, ...] = ("none", "codes", "reasons", "full")
LogPolicy = Literal["fail-closed", "drop"]
LogRequest = Literal["whole", "hash"]
# What a bearer key may be for.
SCOPES = ("decide", "search", "admin")
# Worker processes read the settings from here.
VARIABLE = "CHANGEGATE_SERVICE"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a service; everything is plain data, so that worker processes can be given it.

    `entities` are sources as `[TYPE=]SOURCE`. `base_url` is what clients call the service. `keys` is the file of
    bearer keys; without it no key is asked for. `workbench` adds the rule book and the workbench, for clients on this
    machine alone; `workbench_anywhere` adds them for everybody who can reach the service. `shadow` is the share of decisions (0 to 1) that the second
    engine decides again. `watch` is how many seconds pass between looks at the rules; 0 is never. `shared` is a
    folder of the service's own, in which its workers leave what others of them need. Sizes are in bytes, times in
    seconds.
    """

    rules: tuple[str, ...] = ("rules",)
    entities: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    base_url: str | None = None
    as_of: str | None = None
    detail: Level = "none"
    locale: str | None = None
    workers: int = 1
    keys: str | None = None
    log: str | None = None
    log_policy: LogPolicy = "fail-closed"
    log_request: LogRequest = "whole"
    log_mask: tuple[str, ...] = ()
    workbench: bool = False
    workbench_anywhere: bool = False
    shadow: float = 0.0
    watch: float = 1.0
    max_body: int = 1024 * 1024
    max_batch: int = 1000
    max_page: int = 1000
    max_seconds: float = 10.0
    max_concurrent: int = 256
    certificate: str | None = None
    private_key: str | None = None
    insecure_behind_proxy: bool = False
    shared: str | None = None

    @property
    def url(self) -> str:
        """What clients call the service: `base_url`, or the address it listens on."""
        scheme = "https" if self.certificate else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.base_url or f"{scheme}://{host}:{self.port}").rstrip("/")

    def to_environment(self) -> None:
        """Leave the settings to the worker processes that will be started."""
        os.environ[VARIABLE] = json.dumps(asdict(self))


def is_loopback(host: str) -> bool:
    """Whether a host (a name, or an address with or without its brackets) can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def from_environment() -> Settings:
    """The settings that the parent process has left; raises KeyError if there are none."""
    data: dict[str, Any] = json.loads(os.environ[VARIABLE])
    settings: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in data.items()}
    return Settings(**settings)
