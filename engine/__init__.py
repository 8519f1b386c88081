"""ChangeGate answers whether a change is allowed, and why.

`open_policy(folder)` opens a policy; its `decide(request)` gives a Decision. `open_service(url)` asks a service instead.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.answer import ServiceFailed
    from engine.author import read_packs
    from engine.client import open_service, open_service_async
    from engine.decision import Decision
    from engine.finding import CODES, Finding
    from engine.gate import Gate, InvalidRules, open_policy
    from engine.request import InvalidRequest

__all__ = [
    "CODES", "Decision", "Finding", "Gate", "InvalidRequest", "InvalidRules", "ServiceFailed", "open_policy",
    "open_service", "open_service_async", "read_packs",
]  # fmt: skip

_HOMES = {
    "CODES": "finding", "Decision": "decision", "Finding": "finding", "Gate": "gate", "InvalidRequest": "request",
    "InvalidRules": "gate", "ServiceFailed": "answer", "open_policy": "gate", "open_service": "client",
    "open_service_async": "client", "read_packs": "author",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """A public name, from the module that is loaded when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module `engine` has no attribute `{name}`")
    value = globals()[name] = getattr(import_module(f"engine.{_HOMES[name]}"), name)
    return value
