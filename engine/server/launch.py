"""Starting the service: what it will need is checked first, then a server (Granian) runs its workers."""

from __future__ import annotations

import os
import resource
import socket
import ssl
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from engine.server.app import create
from engine.server.settings import Settings, is_loopback

APPLICATION = "engine.server.app:from_launch"
# A client that does not finish its headers within this time, in milliseconds, is hung up on.
HEADERS_WITHIN = 10_000
# Headers of a request are at most this long in all, in bytes.
MAX_HEADERS = 64 * 1024
# How many connections a worker holds, idle ones among them; whoever comes then waits.
CONNECTIONS = 8192
# A worker that died is replaced after so many seconds.
REPLACED_AFTER = 0.5
_FIGURES = "PROMETHEUS_MULTIPROC_DIR"


class NotServed(ValueError):
    """The service cannot listen, or must not, where it was told to; the text says what is needed."""


def serve(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT comes; requests that are being answered then are finished.

    Raises what `create` raises, and NotServed, before anything listens.
    """
    check_address(settings)
    _check_port(settings)
    with tempfile.TemporaryDirectory(prefix="changegate-") as shared:
        if settings.workers > 1:
            os.environ.setdefault(_FIGURES, shared)
        _allow_connections()
        settings = replace(settings, shared=shared)
        create(settings)  # whatever is wrong is said here, once, and not by every worker
        settings.to_environment()
        server(settings).serve()


def check_address(settings: Settings) -> None:
    """Whether the service may listen where it is told to: beyond this machine only with TLS, or behind a proxy.

    Raises NotServed.
    """
    if bool(settings.certificate) != bool(settings.private_key):
        raise NotServed("TLS needs both: `--tls-certificate FILE` and `--tls-key FILE`")
    for file in filter(None, (settings.certificate, settings.private_key)):
        if not Path(file).is_file():
            raise NotServed(f"`{file}` is no file; name the PEM file that TLS needs")
    if settings.certificate and settings.private_key:
        _check_certificate(settings.certificate, settings.private_key)
    if not (settings.certificate or settings.insecure_behind_proxy or is_loopback(settings.host)):
        raise NotServed(
            f"`{settings.host}` can be reached from other machines: give `--tls-certificate` and `--tls-key`, or say "
            "`--insecure-behind-proxy` if a proxy on the way speaks TLS"
        )
    _check_workbench(settings)


def _check_workbench(settings: Settings) -> None:
    """Whether the workbench may be there: it shows all rules to whoever can reach it, and knows no keys."""
    if not (settings.workbench or settings.workbench_anywhere):
        return
    if settings.keys:
        raise NotServed("the workbench knows no keys: leave out `--keys`, or serve it without the workbench")
    if not (settings.workbench_anywhere or is_loopback(settings.host)):
        raise NotServed(
            f"`{settings.host}` can be reached from other machines, and the workbench shows all rules: say "
            "`--workbench-anywhere` if everybody there may read them"
        )


def _check_certificate(certificate: str, private_key: str) -> None:
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, private_key, password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise NotServed(
            f"`{certificate}` and `{private_key}` are no certificate with its private key: {reason}; name two PEM files, "
            "the key without a password"
        ) from None


def _check_port(settings: Settings) -> None:
    """Whether nobody listens there yet: several servers could, and each would get some of the requests."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host.strip("[]"), settings.port), family=family).close()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise NotServed(
            f"cannot listen at {settings.host}, port {settings.port}: {reason}; choose with `--host` and `--port`"
        ) from None


class _Server(MPServer):
    """Replaces workers however often they die: Granian itself gives up when one dies twice in a few seconds."""

    def _respawn_workers(self, *args: Any, **kwargs: Any) -> None:
        time.sleep(REPLACED_AFTER)  # one that cannot even start is not started again at once
        super()._respawn_workers(*args, **kwargs)
        self.respawned_wrks.clear()


def _allow_connections() -> None:
    """Have as many open files as the system lets us have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1024
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def server(settings: Settings, application: str = APPLICATION) -> MPServer:
    """The server for an application, named as `module:factory`, with what the settings say of addresses and times."""
    return _Server(
        application,
        factory=True,
        interface=Interfaces.ASGI,
        address=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=HTTPModes.http1,  # a server that has yet to find out which one it is waits for ever for the first byte
        websockets=False,
        backpressure=CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADERS_WITHIN, max_buffer_size=MAX_HEADERS),
        respawn_failed_workers=True,
        respawn_interval=REPLACED_AFTER,
        workers_kill_timeout=int(settings.max_seconds) + 5,
        ssl_cert=Path(settings.certificate) if settings.certificate else None,
        ssl_key=Path(settings.private_key) if settings.private_key else None,
        log_level=LogLevels.warning,
        log_dictconfig=_logging(),
    )


def _logging() -> dict[str, Any]:
    """Everything goes to standard error, in lines with time and level."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"errors": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "lines"}},
        "loggers": {
            "_granian": {"handlers": ["errors"], "propagate": False},
            "changegate": {"handlers": ["errors"], "level": "INFO", "propagate": False},
        },
    }
