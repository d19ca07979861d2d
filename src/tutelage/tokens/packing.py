"""Best-fit packing: rows share sequences so that little of each sequence is left empty."""

import numpy as np
import numpy.typing as npt

from tutelage.records import Pack


def pack(lengths: npt.NDArray[np.int64], *, capacity: int) -> list[Pack]:
    """Best-fit decreasing over the whole set: each row goes where the least room is left.

    Deterministic; every example stands in exactly one pack.

    Args:
        lengths: tokens per example, (n,), each at most `capacity`.
        capacity: tokens of a sequence.
    """
    assert lengths.max(initial=0) <= capacity, "an example longer than the capacity reached packing"
    open_packs: list[list[int]] = [[] for _ in range(capacity + 1)]  # by the room that is left
    rooms = 0  # bit r is set where a pack with room r is open: whole words at once find the smallest that is enough
    packs: list[list[int]] = []
    left: list[int] = []
    order = np.argsort(-lengths, kind="stable")
    for example, length in zip(order.tolist(), lengths[order].tolist(), strict=True):
        enough = rooms >> length
        if enough:
            room = length + (enough & -enough).bit_length() - 1
            number = open_packs[room].pop()
            if not open_packs[room]:
                rooms ^= 1 << room
            packs[number].append(example)
        else:
            room, number = capacity, len(packs)
            packs.append([example])
            left.append(capacity)
        left[number] = room - length
        open_packs[room - length].append(number)
        rooms |= 1 << (room - length)
    return [Pack(tuple(members), capacity - room) for members, room in zip(packs, left, strict=True)]


def one_each(lengths: npt.NDArray[np.int64]) -> list[Pack]:
    """No packing: a pack per example."""
    return [Pack((example,), length) for example, length in enumerate(lengths.tolist())]
