"""What is sent to a decision service, and in which order: all of a client but the network (AuthZEN sections 6 to 9)."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from engine.answer import JSON, PROBLEM, NotNow, ServiceFailed, decision_in, nonsense
from engine.decide import Detail
from engine.decision import Decision
from engine.request import InvalidRequest
from engine.sending import encode

Kind: TypeAlias = Literal["subject", "resource", "action"]
EVALUATION, EVALUATIONS = "access_evaluation_endpoint", "access_evaluations_endpoint"
# The names of the endpoints in the metadata, and where they are by default.
ENDPOINTS: Mapping[str, str] = {
    EVALUATION: "/access/v1/evaluation",
    EVALUATIONS: "/access/v1/evaluations",
    **{f"search_{kind}_endpoint": f"/access/v1/search/{kind}" for kind in ("subject", "resource", "action")},
}
METADATA = "/.well-known/authzen-configuration"
# A batch is sent before it is so large that a service may refuse it.
MAX_BATCH_BYTES = 512 * 1024
_LEVELS = {None: "reasons", "full": "full"}
_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_KEY = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked: the name of an endpoint, the JSON text sent there, and headers."""

    endpoint: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Service:
    """A service as its clients know it.

    `endpoints` are None until the metadata has been read. Raises ValueError if the URL or the key can be none, or if
    the URL is one over which answers could be forged.
    """

    url: str
    key: str | None = field(repr=False)
    insecure: bool
    timeout: float
    retries: int
    batch: int
    endpoints: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        check_url(self.url, self.insecure)
        self.url = self.url.rstrip("/")
        if self.key is not None and not _KEY.fullmatch(self.key):
            raise ValueError("`key` cannot stand in a header; give the key alone, as it was made")
        if self.batch < 1:
            raise ValueError("`batch` is how many requests go together: at least 1")

    def assume(self) -> None:
        """Take the endpoints to be where they are by default."""
        self.endpoints = {name: self.url + path for name, path in ENDPOINTS.items()}

    def learn(self, metadata: Mapping[str, Any]) -> None:
        """Take the endpoints from the metadata; raises ServiceFailed if it is another service's (section 9.2.3)."""
        named = metadata.get("policy_decision_point")
        if not isinstance(named, str) or named.rstrip("/") != self.url:
            raise ServiceFailed(f"the metadata at {self.url} is that of another service; open it by its own URL")
        try:
            found = {name: metadata[name] for name in ENDPOINTS if name in metadata}
            for url in found.values():
                check_url(url, self.insecure)
        except (ValueError, TypeError, AttributeError):
            raise ServiceFailed(f"the metadata at {self.url} names endpoints that cannot be used") from None
        self.endpoints = found

    def post(self, call: Call) -> dict[str, Any]:
        """The HTTP request for a call; raises ServiceFailed where the service does not offer it."""
        url = (self.endpoints or {}).get(call.endpoint)
        if url is None:
            raise ServiceFailed(f"the service at {self.url} does not offer the {call.endpoint.replace('_', ' ')}")
        headers = {"Content-Type": JSON, "Accept": f"{JSON}, {PROBLEM}", **call.headers}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        return {"method": "POST", "url": url, "headers": headers, "content": call.body}

    def get_metadata(self) -> dict[str, Any]:
        """The HTTP request for the metadata: between host and path of the URL (section 9.2.1)."""
        parts = urlsplit(self.url)
        url = f"{parts.scheme}://{parts.netloc}{METADATA}{parts.path}"
        return {"method": "GET", "url": url, "headers": {"Accept": JSON}}


def check_url(url: str, insecure: bool) -> None:
    """Raises ValueError where the URL is none, or not safe."""
    parts = urlsplit(url)
    known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    if not known or parts.query or parts.fragment or "@" in parts.netloc or not url.isprintable() or " " in url:
        raise ValueError("the URL of a service is `https://host` with a port and a path if need be, and nothing else")
    if parts.scheme == "http" and not insecure and not _is_here(parts.hostname or ""):
        raise ValueError("over http anybody on the way can forge an answer; use https, or say `insecure=True`")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def evaluation(request: object, detail: Detail, locale: str) -> Call:
    """The call that has one request decided; raises InvalidRequest, or ValueError for another detail."""
    return Call(EVALUATION, encode(request), _wishes(detail, locale))


