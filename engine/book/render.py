"""Templates into pages: the one door of Jinja2. Whatever a pack says is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **context: Any) -> str:
    """A page from its template; what the template names must be in the context."""
    return _environment().get_template(template).render(**context)


def language_attribute(language: str | None) -> Markup:
    """The attribute that says in which language an element is; nothing for that of the page."""
    return Markup(' lang="{}"').format(language) if language else Markup()


def lines(texts: Iterable[str]) -> Markup:
    """Texts below each other."""
    return Markup("<br>").join(texts)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
