"""What is refused before a model is opened (law 10): Python code that nobody asked for by name, pickles, native kernels
from the Hub, and file names that lead out of the model's folder. Everything here reads JSON and runs nothing."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers.utils import cached_file

from tutelage.errors import ModelError
from tutelage.recipe import ModelSection

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_CONFIGS = ("config.json", "tokenizer_config.json")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
# Keys of configurations and indexes whose values transformers takes for names of files beside them.
_NAMING_FILES = ("transformers_weights", "fast_tokenizer_files", "weight_map")
ASKS_FOR_TRUST = "trust_remote_code"  # in transformers' error for a class that only the model's own code has
_NAMING_WEIGHTS = ("transformers_weights", "weight_map")


def is_trusted(section: ModelSection, place: str) -> bool:
    """Whether the recipe names this model among those whose code may run; two spellings of a folder are one name."""
    names = {section.name_or_path, place, _full(place)}
    return any(name in names or _full(name) in names for name in section.trust_remote_code)


def check(section: ModelSection, place: str) -> None:
    """Look at the JSON of a model before it is loaded.

    Args:
        place: folder or Hub id.

    Raises:
        ModelError: it is a file; a file name leads out of the folder or to a pickle; an attention that is a kernel of
            the Hub; code of another repository that is not trusted by name; JSON that cannot be read.
    """
    if Path(place).is_file():
        raise _no_folder(place)
    trees = {name: read_json(place, name, revision=section.revision) for name in (*_CONFIGS, INDEX)}
    named = trees["config.json"].get("transformers_weights")
    if isinstance(named, str) and named.endswith(".index.json") and not _leaves(named):
        trees[named] = read_json(place, named, revision=section.revision)
    for name, tree in trees.items():
        _check_file_names(tree, f"{place}/{name}")
        _refuse_kernels(tree, f"{place}/{name}")
    if is_trusted(section, place):
        _refuse_other_repositories(section, trees, place)


def read_json(place: str, name: str, *, revision: str | None) -> Mapping[str, Any]:
    """A JSON file of a folder or of a Hub model; empty where there is none.

    Raises:
        ModelError: it is not a JSON object.
    """
    file = file_of(place, name, revision=revision)
    if file is None:
        return {}
    try:
        tree = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"not readable as JSON: {error}", code="model-files", place=file, remedy="fetch or write the file again"
        ) from None
    if not isinstance(tree, dict):
        raise ModelError(
            f"a {type(tree).__name__} where an object should be",
            code="model-files",
            place=file,
            expected="a JSON object",
        )
    return tree


def file_of(place: str, name: str, *, revision: str | None) -> str | None:
    """The path of a file of a folder or of a Hub model (from its cache, where it is there); None if it has none."""
    if Path(place).is_dir() or looks_local(place):
        file = Path(place) / name
        return str(file) if file.is_file() else None
    try:
        found: str | None = cached_file(place, name, revision=revision)
    except OSError:  # no such file, or no such model: told by who loads it
        return None
    return found


def looks_local(place: str) -> bool:
    """Whether a name cannot be a Hub id."""
    return place.startswith(("/", ".", "~")) or place.count("/") != 1


def code_of(section: ModelSection, place: str) -> tuple[str, ...]:
    """The Python files that a model asks to have executed, as its configurations name them; none for most."""
    trees = (read_json(place, name, revision=section.revision) for name in _CONFIGS)
    references = {reference for tree in trees for reference in _references(tree)}
    return tuple(sorted({_file_of_code(reference) for reference in references}))


def code_refused(section: ModelSection, place: str) -> ModelError:
    """The error for a model that cannot be loaded without its own code."""
    name = section.name_or_path
    return ModelError(
        f"the model needs Python code of its own: {', '.join(code_of(section, place))}",
        code="foreign-code",
        place=place,
        expected="a model that transformers knows; code of a model can do on this machine whatever you can",
        remedy=f"read that code; to run it: --set {shlex.quote(f'model.trust_remote_code={name}')}",
    )


def refuse_pickles(place: str, *, wanted: Sequence[str] = (WEIGHTS, INDEX)) -> None:
    """Refuse a folder whose weights are pickles, with the command that converts them without executing anything.

    Args:
        wanted: names of which one is enough; the first is what the command writes.

    Raises:
        ModelError: none of the files is there; tells the pickles that are there instead.
    """
    folder = Path(place)
    if not folder.is_dir() or any((folder / name).is_file() for name in wanted):
        return
    stem = "adapter_model" if wanted[0].startswith("adapter") else "pytorch_model"
    found = sorted(file for file in folder.iterdir() if file.suffix in _PICKLED)
    pickles = [file for file in found if file.name.startswith(stem)] or found
    if pickles:
        raise _pickled(pickles, folder / wanted[0])


def broken_weights(place: str) -> str | None:
    """The first safetensors file of a folder that cannot be opened, with the reason; None where all can."""
    for file in sorted(Path(place).glob("*.safetensors")):
        try:
            with safe_open(file, "pt"):
                pass
        except (OSError, SafetensorError) as error:
            return f"{file.name}: {error}"
    return None


def links_out(place: str) -> tuple[str, ...]:
    """Files of a folder that are links to somewhere else, as sentences. Links into the blobs of a Hub cache are what
    its folders are made of, and are not told."""
    folder = Path(place)
    if not folder.is_dir():
        return ()
    inside = [folder.resolve()]
    if inside[0].parent.name == "snapshots":
        inside.append(inside[0].parent.parent / "blobs")
    links = [file for file in sorted(folder.iterdir()) if file.is_symlink()]
    out = [file for file in links if not any(file.resolve().is_relative_to(root) for root in inside)]
    return tuple(f"{file} is a link out of its folder, to {file.resolve()}" for file in out)


def _full(place: str) -> str:
    return str(Path(place).resolve()) if Path(place).is_dir() else place


def _no_folder(place: str) -> ModelError:
    if Path(place).suffix in _PICKLED:
        return _pickled([Path(place)], Path(place).with_name(WEIGHTS))
    return ModelError(
        "a file where a model should be",
        code="model-files",
        place=place,
        expected="a folder with config.json and weights",
    )


def _pickled(pickles: Sequence[Path], target: Path) -> ModelError:
    """`weights_only` builds tensors and nothing else, and clones have no memory in common, as safetensors wants it."""
    files = [str(file.absolute()) for file in pickles]
    code = (
        "import torch, safetensors.torch as st; "
        f"parts = [torch.load(file, map_location='cpu', weights_only=True) for file in {files!r}]; "
        "st.save_file({name: weight.clone().contiguous() for part in parts for name, weight in part.items()}, "
        f"{str(target.absolute())!r}, {{'format': 'pt'}})"
    )
    return ModelError(
        f"pickled weights, which can execute code when they are opened: {', '.join(file.name for file in pickles)}",
        code="pickled-weights",
        place=str(pickles[0].parent),
        expected=f"weights as safetensors ({target.name})",
        remedy=f"python -c {shlex.quote(code)}",
    )


def _check_file_names(tree: Mapping[str, Any], place: str) -> None:
    for key in _NAMING_FILES:
        for name in _texts(tree.get(key)):
            if _leaves(name):
                raise ModelError(
                    f"{key} names a file outside of the model's folder: {name!r}",
                    code="outside-of-folder",
                    place=place,
                    expected="names of files beside it",
                    remedy="do not use this model; where it is your own, put the file beside the others",
                )
            if key in _NAMING_WEIGHTS and not name.endswith((".safetensors", ".safetensors.index.json")):
                raise ModelError(
                    f"{key} names weights that are no safetensors: {name!r}",
                    code="pickled-weights",
                    place=place,
                    expected="weights as safetensors",
                    remedy=f"remove {key}, and convert the weights as told then",
                )


def _refuse_kernels(tree: Any, place: str) -> None:
    """An attention named as org/name is native code that transformers would fetch from the Hub and run."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        if isinstance(value, str) and "_implementation" in str(key) and "/" in value:
            raise ModelError(
                f"{key} names native code of the Hub: {value!r}",
                code="foreign-code",
                place=place,
                remedy=f"remove {key} from the file",
            )
        _refuse_kernels(value, place)