def _wishes(detail: Detail, locale: str) -> dict[str, str]:
    if detail not in _LEVELS:
        raise ValueError(f"`detail` is `full` or None, not `{detail}`")
    tag = _TAG.match(locale.replace("_", "-"))  # of `el_GR.UTF-8` what a header can say
    return {"ChangeGate-Detail": _LEVELS[detail], "Accept-Language": tag[0] if tag else "en"}


class Batch:
    """Requests that are sent together; used as a context manager while it is filled.

    What ends the stream of requests meanwhile, its end or an exception, waits until those before it are answered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._requests: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None
        self._is_last = False

    def __len__(self) -> int:
        return len(self._requests)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        self._is_last = error is not None
        if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
            self._error = error
        return isinstance(error, Exception)

    @property
    def is_full(self) -> bool:
        """Whether it is to be sent before another request is added."""
        return len(self._requests) >= self._most or self._size >= MAX_BATCH_BYTES

    def add(self, request: object) -> None:
        """Put in another request; raises InvalidRequest."""
        self._requests.append(encode(request))
        self._size += len(self._requests[-1])

    def call(self, detail: Detail, locale: str) -> Call:
        """The call that has them all decided; raises ValueError for another detail."""
        return Call(EVALUATIONS, b'{"evaluations": [%b]}' % b", ".join(self._requests), _wishes(detail, locale))

    def read(self, answer: Mapping[str, Any]) -> Iterator[Decision]:
        """The decisions in the answer, in order, each when its turn comes; raises InvalidRequest and ServiceFailed."""
        found = answer.get("evaluations")
        if not isinstance(found, list) or len(found) != len(self):
            raise nonsense(f"not {len(self)} `evaluations`, as many as were sent")
        return map(decision_in, found)

    def finish(self) -> bool:
        """Whether the stream has ended; raises what ended it, unless that was its end."""
        if self._error is not None:
            raise self._error
        return self._is_last


class Search:
    """A search (section 8), page by page; `page` in the request says how large they are to be. Raises InvalidRequest."""

    def __init__(self, kind: Kind, request: Mapping[str, Any]) -> None:
        page = request.get("page") if isinstance(request, Mapping) else None
        if page is not None and not isinstance(page, Mapping):
            raise InvalidRequest("`page` must be an object")
        self._kind = kind
        self._request = request
        self._page = page or {}
        self._tokens: set[str] = set()
        self.is_over = False

    def call(self) -> Call:
        """The call for the next page."""
        request = {**self._request, "page": self._page} if self._page else self._request
        return Call(f"search_{self._kind}_endpoint", encode(request))

    def read(self, answer: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The entities on the page; raises ServiceFailed."""
        results = answer.get("results")
        members = ("name",) if self._kind == "action" else ("type", "id")
        if not isinstance(results, list) or not all(_is_entity(each, members) for each in results):
            raise nonsense(f"not {self._kind}s in `results`")
        page = answer.get("page")
        token = page.get("next_token") if isinstance(page, Mapping) else "" if page is None else None
        if not isinstance(token, str) or token in self._tokens:
            raise nonsense("a `page` that leads nowhere")
        self._tokens.add(token)
        self._page = {**self._page, "token": token}
        self.is_over = not token
        return results


def _is_entity(value: Any, members: tuple[str, ...]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in members)


class Patience:
    """How often, and until when, a call is made again: never later than the time it may take by itself."""

    def __init__(self, retries: int, seconds: float) -> None:
        self._left = retries
        self._end = time.monotonic() + seconds

    def wait(self, failure: NotNow) -> float:
        """How long to wait before the call is made again; raises the failure if it is not to be."""
        if self._left < 1 or time.monotonic() + failure.seconds > self._end:
            raise failure
        self._left -= 1
        return failure.seconds
