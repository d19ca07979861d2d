"""The outputs of the frozen leading layers, kept across epochs: a batch whose rows are all kept needs no trunk.

Shapes: B rows of the batch matrix, T tokens, D hidden size; N examples of the token store.

While the model runs, stand-ins take the places of the frozen layers. Either the last of them writes down what its layer
returns, or the first returns what was written and the others pass it on. Indices stay, so masks and layer types that
go by them stay right. What the trained layers see is always what was written: first pass and later ones agree bit for
bit.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from tutelage.errors import TrainingError
from tutelage.model.freezing import trunk_depth
from tutelage.model.layers import layers_of
from tutelage.records import Batch

HIDDEN, SUMS = "trunk.hidden", "trunk.sums"


@dataclass(frozen=True)
class Form:
    """What the last frozen layer returns.

    Attributes:
        width: D.
        values: in the returned tuple; 0 where the hidden states are returned alone.
    """

    width: int
    dtype: torch.dtype
    values: int

    @property
    def bytes_per_token(self) -> int:
        """Size of one token's hidden state."""
        return self.width * self.dtype.itemsize


class TrunkStore:
    """Hidden states of examples in two files of a folder, through memory maps; taken up again where they are there.

    trunk.hidden    hidden states of all examples, one after the other, in the dtype that they were computed in
    trunk.sums      (N,) int64: 1 + CRC-32 of an example's hidden states once they are written, else 0

    Args:
        lengths: example -> tokens, for each example that may be kept.

    Raises:
        TrainingError: the disk is full (`keep`).
    """

    def __init__(self, folder: Path, lengths: Mapping[int, int], *, form: Form) -> None:
        self._files = folder / HIDDEN, folder / SUMS
        self._dtype = form.dtype
        numbers = np.array(sorted(lengths))
        ends = np.cumsum([lengths[int(number)] for number in numbers])
        self._parts = {
            int(number): slice(int(end) - lengths[int(number)], int(end))
            for number, end in zip(numbers, ends, strict=True)
        }
        shape = int(ends[-1]), form.width
        sizes = shape[0] * form.bytes_per_token, 8 * (int(numbers[-1]) + 1)
        taken_up = is_there(folder) and tuple(file.stat().st_size for file in self._files) == sizes
        if not taken_up:
            for file, size in zip(self._files, sizes, strict=True):
                with file.open("wb") as fresh:
                    fresh.truncate(size)
        self._hidden_SD = torch.from_file(
            str(self._files[0]), shared=True, size=shape[0] * shape[1], dtype=form.dtype
        ).view(shape)
        self._sums_N = torch.from_file(str(self._files[1]), shared=True, size=sizes[1] // 8, dtype=torch.int64)
        self._writer = self._files[0].open("r+b")
        if taken_up:
            self._forget_damaged()

    def holds(self, examples: Sequence[int]) -> bool:
        """Whether all of these are kept."""
        return all(int(self._sums_N[number]) for number in examples)

    def exchange(self, batch: Batch, hidden_BTD: torch.Tensor) -> torch.Tensor:
        """Keep the rows that are not kept yet, and return the kept ones, (B, T, D)."""
        for number, place in zip(batch.examples, row_places(batch), strict=True):
            if not self.holds([number]):
                self._keep(number, hidden_BTD[place])
        return self.read(batch, device=hidden_BTD.device)

    def read(self, batch: Batch, *, device: torch.device) -> torch.Tensor:
        """The kept hidden states of a batch, zeros at padding, (B, T, D)."""
        shape = *batch.token_ids_BT.shape, self._hidden_SD.shape[1]
        hidden_BTD = torch.zeros(shape, dtype=self._dtype)
        for number, place in zip(batch.examples, row_places(batch), strict=True):
            hidden_BTD[place] = self._hidden_SD[self._parts[number]]
        return hidden_BTD.to(device)

    def close(self) -> None:
        """Write no more."""
        self._writer.close()

    def _keep(self, number: int, hidden_TD: torch.Tensor) -> None:
        """Write through the file, not the map: a full disk is an error there, and no signal. The sum comes last, so
        that a run may be killed at any instant."""
        content = _bytes_of(hidden_TD.detach().to("cpu", self._dtype))
        try:
            self._writer.seek(self._parts[number].start * self._hidden_SD.shape[1] * self._dtype.itemsize)
            self._writer.write(content)
            self._writer.flush()
        except OSError as error:
            raise TrainingError(
                f"the outputs of the frozen layers cannot be kept: {error.strerror}",
                code="cannot-write",
                place=str(self._files[0]),
                remedy="free some space and go on with --resume, or start with freeze.cache_trunk=never",
            ) from None
        self._sums_N[number] = 1 + zlib.crc32(content)

    def _forget_damaged(self) -> None:
        """Forget entries that are not as they were written, as after a power cut."""
        for number, part in self._parts.items():
            kept = int(self._sums_N[number])
            if kept and kept != 1 + zlib.crc32(_bytes_of(self._hidden_SD[part])):
                self._sums_N[number] = 0


def is_there(folder: Path) -> bool:
    """Whether an unfinished run keeps its trunk's outputs in this folder."""
    return all((folder / name).is_file() for name in (HIDDEN, SUMS))


def forget(folder: Path) -> None:
    """Delete what a run has kept in this folder."""
    for name in (HIDDEN, SUMS):
        (folder / name).unlink(missing_ok=True)


def row_places(batch: Batch) -> Iterator[tuple[int, slice]]:
    """Where the rows of a batch lie in its matrix, padding left out: (b, tokens) of each."""
    if batch.token_ids_BT.shape[0] != len(batch.row_lengths):
        ends = np.cumsum(batch.row_lengths).tolist()
        yield from ((0, slice(end - length, end)) for length, end in zip(batch.row_lengths, ends, strict=True))
    else:
        yield from ((row, slice(0, length)) for row, length in enumerate(batch.row_lengths))


def _bytes_of(hidden_TD: torch.Tensor) -> bytes:
    return hidden_TD.contiguous().view(torch.uint8).numpy().tobytes()


class _StandIn(nn.Module):
    """In the place of a layer; whoever asks for an attribute of the layer gets it."""

    def __init__(self, layer: nn.Module, run: Callable[..., Any]) -> None:
        super().__init__()
        self.__dict__["layer"] = layer  # not as a submodule: the layer's weights keep their names
        self.run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["layer"], name)

    def forward(self, hidden_states: torch.Tensor, *arguments: Any, **settings: Any) -> Any:
        """Called as the layer would be."""
        return self.run(hidden_states, *arguments, **settings)


