"""Mappings and sequences whose entries are made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

K = TypeVar("K")
V = TypeVar("V")


class LaterMapping(Mapping[K, V]):
    """A mapping that makes each value from its data once, for whichever thread asks first."""

    __slots__ = ("_data", "_made", "_make")

    def __init__(self, data: Mapping[K, Any], make: Callable[[Any], V]) -> None:
        self._data = data
        self._made: dict[K, V] = {}
        self._make = make

    def __getitem__(self, key: K) -> V:
        try:
            return self._made[key]
        except KeyError:
            return self._made.setdefault(key, self._make(self._data[key]))

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __iter__(self) -> Iterator[K]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return repr(dict(self))


class LaterSequence(Sequence[V], Generic[V]):
    """A sequence, equal to the tuple of its items, that makes each item from its data once."""

    __slots__ = ("_items",)

    def __init__(self, data: Sequence[Any], make: Callable[[Any], V]) -> None:
        self._items = LaterMapping(dict(enumerate(data)), make)

    @overload
    def __getitem__(self, place: int) -> V: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[V]: ...
    def __getitem__(self, place: int | slice) -> V | Sequence[V]:
        places = range(len(self._items))[place]
        return self._items[places] if isinstance(places, int) else tuple(self._items[each] for each in places)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, tuple | LaterSequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))
