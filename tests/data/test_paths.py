"""What a path, a folder or a glob stands for."""

from pathlib import Path

import pytest

from tutelage.data.paths import ending, find_files
from tutelage.errors import DataError
from tutelage.recipe import Source


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(path: Path, **keys: str) -> list[str]:
    return [Path(name).name for name in find_files(Source(path=str(path), **keys))]  # type: ignore[arg-type]


def test_a_folder_is_its_readable_files_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b.jsonl", "a.csv.gz", "sub/c.parquet", "README.md", "dataset_info.json", ".git/x.json", "z.py")
    touch(tmp_path, "readme.json", "notes.md")
    assert found(tmp_path) == ["a.csv.gz", "b.jsonl", "notes.md", "readme.json", "c.parquet"]


def test_a_folder_without_data_names_what_it_holds(tmp_path: Path) -> None:
    touch(tmp_path, "model.bin", "z.py")
    with pytest.raises(DataError, match=r"model\.bin, z\.py"):
        found(tmp_path)


def test_a_glob_is_sorted_and_may_be_recursive(tmp_path: Path) -> None:
    touch(tmp_path, "b.json", "a.json", "sub/c.json", "d.csv")
    assert found(tmp_path / "*.json") == ["a.json", "b.json"]
    assert found(tmp_path / "**" / "*.json") == ["a.json", "b.json", "c.json"]
    with pytest.raises(DataError, match="no file matches"):
        found(tmp_path / "*.tsv")


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].json", "a1.json")
    assert found(tmp_path / "a[1].json") == ["a[1].json"]


def test_a_missing_file_comes_with_near_names(tmp_path: Path) -> None:
    touch(tmp_path, "train.jsonl", "other.csv")
    with pytest.raises(DataError, match="no such file") as missing:
        found(tmp_path / "trian.jsonl")
    assert str(tmp_path / "train.jsonl") in missing.value.remedy
    with pytest.raises(DataError, match="no such file"):
        found(tmp_path / "nowhere" / "x.jsonl")


def test_a_near_local_name_is_not_sought_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "data/train.jsonl")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        find_files(Source(path="data/train"))
    assert find_files(Source(path="org/name")) == ()


def test_hub_keys_for_a_file_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.jsonl")
    with pytest.raises(DataError, match="split: test"):
        found(tmp_path / "a.jsonl", split="test")


def test_the_split_of_a_saved_data_set(tmp_path: Path) -> None:
    touch(tmp_path, "dataset_dict.json", "train/state.json", "train/a.arrow", "test/b.arrow")
    assert found(tmp_path) == ["a.arrow"]
    assert found(tmp_path, split="test") == ["b.arrow"]
    with pytest.raises(DataError, match="no split `dev`"):
        found(tmp_path, split="dev")


def test_what_is_no_file_and_no_folder_is_refused() -> None:
    with pytest.raises(DataError, match="neither"):
        found(Path("/dev/null"))


def test_a_path_that_the_system_refuses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be looked up"):
        found(tmp_path / ("x" * 5000))


@pytest.mark.parametrize(("path", "kind"), [("a/b.JSON.gz", ".json"), ("x.tar.zst", ".tar"), ("d", ""), (".gz", "")])
def test_the_ending_is_that_of_the_content(path: str, kind: str) -> None:
    assert ending(path) == kind


def test_links_out_of_a_data_folder_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "private.txt"
    outside.write_text("mine")
    folder = tmp_path / "data" / "snapshots" / "one"
    (folder.parent.parent / "blobs").mkdir(parents=True)
    folder.mkdir(parents=True)
    (folder.parent.parent / "blobs" / "7").write_text("{}")
    (folder / "rows.jsonl").symlink_to("../../blobs/7")
    (folder / "same.jsonl").symlink_to("rows.jsonl")
    source = Source(path=str(folder))
    assert len(find_files(source)) == 2
    (folder / "notes.txt").symlink_to(outside)
    with pytest.raises(DataError, match=rf"notes\.txt: a link out of the folder, to {outside}"):
        find_files(source)
    assert find_files(Source(path=str(folder / "notes.txt"))), "a link that is named is followed"
