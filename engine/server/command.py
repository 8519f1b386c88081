"""The options of `changegate serve`, each by the name of the setting that it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import click

from engine.server.settings import LEVELS, LogPolicy, LogRequest, Settings

_SIZE = click.IntRange(min=1)
_DEFAULTS = Settings()


def _option(flag: str, name: str, help_: str, **more: Any) -> Callable[..., Any]:
    default = getattr(_DEFAULTS, name)
    shown = default not in (None, (), False)
    return click.option(flag, name, default=default, show_default=shown, help=help_, **more)


_OPTIONS = (
    _option("--entities", "entities", "What is known of entities, as [TYPE=]SOURCE: a YAML, JSON, NDJSON, CSV or Parquet "
            "file, or a SQL table as URL#TABLE. May be repeated.", multiple=True, metavar="SOURCE"),
    _option("--host", "host", "The address to listen on.", metavar="ADDRESS"),
    _option("--port", "port", "The port to listen on.", type=click.IntRange(1, 65535)),
    _option("--base-url", "base_url", "What clients call the service. [default: the address it listens on]",
            metavar="URL"),
    _option("--workers", "workers", "How many processes answer.", type=_SIZE),
    _option("--as-of", "as_of", "The day to decide for, if a request gives none. [default: today, UTC]",
            metavar="DATE"),
    _option("--detail", "detail", "What a decision's context holds, unless a request asks for something else.",
            type=click.Choice(LEVELS)),
    _option("--locale", "locale", "The language of texts, unless a request asks for another. [default: the policy's own]",
            metavar="LOCALE"),
    _option("--keys", "keys", "The file of bearer keys; `changegate key` makes its lines. Without it nobody is asked for "
            "a key.", metavar="FILE"),
    _option("--log", "log", "Write a line for each decision to this file.", metavar="FILE"),
    _option("--log-policy", "log_policy", "What to do when the log cannot be written: refuse to decide, or go on and "
            "count.", type=click.Choice(get_args(LogPolicy))),
    _option("--log-request", "log_request", "What the log keeps of a request.", type=click.Choice(get_args(LogRequest))),
    _option("--log-mask", "log_mask", "A fact whose value the log must not show, such as subject.id or subject.*. May be "
            "repeated.", multiple=True, metavar="PATH"),
    _option("--workbench", "workbench", "Add the rule book and the workbench, for browsers on this machine.", is_flag=True),
    _option("--workbench-anywhere", "workbench_anywhere", "Add them for everybody who can reach the service.",
            is_flag=True),
    _option("--shadow", "shadow", "The share of decisions that the second engine decides again, 0 to 1.",
            type=click.FloatRange(0, 1)),
    _option("--watch", "watch", "How many seconds pass between looks at the rules; 0 is never.",
            type=click.FloatRange(0)),
    _option("--max-body", "max_body", "How many bytes a body may have.", type=_SIZE),
    _option("--max-batch", "max_batch", "How many evaluations a batch may hold.", type=_SIZE),
    _option("--max-page", "max_page", "How many results a page of a search may hold.", type=_SIZE),
    _option("--max-seconds", "max_seconds", "How long a request may take to arrive, and how long to be decided.",
            type=click.FloatRange(0, min_open=True)),
    _option("--max-concurrent", "max_concurrent", "How many requests a worker answers at once.", type=_SIZE),
    _option("--tls-certificate", "certificate", "The certificate, a PEM file.", metavar="FILE"),
    _option("--tls-key", "private_key", "Its private key, a PEM file.", metavar="FILE"),
    _option("--insecure-behind-proxy", "insecure_behind_proxy", "Listen beyond this machine without TLS: a proxy on the "
            "way speaks it.", is_flag=True),
)  # fmt: skip


def service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command with all these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
