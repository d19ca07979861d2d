"""Rows from files of every kind: where each begins, and what is said about files that cannot be read."""

import gzip
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tutelage.data import MALFORMED, read
from tutelage.errors import DataError
from tutelage.recipe import Source
from tutelage.records import Dropped, Row

ROWS = [{"instruction": f"问题 {n}", "output": f"answer\n{n}"} for n in range(3)]


def rows_of(path: Path | str, **options: Any) -> list[Row | Dropped]:
    return list(read([Source(path=str(path))], **options))


def fields_of(path: Path | str, **options: Any) -> list[Any]:
    return [row.fields for row in rows_of(path, **options) if isinstance(row, Row)]


def write_json(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=1), encoding="utf-8")


def write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")


def write_csv(path: Path) -> None:
    quoted = "".join('"{instruction}","{output}"\n'.format(**row) for row in ROWS)
    path.write_text("instruction,output\n" + quoted, encoding="utf-8")


def write_tsv(path: Path) -> None:
    quoted = "".join('{instruction}\t"{output}"\n'.format(**row) for row in ROWS)
    path.write_text("instruction\toutput\n" + quoted, encoding="utf-8")


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


def write_arrow_file(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def write_arrow_stream(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


WRITERS: dict[str, Callable[[Path], None]] = {
    "a.json": write_json,
    "a.jsonl": write_jsonl,
    "a.csv": write_csv,
    "a.tsv": write_tsv,
    "a.parquet": write_parquet,
    "file.arrow": write_arrow_file,
    "stream.arrow": write_arrow_stream,
}


def compress(path: Path, ending: str) -> Path:
    squeeze = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[ending]
    packed = path.with_name(path.name + ending)
    packed.write_bytes(squeeze(path.read_bytes()))
    return packed


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_gives_the_rows_that_were_written(tmp_path: Path, name: str, ending: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    if ending:
        path = compress(path, ending)
    assert fields_of(path) == ROWS
    assert [row.index for row in rows_of(path) if isinstance(row, Row)] == [0, 1, 2]


@pytest.mark.parametrize(("written", "named"), [("a.json", "b.jsonl"), ("a.jsonl", "b.json"), ("a.parquet", "b.json")])
def test_content_decides_where_the_ending_misleads(tmp_path: Path, written: str, named: str) -> None:
    WRITERS[written](tmp_path / written)
    (tmp_path / written).rename(tmp_path / named)
    assert fields_of(tmp_path / named) == ROWS


def test_compression_is_seen_without_its_ending(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    assert fields_of(tmp_path / "b.jsonl") == ROWS


def test_several_zstandard_frames_are_one_file(tmp_path: Path) -> None:
    frames = [zstandard.compress(json.dumps(row).encode() + b"\n") for row in ROWS]
    (tmp_path / "a.jsonl.zst").write_bytes(b"".join(frames))
    assert fields_of(tmp_path / "a.jsonl.zst") == ROWS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv"])
def test_byte_order_marks_and_windows_line_ends(tmp_path: Path, name: str, encoding: str) -> None:
    WRITERS[name](tmp_path / "plain")
    text = (tmp_path / "plain").read_text(encoding="utf-8").replace("\n", "\r\n")
    (tmp_path / name).write_bytes(text.encode(encoding))
    read_back = [{key: value.replace("\r\n", "\n") for key, value in row.items()} for row in fields_of(tmp_path / name)]
    assert read_back == ROWS


@pytest.mark.parametrize("name", ["a.txt", "notes.md"])
def test_a_text_file_is_one_row(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("One.\r\n\r\n二。\n".encode())
    assert fields_of(tmp_path / name) == [{"text": "One.\n\n二。\n"}]


def test_max_rows_counts_over_all_sources(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl")
    write_csv(tmp_path / "b.csv")
    sources = [Source(path=str(tmp_path / name)) for name in ("a.jsonl", "b.csv")]
    rows = list(read(sources, max_rows=4, first_row=10))
    assert [row.index for row in rows if isinstance(row, Row)] == [10, 11, 12, 13]
    assert [row.source for row in rows if isinstance(row, Row)] == [0, 0, 0, 1]


def test_jsonl_is_read_lazily(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n' * 100_000 + "broken\n")
    rows = read([Source(path=str(tmp_path / "a.jsonl"))])
    assert next(rows).place.line == 1


def test_arrow_nulls_that_no_row_had_do_not_survive(tmp_path: Path) -> None:
    calls = [{"arguments": {"city": "Rome"}}, {"arguments": {"day": 3, "deep": [{"x": 1}, {"y": 2}]}}]
    rows = [{"messages": [{"role": "assistant", "tool_calls": [call]}]} for call in calls]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() != rows  # Arrow did fill in nulls
    assert fields_of(tmp_path / "a.parquet") == rows


def test_a_null_typed_in_json_stays(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": {"b": null}}\n')
    assert fields_of(tmp_path / "a.jsonl") == [{"a": {"b": None}}]


def test_arrow_maps_are_objects(tmp_path: Path) -> None:
    column = pa.array([[("k", 1), ("n", None)]], pa.map_(pa.string(), pa.int64()))
    pq.write_table(pa.table({"m": column}), tmp_path / "a.parquet")
    assert fields_of(tmp_path / "a.parquet") == [{"m": {"k": 1}}]


BROKEN_LINES = [
    ("a.jsonl", '{"a": 1}\n{"a": \n{"a": 3}\n', 2, "Expecting value"),
    ("a.jsonl", '{"a": 1}\n[1, 2]\n{"a": 3}\n', 2, "list"),
    ("a.jsonl", '{"a": 1}\n' + "[" * 900 + "]" * 900 + '\n{"a": 3}\n', 2, "list"),
    ("a.jsonl", '{"a": 1}\n{"\x00\x1b[31m\n{"a": 3}\n', 2, r"x00.x1b"),
    ("a.jsonl", '{"a": 1}\n"text"\n{"a": 3}\n', 2, "str"),
    ("a.jsonl", '{"a": 1}\n' + '{"a":' * 200_000 + '\n{"a": 3}\n', 2, "nested too deeply"),
    ("a.csv", "a,b\n1,2\n1,2,3\n4,5\n", 3, "3 fields"),
    ("a.csv", 'a,b\n1,2\n"x"y,2\n4,5\n', 3, "expected after"),
]


@pytest.mark.parametrize(("name", "text", "line", "said"), BROKEN_LINES)
def test_a_malformed_line_is_refused_with_its_place_or_dropped(
    tmp_path: Path, name: str, text: str, line: int, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError, match=said) as refused:
        rows_of(path)
    assert refused.value.place == f"{path}:{line}"
    assert refused.value.expected
    assert "data.malformed=drop" in refused.value.remedy
    rows = rows_of(path, malformed="drop")
    assert [row.index for row in rows if isinstance(row, Row)] == [0, 2]  # reading went on
    dropped = rows[1]
    assert isinstance(dropped, Dropped)
    assert (dropped.index if isinstance(dropped, Row) else dropped.row, dropped.reason) == (1, MALFORMED)
    assert re.search(said, dropped.detail)
    assert dropped.detail.isprintable()


BROKEN_ARRAYS = [
    ('[\n{"a": 1},\n{"a": 2},\n]', 4, "a comma before the closing"),
    ('[\n{"a": 1},\n{"a": 2}\n{"a": 3}]', 4, "after an element"),
    ('[\n{"a": 1},\n{"a": 2}', 3, "cut off"),
    ('[\n{"a": 1},\n{"a": 2},\n{"a"\n: nope}]', 5, "Expecting value"),
    ('[\n{"a": 1},\n{"a": 2}]\n\nmore', 5, "after the end"),
    ('[\n{"a": 1},\n{"a": 2},\n' + "[" * 100_000, 4, "nested too deeply"),
    ('[\n{"a": 1},\n{"a": 2},\n' + "9" * 10_000 + "]", 4, "limit"),
]


@pytest.mark.parametrize(("text", "line", "said"), BROKEN_ARRAYS)
def test_a_broken_array_names_the_line_and_its_rest_is_one_dropped(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=said) as refused:
        rows_of(path)
    assert refused.value.place == f"{path}:{line}"
    *rows, last = rows_of(path, malformed="drop")
    assert [row.fields for row in rows if isinstance(row, Row)] == [{"a": 1}, {"a": 2}]
    assert isinstance(last, Dropped)
    assert (last.row, last.place.line, last.reason) == (2, line, MALFORMED)


def test_one_object_around_a_list_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"version": 1,\n "data": [\n  {"a": "]"},\n  {"a": 2}\n ], "n": {"x": [3]}}')
    rows = rows_of(path)
    assert [(row.place.line, row.fields) for row in rows if isinstance(row, Row)] == [(3, {"a": "]"}), (4, {"a": 2})]
    assert "`data`" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        '{"messages": [{"role": "user", "content": "hi"}]}',
        '{\n "a": [{"x": 1}],\n "b": [{"x": 2}]\n}',
        '{"a": 1}',
    ],
)
def test_one_object_may_be_a_row(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert fields_of(tmp_path / "a.json") == [json.loads(text)]


def test_indented_objects_one_after_the_other(tmp_path: Path) -> None:
    text = "".join(json.dumps(row, indent=2) + "\n" for row in ROWS)
    (tmp_path / "a.jsonl").write_text(text)
    rows = rows_of(tmp_path / "a.jsonl")
    assert [(row.place.line, row.fields) for row in rows if isinstance(row, Row)] == [
        (1 + 4 * number, row) for number, row in enumerate(ROWS)
    ]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": "\xe9"}\n', 2),
        ("a.json", b'[{"a": 1},\n\n{"a": "\xff"}]', 3),
        ("a.csv", b"a\n1\n2\n\xff\n", 4),
        ("a.txt", b"fine\n\xc3(\n", 2),
        ("a.jsonl", "\ufeff".encode("utf-16-le") + b'{\x00"\x00a\x00"\x00:\x001\x00}\x00\n\x00\x00\xdc', 2),
    ],
)
def test_a_wrong_encoding_names_the_line(tmp_path: Path, name: str, content: bytes, line: int) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as refused:
        rows_of(tmp_path / name)
    assert refused.value.place == f"{tmp_path / name}:{line}"
    assert "UTF-8" in refused.value.remedy


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst", "a.parquet", "file.arrow", "stream.arrow"])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in WRITERS:
        WRITERS[name](path)
    else:
        long = "".join(f'{{"a": "{os.urandom(64).hex()}"}}\n' for _ in range(2000))
        (tmp_path / "a.jsonl").write_text(long)
        compress(tmp_path / "a.jsonl", path.suffix)
    whole = path.read_bytes()
    assert rows_of(path)
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(DataError) as refused:
        rows_of(path, malformed="drop")
    assert str(path) in refused.value.place
    assert refused.value.remedy


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.csv", "a.parquet", "a.arrow", "a.txt"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match="empty"):
        rows_of(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", "[ ]"), ("a.jsonl", "\n \n"), ("a.csv", "a,b\n"), ("a.json", " ")]
)
def test_no_rows_at_all_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="no rows"):
        rows_of(tmp_path / name)


def test_no_sources_are_refused() -> None:
    with pytest.raises(DataError, match="no data"):
        read([])


def test_a_header_that_repeats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("q,a,q\n1,2,3\n")
    with pytest.raises(DataError, match="repeats q"):
        rows_of(tmp_path / "a.csv")


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match=r"`\.xlsx`"):
        rows_of(tmp_path / "a.xlsx")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that the system refuses to read")
def test_a_file_that_the_system_refuses_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        rows_of("/proc/self/mem")


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files_are_read_or_refused_and_never_crash(tmp_path: Path, name: str, ending: str) -> None:
    WRITERS[name](tmp_path / name)
    path = compress(tmp_path / name, ending) if ending else tmp_path / name
    whole, choice, places = path.read_bytes(), random.Random(0), []
    for _ in range(60):
        damaged = bytearray(whole)
        start = choice.randrange(len(whole))
        damaged[start : start + choice.randrange(4)] = choice.randbytes(choice.randrange(1, 4))
        path.write_bytes(damaged)
        try:
            assert rows_of(path, malformed="drop")
        except DataError as error:
            places.append(error.place)
    assert places or not ending
    assert all(place.startswith(str(path)) for place in places)


def run_offline(code: str, home: Path) -> str:
    """What a fresh interpreter prints whose Hub cache is `home` and that may not go online."""
    head = "from tutelage.data import read\nfrom tutelage.recipe import Source\nfrom tutelage.errors import DataError\n"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    command = [sys.executable, "-c", head + code]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_hub_id_that_cannot_be_had_is_refused_without_a_traceback(tmp_path: Path) -> None:
    told = run_offline(
        "try: list(read([Source(path='nobody/nothing-here')]))\nexcept DataError as error: print(error)", tmp_path
    )
    assert "nobody/nothing-here: no such file or folder, and not to be had from the Hub" in told
    assert "HF_HUB_OFFLINE" in told


_FILL_CACHE = """
import os, pathlib
from datasets import Dataset, DatasetInfo
from datasets.arrow_writer import ArrowWriter
rows = Dataset.from_list([{"q": "a", "m": [{"x": 1}]}, {"q": "b", "m": [{"y": 2}]}])
root = pathlib.Path(os.environ["HF_HOME"], "datasets", "org___name", "default", "0.0.0", "abc")
root.mkdir(parents=True)
writer = ArrowWriter(path=str(root / "name-train.arrow"), features=rows.features)
for row in rows: writer.write(row)
number, size = writer.finalize()
train = {"name": "train", "num_bytes": size, "num_examples": number, "dataset_name": "name"}
names = dict(builder_name="parquet", dataset_name="name", config_name="default", version="0.0.0")
DatasetInfo(features=rows.features, splits={"train": train}, **names).write_to_directory(str(root))
for row in read([Source(path="org/name")]): print(row.index, row.place, row.fields)
try: list(read([Source(path="org/name", split="test")]))
except DataError as error: print(error)
"""


def test_a_hub_set_in_the_cache_is_read_offline(tmp_path: Path) -> None:
    told = run_offline(_FILL_CACHE, tmp_path)
    assert "0 org/name:1 {'q': 'a', 'm': [{'x': 1}]}\n1 org/name:2 {'q': 'b', 'm': [{'y': 2}]}\n" in told
    assert 'Unknown split "test"' in told


def test_a_folder_saved_by_datasets_is_read(tmp_path: Path) -> None:
    run_offline(
        f"from datasets import Dataset, DatasetDict\nrows = {ROWS!r}\n"
        "DatasetDict(train=Dataset.from_list(rows), test=Dataset.from_list(rows[:1])).save_to_disk('saved')",
        tmp_path,
    )
    assert fields_of(tmp_path / "saved") == ROWS
    assert [row.fields for row in read([Source(path=str(tmp_path / "saved"), split="test")])] == ROWS[:1]  # type: ignore[union-attr]
