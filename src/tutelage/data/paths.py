"""From what the user named (file, folder, glob) to the files that are read."""

import difflib
import glob
import os
import re
from pathlib import Path

from tutelage.errors import DataError
from tutelage.recipe import Source

ENDINGS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".txt", ".md")
_COMPRESSED = (".gz", ".zst")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_KINDS = f"{', '.join(ENDINGS)}; each also {' or '.join(_COMPRESSED)}"
# What stands in folders of data sets beside the data.
_NOT_DATA = frozenset({"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})
_NOT_DATA_TEXTS = frozenset({"readme", "license", "notice", "changelog", "requirements"})


def ending(path: str) -> str:
    """The ending in small letters without that of the compression: `a.JSON.gz` -> `.json`."""
    name = Path(path).name.lower()
    for compressed in _COMPRESSED:
        name = name.removesuffix(compressed)
    return Path(name).suffix


def find_files(source: Source) -> tuple[str, ...]:
    """The files of a source: itself, or what is readable in the folder or matches the glob, sorted; none for a Hub id.

    Hidden files, data set cards, licences and the bookkeeping of `datasets` are left out of folders and globs. A link
    is followed where it is named, and inside its folder. Of a folder written by `DatasetDict.save_to_disk`, the named
    split is read (train if none is named).

    Raises:
        DataError: nothing there, nothing readable, a folder with links out of it, or a split or subset for plain files.
    """
    try:
        return () if _is_hub_id(source.path) else _find(source)
    except OSError as error:
        found = f"cannot be looked up: {error.strerror}"
        raise DataError(
            found, code="no-such-data", place=source.path, remedy="check the path and its permissions"
        ) from None


def _is_hub_id(path: str) -> bool:
    """Whether it looks like org/name, and nothing local has this or a similar name."""
    named = bool(_HUB_ID.fullmatch(path)) and ending(path) not in ENDINGS
    return named and not Path(path).exists() and not _near(Path(path))


def _find(source: Source) -> tuple[str, ...]:
    path = Path(source.path).expanduser()
    if path.is_dir():
        return _folder(path, source)
    _refuse_hub_keys(source)
    if path.exists():
        if not path.is_file():
            raise DataError(
                "neither a file nor a folder", code="no-such-data", place=source.path, expected="a file of rows"
            )
        return (str(path),) if source.path.startswith("~") else (source.path,)
    if glob.has_magic(source.path):
        return _glob(str(path))
    raise _missing(source.path)


def _missing(path: str) -> DataError:
    if Path(path).expanduser().is_symlink():
        found = "a symbolic link that leads nowhere"
        raise DataError(
            found, code="no-such-data", place=path, expected="a link to a file or folder", remedy="mend the link"
        )
    near = _near(Path(path).expanduser())
    remedy = f"did you mean {' or '.join(near)}?" if near else "check data.sources"
    return DataError(
        "no such file or folder",
        code="no-such-data",
        place=path,
        expected="a file, folder, glob, or Hub id",
        remedy=remedy,
    )


def _near(path: Path) -> list[str]:
    parent = path.parent
    if not parent.is_dir():
        return []
    return [str(parent / name) for name in difflib.get_close_matches(path.name, sorted(os.listdir(parent)), 3, 0.6)]


def _folder(path: Path, source: Source) -> tuple[str, ...]:
    if (path / "dataset_dict.json").is_file():
        split = source.split or "train"
        known = sorted(item.name for item in path.iterdir() if item.is_dir())
        if split not in known:
            raise DataError(
                f"no split `{split}`",
                code="no-such-data",
                place=source.path,
                expected=" or ".join(known),
                remedy="set split",
            )
        path = path / split
    else:
        _refuse_hub_keys(source)
    files = sorted(str(item) for item in path.rglob("*") if item.is_file())
    return _inside(_readable(files, str(path)), path)


def _inside(files: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Refuse links out of a folder: whoever packed it chose them, and what they lead to would be trained. A Hub cache
    is made of links to its own blobs."""
    roots = [folder.resolve()]
    roots += [parent.parent / "blobs" for parent in (roots[0], *roots[0].parents) if parent.name == "snapshots"]
    for file in files:
        target = Path(file).resolve()
        if not any(target.is_relative_to(root) for root in roots):
            found = f"a link out of the folder, to {target}"
            raise DataError(
                found,
                code="outside-of-folder",
                place=file,
                remedy="name that file itself in data.sources, or remove the link",
            )
    return files


def _glob(pattern: str) -> tuple[str, ...]:
    files = sorted(name for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
    if not files:
        raise DataError(
            "no file matches",
            code="no-such-data",
            place=pattern,
            expected="at least one file",
            remedy="check data.sources",
        )
    return _readable(files, pattern)


def _readable(files: list[str], place: str) -> tuple[str, ...]:
    readable = tuple(name for name in files if _is_data(name, place))
    if readable:
        return readable
    others = ", ".join(Path(name).name for name in files[:10]) or "no file at all"
    raise DataError(
        f"nothing readable, only {others}",
        code="no-such-data",
        place=place,
        expected=_KINDS,
        remedy="check data.sources",
    )


def _is_data(name: str, place: str) -> bool:
    below = Path(name).relative_to(place).parts if Path(place).is_dir() else (Path(name).name,)
    hidden = any(part.startswith(".") for part in below)
    last = Path(name).name.lower()
    is_card = ending(name) in (".txt", ".md") and last.split(".")[0] in _NOT_DATA_TEXTS
    return ending(name) in ENDINGS and not (hidden or is_card or last in _NOT_DATA)


def _refuse_hub_keys(source: Source) -> None:
    for key, value in (("split", source.split), ("subset", source.subset)):
        if value is not None:
            found = f"`{key}: {value}` is set, but this is no Hub data set"
            raise DataError(found, code="no-such-data", place=source.path, remedy=f"remove {key}")
