"""Pages of search results (AuthZEN section 8.2): what a client asks for, and tokens that lead to the rest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.server.problems import bad

_TOKEN = "`page.token` is none of this search: send the `next_token` of its last page, and else the same request"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Page:
    """The page that is asked for: so many results at most, after a place; `digest` is of the search itself.

    `asked` says whether the client spoke of pages at all, `bound` which limit its tokens carry on.
    """

    digest: str
    limit: int
    after: str
    asked: bool
    bound: int | None

    def token(self, place: str) -> str:
        """Leads to the results after the place."""
        return _token(self.digest, self.bound, place)


def page_of(body: Mapping[str, Any], kind: str, most: int) -> Page:
    """The page that the body of a search asks for, of so many results at most; raises Problem 400."""
    page = body.get("page")
    if page is not None and not isinstance(page, dict):
        raise bad("`page` must be an object")
    limit, token = _limit(page or {}), (page or {}).get("token")
    digest = _digest(body, kind)
    after = ""
    if token is not None and token != "":
        limit, after = _follow(token, digest, limit)
    bound = limit or None  # a page of no results says nothing about the next
    return Page(digest, most if limit is None else min(limit, most), after, page is not None, bound)


def _limit(page: Mapping[str, Any]) -> int | None:
    limit = page.get("limit")
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int | Decimal) or limit < 0 or limit != int(limit):
        raise bad("`page.limit` must be a whole number, 0 or more")
    return int(limit)


def _follow(token: Any, digest: str, limit: int | None) -> tuple[int | None, str]:
    """The limit that goes on, and the place to go on from."""
    if not isinstance(token, str):
        raise bad("`page.token` must be text")
    found, bound, place = _read(token)
    if found != digest or (limit is not None and bound is not None and limit != bound):
        raise bad(_TOKEN)
    return (bound if limit is None else limit), place


def _token(digest: str, bound: int | None, place: str) -> str:
    text = json.dumps([digest, bound, place, _sum(digest, bound, place)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii").rstrip("=")


def _sum(*parts: object) -> str:
    """What tells that a token has been damaged."""
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _read(token: str) -> tuple[str, int | None, str]:
    try:
        digest, bound, place, _ = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise bad(_TOKEN) from None
    is_limit = bound is None or (isinstance(bound, int) and not isinstance(bound, bool) and bound > 0)
    is_ours = isinstance(digest, str) and isinstance(place, str) and is_limit
    if not is_ours or _token(digest, bound, place) != token:
        raise bad(_TOKEN)
    return digest, bound, place


def _digest(body: Mapping[str, Any], kind: str) -> str:
    """What the search is, whatever the page: subject, action, resource and context, in any order of members."""
    search = {name: body[name] for name in ("subject", "action", "resource", "context") if body.get(name) is not None}
    search.pop(kind if kind == "action" else "", None)
    text = json.dumps([kind, search], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
