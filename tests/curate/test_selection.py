"""Selection: as many rows as asked for where there are so many, none twice, even over cells, the best of each first."""

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.curate.selection import Candidates, Columns, apportion, select, signature
from tutelage.curate.taxonomy import Labels

TOPICS = ("technology", "business", "life", "unknown")


def random_columns(rows: int, *, shares: tuple[float, ...] = (0.25,) * 4, seed: int = 0) -> Columns:
    """Rows with prompts that have nothing in common."""
    rng = np.random.default_rng(seed)
    return Columns(
        names=tuple(("code", topic) for topic in TOPICS),
        cells=rng.choice(len(TOPICS), rows, p=shares).astype(np.int32),
        quality=rng.random(rows, dtype=np.float32),
        words=rng.integers(1, 500, rows, dtype=np.int32),
        signatures=rng.integers(0, 256, (rows, 64), dtype=np.uint8),
    )


def gathered(prompts: list[str], quality: list[float] | None = None, *, topic: str = "life") -> Columns:
    candidates = Candidates()
    for place, prompt in enumerate(prompts):
        worth = 0.5 if quality is None else quality[place]
        candidates.add(Labels(type="generation", domain=topic), quality=worth, words=9, prompt=prompt)
    return candidates.columns()


def similarity(one: str, other: str) -> float:
    return float(np.mean(np.frombuffer(signature(one), np.uint8) == np.frombuffer(signature(other), np.uint8)))


@given(st.integers(0, 300), st.integers(0, 120), st.sampled_from(["quality", "random", "longest"]))
def test_as_many_rows_as_asked_for_or_all_there_are_and_none_twice(target: int, rows: int, by: str) -> None:
    chosen = select(random_columns(rows), target=target, by=by)  # type: ignore[arg-type]
    assert len(chosen.indices) == min(target, rows)
    assert len(set(chosen.indices.tolist())) == len(chosen.indices)
    assert set(chosen.indices.tolist()) <= set(range(rows))
    assert chosen.missing == target - len(chosen.indices)
    assert sum(quota.chosen for quota in chosen.quotas) == (len(chosen.indices) if by == "quality" else 0)


def test_every_cell_gives_the_same_within_one_row_where_it_can() -> None:
    columns = random_columns(1000)
    chosen = select(columns, target=102)
    counts = Counter(columns.cells[chosen.indices].tolist())
    assert sorted(counts.values()) == [25, 25, 26, 26]
    assert chosen.shortfalls == ()


def test_what_a_cell_cannot_fill_goes_to_the_others_and_is_told() -> None:
    columns = random_columns(1000, shares=(0.01, 0.33, 0.33, 0.33))
    few = int(np.count_nonzero(columns.cells == 0))
    assert 0 < few < 50
    chosen = select(columns, target=400)
    counts = Counter(columns.cells[chosen.indices].tolist())
    assert counts[0] == few
    assert max(counts[1], counts[2], counts[3]) - min(counts[1], counts[2], counts[3]) <= 1
    assert len(chosen.indices) == 400
    (shortfall,) = chosen.shortfalls
    assert (shortfall.cell, shortfall.missing, shortfall.reason) == (("code", "technology"), 100 - few, "too few rows")


def test_the_exponent_leads_from_even_quotas_to_the_shares_of_the_set() -> None:
    columns = random_columns(2000, shares=(0.1, 0.2, 0.3, 0.4))
    sizes = np.bincount(columns.cells)
    own = np.bincount(columns.cells[select(columns, target=200, proportion=1.0).indices])
    assert np.abs(own - 200 * sizes / 2000).max() <= 1
    between = np.bincount(columns.cells[select(columns, target=200, proportion=0.5).indices])
    assert own[0] < between[0] < 50 < between[3] < own[3]


def test_a_cell_gives_its_best_rows_of_equally_good_ones_the_first() -> None:
    columns = random_columns(600)
    chosen = set(select(columns, target=100).indices.tolist())
    for cell in range(len(TOPICS)):
        members = np.flatnonzero(columns.cells == cell).tolist()
        taken = [row for row in members if row in chosen]
        left = [row for row in members if row not in chosen]
        assert taken
        assert left
        assert min(columns.quality[taken]) >= max(columns.quality[left])
    assert select(gathered([f"topic {n}" * 5 for n in range(9)]), target=4).indices.tolist() == [0, 1, 2, 3]


def by_hand(prompts: list[str], quality: list[float], *, target: int, bound: float) -> list[int]:
    """The rule as it is told: the best first, none too similar to one that was taken."""
    taken = list[int]()
    for row in sorted(range(len(prompts)), key=lambda row: (-quality[row], row)):
        if len(taken) < target and all(similarity(prompts[row], prompts[one]) <= bound for one in taken):
            taken.append(row)
    return sorted(taken)


@pytest.mark.parametrize(
    ("form", "things"),
    [
        (
            "Write a short and friendly letter to my neighbour about {} and {} in the garden",
            "cats dogs trees noise roses",
        ),
        ("请写一封简短而友好的信给我的邻居谈谈花园里的{}和{}", "小猫 小狗 大树 噪音 玫瑰"),
    ],
)
def test_the_choice_is_the_greedy_one_under_the_bound(form: str, things: str) -> None:
    nouns = things.split()
    prompts = [form.format(one, other) for one in nouns for other in nouns] + ["2+2?", "天空为什么是蓝色的"]
    quality = [((7 * place) % 27) / 32 for place in range(len(prompts))]
    columns = gathered(prompts, quality)
    for bound in (0.5, 0.7, 0.9):
        expected = by_hand(prompts, quality, target=12, bound=bound)
        assert select(columns, target=12, max_similarity=bound).indices.tolist() == expected
    assert len(by_hand(prompts, quality, target=12, bound=0.5)) < 12, "the bound has to bite"
    assert len(select(columns, target=12, max_similarity=1.0).indices) == 12


