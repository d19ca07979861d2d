"""The token store: what is read is what was written, and nothing half-written is ever read."""

import hashlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.small import examples
from tutelage.errors import DataError
from tutelage.records import Example
from tutelage.tokens.store import StoreWriter, TokenStore, code_version, store_key

ROWS = examples([4, 9, 2, 7], weighted=True)


def write(folder: Path, rows: list[Example] = ROWS) -> TokenStore:
    with StoreWriter(folder) as writer:
        (writer.work / "notes.txt").write_text("of its maker", encoding="utf-8")
        for row in rows:
            writer.add(row)
        return writer.finish({"rows": len(rows)})


def same(left: Example, right: Example) -> bool:
    return (
        left.row == right.row
        and np.array_equal(left.token_ids, right.token_ids)
        and np.array_equal(left.weights, right.weights)
    )


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    made = write(tmp_path / "store")
    for store in (made, TokenStore(tmp_path / "store")):
        assert len(store) == 4
        assert all(same(one, other) for one, other in zip(store, ROWS, strict=True))
        assert store.lengths.tolist() == [4, 9, 2, 7]
        assert store.rows.tolist() == [0, 1, 2, 3]
        assert store.largest_id == max(int(row.token_ids.max()) for row in ROWS)
        assert store.trained_tokens([1, 3]) == sum(int((ROWS[n].weights[1:] > 0).sum()) for n in (1, 3))
        assert store.extra["rows"] == 4
        content = [b"".join(row.token_ids.tobytes() for row in ROWS), b"".join(row.weights.tobytes() for row in ROWS)]
        assert store.digest == "".join(hashlib.sha256(part).hexdigest() for part in content)
    assert made[1].token_ids.dtype == np.int32
    assert made[1].weights.dtype == np.float32
    assert [path.name for path in tmp_path.iterdir()] == ["store"], "nothing is left beside it"
    assert (tmp_path / "store" / "notes.txt").read_text(encoding="utf-8") == "of its maker"


def test_an_empty_store_is_a_store(tmp_path: Path) -> None:
    store = write(tmp_path / "store", [])
    assert (len(store), list(store), store.lengths.tolist(), store.largest_id) == (0, [], [], -1)


def test_a_store_that_is_not_finished_never_appears(tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    def start(folder: Path) -> None:
        with StoreWriter(folder) as writer:
            writer.add(ROWS[0])
            assert not folder.exists()
            raise Interrupted

    with pytest.raises(Interrupted):
        start(tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tokens.i32", "weights.f32", "examples.i64", "notes.txt"])
@pytest.mark.parametrize("kept", [None, 0, 3, 8, -4])
def test_damage_is_told_with_the_file_and_the_remedy(tmp_path: Path, name: str, kept: int | None) -> None:
    """A file is missing, empty, or cut off, also at a whole number of values."""
    write(tmp_path / "store")
    file = tmp_path / "store" / name
    content = file.read_bytes()
    file.unlink()
    if kept is not None:
        file.write_bytes(content[:kept])
    with pytest.raises(DataError, match="the token store is damaged") as refusal:
        TokenStore(tmp_path / "store")
    assert str(refusal.value).startswith(str(file))
    assert f"rm -r {tmp_path / 'store'}" in str(refusal.value)


def test_a_side_car_that_is_no_json_is_told(tmp_path: Path) -> None:
    write(tmp_path / "store")
    side_car = tmp_path / "store" / "store.json"
    side_car.write_bytes(side_car.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"store\.json: the token store is damaged"):
        TokenStore(tmp_path / "store")


def test_two_runs_that_write_the_same_store_agree(tmp_path: Path) -> None:
    """The second to finish takes the store of the first."""
    with StoreWriter(tmp_path / "store") as slow:
        slow.add(ROWS[0])
        fast = threading.Thread(target=write, args=(tmp_path / "store", ROWS[:1]))
        fast.start()
        fast.join()
        store = slow.finish({"rows": 1})
    assert same(store[0], ROWS[0])
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_something_else_in_the_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mine.txt").write_text("kept", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be put there"):
        write(tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
    assert (tmp_path / "store" / "mine.txt").read_text(encoding="utf-8") == "kept"


def test_keys_name_content() -> None:
    parts = {"data": [1, 2], "template": "a", "policy": {"train_on": "all"}}
    assert store_key(parts) == store_key(json.loads(json.dumps(parts)))
    assert store_key(dict(reversed(parts.items()))) == store_key(parts)
    others = [{**parts, "data": [2, 1]}, {**parts, "template": "b"}, {**parts, "policy": {"train_on": "last"}}]
    assert len({store_key(part) for part in (parts, *others)}) == 4
    assert len(store_key(parts)) == 32


def test_changed_code_is_another_version(tmp_path: Path) -> None:
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    for file in files:
        file.write_text("x = 1\n", encoding="utf-8")
    before = code_version(files)
    assert code_version(reversed(files)) == before
    files[1].write_text("x = 2\n", encoding="utf-8")
    assert code_version(files) != before
