"""Schemathesis reads the OpenAPI document, and looks for requests that the service does not answer as it says.

For each operation it covers the schemas, and makes up CHANGEGATE_EXAMPLES requests besides; a larger number than
the default looks longer.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

import schemathesis

from engine.server.app import create
from engine.server.guard import Guard
from engine.server.keys import SCOPES, new_key
from engine.server.openapi import document
from engine.server.settings import Settings

Case: TypeAlias = schemathesis.Case[Any]
Test: TypeAlias = Callable[[Case], None]
ROOT = Path(__file__).parent.parent
OPEN = Settings(
    rules=(str(ROOT / "examples" / "certification"),),
    entities=(str(ROOT / "examples" / "entities" / "certification.yaml"),),
    as_of="2026-11-22",
    watch=0,
    max_batch=20,
    max_page=1,
)
KEYED = replace(OPEN, keys="keys")
KEY, LINE = new_key("tester", SCOPES)
EXAMPLES = int(os.environ.get("CHANGEGATE_EXAMPLES", "60"))
# A bad request or key, a method that is not for the address, a body or batch that is too large.
REFUSED = ["400", "401", "405", "413"]


class _Service:
    """A service that is opened when it is first asked, and not where tests are only collected."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self.opened(scope, receive, send)

    @cached_property
    def opened(self) -> Guard:
        if not self.settings.keys:
            return create(self.settings)
        with tempfile.TemporaryDirectory() as folder:
            keys = Path(folder, "keys")
            keys.write_text(LINE, encoding="utf-8")
            keys.chmod(0o600)
            return create(replace(self.settings, keys=str(keys)))


def described(settings: Settings, auth: dict[str, Any]) -> Callable[[Test], Test]:
    """Test each operation of such a service, as its document has it, with all checks and the same requests each time."""
    config = {
        "auth": auth,
        "generation": {"max-examples": EXAMPLES, "deterministic": True},
        "checks": {
            "negative_data_rejection": {"expected-statuses": REFUSED},
            "positive_data_acceptance": {"expected-statuses": ["200"]},
        },
    }
    made = schemathesis.openapi.from_dict(document(settings, ["en"]), config=schemathesis.Config.from_dict(config))
    made.app = _Service(settings)
    test_each: Callable[[Test], Test] = made.parametrize()
    return test_each


@described(OPEN, {})
def test_the_service_does_as_it_says(case: Case) -> None:
    """Every answer is described; what the schemas admit is answered, and what they do not is refused."""
    _check(case)


@described(KEYED, {"openapi": {"key": {"bearer": KEY}}})
def test_the_service_with_keys_does_as_it_says(case: Case) -> None:
    """The same holds with keys, and nothing that needs one is answered without."""
    _check(case)


def _check(case: Case) -> None:
    response = case.call()
    case.validate_response(response, excluded_checks=_excluded(case, response))


def _excluded(case: Case, response: schemathesis.Response) -> list[Any]:
    """No page is where a made-up token leads; which tokens are made up, no schema can say."""
    page = case.body.get("page") if isinstance(case.body, dict) else None
    if not isinstance(page, dict) or not page.get("token") or response.status_code != HTTPStatus.BAD_REQUEST:
        return []
    return [schemathesis.checks.positive_data_acceptance] if "`page.token`" in response.json()["detail"] else []
