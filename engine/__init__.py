"""ChangeGate answers whether a change is allowed, and why.

`open_policy(folder)` opens a policy; its `decide(request)` gives a Decision.
"""

from engine.author import read_packs
from engine.decision import Decision
from engine.finding import CODES, Finding
from engine.gate import Gate, InvalidRules, open_policy
from engine.request import InvalidRequest

__all__ = ["CODES", "Decision", "Finding", "Gate", "InvalidRequest", "InvalidRules", "open_policy", "read_packs"]
