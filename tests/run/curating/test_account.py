"""What is kept for showing does not depend on the order of the rows."""

import random

from tutelage.run.curating.account import Draw


def drawn(rows: list[int], seed: int = 3) -> tuple[int, ...]:
    draw: Draw[int] = Draw(5, seed)
    for row in rows:
        draw.offer(row, lambda row=row: row * 10)
    return draw.items()


def test_the_same_few_whatever_the_order() -> None:
    rows = list(range(500))
    first = drawn(rows)
    assert len(set(first)) == 5
    assert drawn(random.Random(1).sample(rows, 500)) == first
    assert drawn(rows, seed=4) != first


def test_all_of_them_where_they_are_few() -> None:
    assert sorted(drawn([7, 3])) == [30, 70]
    assert drawn([]) == ()


def test_only_what_is_drawn_is_made() -> None:
    made = []
    draw: Draw[int] = Draw(5, 0)
    for row in range(1000):
        draw.offer(row, lambda row=row: made.append(row) or row)
    assert set(draw.items()) <= set(made)
    assert len(made) < 100