@dataclass(frozen=True)
class Trunk:
    """The frozen leading layers of a model, where their outputs may stand in for them.

    Attributes:
        layers: all layers of the decoder.
        depth: so many of them, from the first on, are frozen.
    """

    layers: nn.ModuleList
    depth: int

    def form(self, run_model: Callable[[], object]) -> Form:
        """What the last frozen layer returns when the model runs."""
        seen: list[Form] = []
        last = self.layers[self.depth - 1]

        def run(*arguments: Any, **settings: Any) -> Any:
            output = last(*arguments, **settings)
            hidden = _hidden_of(output)
            seen.append(Form(hidden.shape[-1], hidden.dtype, len(output) if isinstance(output, tuple) else 0))
            return output

        with self.standing_in({self.depth - 1: run}), torch.no_grad():
            run_model()
        return seen[0]

    @contextmanager
    def standing_in(self, runs: Mapping[int, Callable[..., Any]]) -> Iterator[None]:
        """While this lasts, functions run in the places of layers: number of the layer -> function."""
        own = {number: self.layers[number] for number in runs}
        for number, run in runs.items():
            self.layers[number] = _StandIn(own[number], run)
        try:
            yield
        finally:
            for number, layer in own.items():
                self.layers[number] = layer


@dataclass(frozen=True)
class KeptTrunk:
    """A trunk with the store of its outputs."""

    trunk: Trunk
    form: Form
    store: TrunkStore

    @contextmanager
    def running(self, batch: Batch) -> Iterator[None]:
        """While this lasts, the model runs on what is kept of a batch; what is not kept yet is computed and kept."""
        is_kept = self.store.holds(batch.examples)
        with self.trunk.standing_in(self._replay(batch) if is_kept else self._record(batch)):
            yield

    def _replay(self, batch: Batch) -> dict[int, Callable[..., Any]]:
        kept_BTD = self.store.read(batch, device=batch.token_ids_BT.device)
        passing = dict.fromkeys(range(1, self.trunk.depth), lambda hidden_BTD, *_, **__: self._returned(hidden_BTD))
        return {0: lambda *_, **__: self._returned(kept_BTD), **passing}

    def _record(self, batch: Batch) -> dict[int, Callable[..., Any]]:
        last = self.trunk.depth - 1
        layer = self.trunk.layers[last]

        def run(*arguments: Any, **settings: Any) -> Any:
            computed_BTD = _hidden_of(layer(*arguments, **settings))
            return self._returned(self.store.exchange(batch, computed_BTD))

        return {last: run}

    def _returned(self, hidden_BTD: torch.Tensor) -> Any:
        """Hidden states in the form that the layers return."""
        return (hidden_BTD, *[None] * (self.form.values - 1)) if self.form.values else hidden_BTD


def trunk_of(model: PreTrainedModel) -> Trunk | None:
    """The trunk of a model of which a part is trained; None where its outputs would change while training: a weight of
    its first layer is trained, or the embeddings are."""
    _, layers = layers_of(model)
    depth, embeddings = trunk_depth(layers), model.get_input_embeddings()
    if not depth or any(weight.requires_grad for weight in embeddings.parameters()):
        return None
    return Trunk(layers, depth)


def _hidden_of(output: Any) -> torch.Tensor:
    hidden_BTD: torch.Tensor = output[0] if isinstance(output, tuple) else output
    return hidden_BTD
