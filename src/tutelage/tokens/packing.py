"""Best-fit packing: rows share sequences so that little of each sequence is left empty."""

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from tutelage.records import Pack


def pack(lengths: npt.NDArray[np.int64], *, capacity: int) -> list[Pack]:
    """Best-fit decreasing over the whole set: each row goes where the least room is left.

    Deterministic; every example stands in exactly one pack. O(n log capacity) by a tree over the room that is left.

    Args:
        lengths: tokens per example, (n,), each at most `capacity`.
        capacity: tokens of a sequence.
    """
    assert lengths.max(initial=0) <= capacity, "an example longer than the capacity reached packing"
    open_packs: dict[int, list[int]] = defaultdict(list)
    rooms = _Rooms(capacity)
    packs: list[list[int]] = []
    left: list[int] = []
    for example in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[example])
        room = rooms.smallest_at_least(length)
        if room is None:
            number = len(packs)
            packs.append([])
            left.append(capacity)
        else:
            number = open_packs[room].pop()
            rooms.add(room, -1)
        packs[number].append(example)
        left[number] -= length
        open_packs[left[number]].append(number)
        rooms.add(left[number], 1)
    return [Pack(tuple(members), capacity - room) for members, room in zip(packs, left, strict=True)]


def one_each(lengths: npt.NDArray[np.int64]) -> list[Pack]:
    """No packing: a pack per example."""
    return [Pack((example,), length) for example, length in enumerate(lengths.tolist())]


class _Rooms:
    """Counts of open packs by the room they have left, with a search for the smallest room that is enough."""

    def __init__(self, capacity: int) -> None:
        self.size = 1 << capacity.bit_length()
        self.counts = [0] * (2 * self.size)

    def add(self, room: int, count: int) -> None:
        node = room + self.size
        while node:
            self.counts[node] += count
            node //= 2

    def smallest_at_least(self, room: int) -> int | None:
        node = room + self.size
        if self.counts[node]:
            return room
        while node > 1 and not (node % 2 == 0 and self.counts[node + 1]):
            node //= 2
        if node <= 1:
            return None
        node += 1
        while node < self.size:
            node = 2 * node if self.counts[2 * node] else 2 * node + 1
        return node - self.size