def test_rows_that_are_too_similar_are_a_shortfall_of_their_own() -> None:
    columns = gathered(["Name three fruits that are rich in vitamins."] * 5 + ["How do bees find their way home?"])
    chosen = select(columns, target=4)
    assert chosen.indices.tolist() == [0, 5]
    assert chosen.missing == 2
    (quota,), (shortfall,) = chosen.quotas, chosen.shortfalls
    assert (quota.available, quota.wanted, quota.chosen, quota.too_similar) == (6, 4, 2, 4)
    assert (shortfall.missing, shortfall.reason) == (2, "too similar")


def test_rows_freed_by_similarity_go_to_other_cells() -> None:
    candidates = Candidates()
    for place in range(20):
        candidates.add(Labels(type="code"), quality=1, words=7, prompt="Sort a list of numbers in Python.")
        candidates.add(Labels(type="creative"), quality=0, words=3, prompt=f"{place} {'x' * place} dragons")
    chosen = select(candidates.columns(), target=12, max_similarity=0.9)
    assert [quota.chosen for quota in chosen.quotas] == [1, 11]
    assert len(chosen.indices) == 12


def test_the_same_seed_gives_the_same_rows_and_another_one_others() -> None:
    columns = random_columns(500)
    for by in ("quality", "random", "longest"):
        one, two = select(columns, target=50, by=by, seed=3), select(columns, target=50, by=by, seed=3)
        assert one.indices.tolist() == two.indices.tolist()
        assert one.comparison == two.comparison
    first = select(columns, target=50, by="random", seed=3).indices.tolist()
    assert first != select(columns, target=50, by="random", seed=4).indices.tolist()


def test_the_baselines_are_compared_on_the_same_rows() -> None:
    columns = random_columns(800, shares=(0.7, 0.1, 0.1, 0.1))
    choices = {choice.by: choice for choice in select(columns, target=100).comparison}
    assert choices.keys() == {"quality", "random", "longest"}
    assert choices["quality"].mean_quality > choices["random"].mean_quality
    assert choices["quality"].entropy == pytest.approx(2.0)
    assert choices["random"].entropy < 2.0
    longest = np.sort(columns.words)[-100:]
    assert choices["longest"].total_words == longest.sum()
    assert choices["longest"].mean_words == pytest.approx(longest.mean())
    random = columns.quality[select(columns, target=100, by="random").indices]
    assert choices["random"].mean_quality == pytest.approx(random.mean(), abs=1e-6)


def test_the_mean_similarity_is_that_of_all_pairs() -> None:
    columns = gathered(["one and the same"] * 4)
    same = select(columns, target=4, max_similarity=1.0).comparison
    assert [choice.mean_similarity for choice in same] == [1.0, 1.0, 1.0]
    apart = select(random_columns(200), target=100).comparison
    assert all(choice.mean_similarity < 0.02 for choice in apart)


def pairs(text: list[str]) -> set[tuple[str, str]]:
    return set(zip(["", *text], [*text, ""], strict=True))


@given(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=30), st.integers(0, 30))
def test_signatures_estimate_the_share_of_common_pairs_of_words(text: list[str], kept: int) -> None:
    other = [*text[:kept], "q", "r", "s"]
    one, two = pairs(text), pairs(other)
    jaccard = len(one & two) / len(one | two)
    assert similarity(" ".join(text), " ".join(other)) == pytest.approx(jaccard, abs=0.3)  # five standard errors
    assert similarity(" ".join(text), " ".join(text).upper()) == 1.0


def test_signatures_tell_short_prompts_apart_in_both_languages() -> None:
    short = ["写诗", "写歌", "2+2", "2+3", "Hi", "No", "为什么", "怎么办", "?", "", "!!!"]
    found = [similarity(one, other) for one in short for other in short if one != other]
    assert max(found) < 0.7


@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.integers(0, 40)), min_size=1, max_size=8),
    st.integers(0, 200),
)
def test_apportioning_fills_all_room_or_the_total_and_is_fair(parts: list[tuple[float, int]], total: int) -> None:
    weights = np.array([weight for weight, _ in parts])
    room: npt.NDArray[np.int64] = np.array([most for _, most in parts], dtype=np.int64)
    given_ = apportion(total, weights, room=room)
    assert given_.sum() == min(total, room.sum())
    assert (given_ >= 0).all()
    assert (given_ <= room).all()
    open_ = given_ < room
    if open_.any():  # one level suits all within a row: nobody stands above it, and only those without room below it
        assert ((given_ - 1) / weights).max() <= ((given_ + 1) / weights)[open_].min() + 1e-9


def test_no_rows_and_no_target_are_no_error() -> None:
    empty = Candidates().columns()
    nothing = select(empty, target=5)
    assert (len(nothing.indices), nothing.missing, nothing.quotas) == (0, 5, ())
    assert len(select(random_columns(10), target=0).indices) == 0


def test_the_summary_is_plain_and_adds_up() -> None:
    chosen = select(random_columns(50, shares=(0.02, 0.38, 0.3, 0.3)), target=40)
    summary = chosen.summary()
    assert summary["chosen"] == sum(quota["chosen"] for quota in summary["quotas"]) == 40
    assert summary["missing"] == 0
    assert {quota["cell"] for quota in summary["quotas"]} == {f"code x {topic}" for topic in TOPICS}
    assert [choice["rows"] for choice in summary["comparison"]] == [40, 40, 40]