def _refuse_other_repositories(section: ModelSection, trees: Mapping[str, Any], place: str) -> None:
    for tree in trees.values():
        for reference in _references(tree):
            repository, _, _ = reference.rpartition("--")
            if repository and repository not in section.trust_remote_code:
                allowed = ", ".join([*section.trust_remote_code, repository])
                raise ModelError(
                    f"the code of the model is another's: {repository}",
                    code="foreign-code",
                    place=place,
                    expected="code of a model that is trusted by name",
                    remedy=f"read that code; to run it: --set {shlex.quote(f'model.trust_remote_code=[{allowed}]')}",
                )


def _references(tree: Mapping[str, Any]) -> Iterator[str]:
    """Classes that `auto_map` names, as `file.Class` or `org/name--file.Class`."""
    yield from _texts(tree.get("auto_map"))


def _file_of_code(reference: str) -> str:
    repository, _, name = reference.rpartition("--")
    file = f"{name.rpartition('.')[0].replace('.', '/')}.py"
    return f"{repository}/{file}" if repository else file


def _texts(value: Any) -> Iterator[str]:
    """All texts in nested lists and mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _leaves(name: str) -> bool:
    """Whether a file name leads out of the folder that it is looked up in."""
    return name.startswith(("/", "\\", "~")) or ".." in re.split(r"[\\/]", name) or ":" in name
