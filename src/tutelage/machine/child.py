"""A process of its own that tries what may crash: imports, the GPU, the network. It is run as a file, so that nothing
of Tutelage is imported unless that is what is tried, and tells what it finds in lines of JSON behind `MARK`.

    python child.py import MODULE...     each module in turn; then, if torch is among them, what torch can do
    python child.py reach URL            whether somebody answers there
"""

import json
import sys
import urllib.error
import urllib.request
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

MARK = "doctor: "  # packages print what they like beside our lines
TORCH = "torch: what it can do"  # the name of that step, among those of modules
WAIT = 4.0  # seconds for an answer from the network


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as torch sees it; memory in bytes, `bf16` whether it multiplies that in hardware."""

    name: str
    free: int
    total: int
    bf16: bool


@dataclass(frozen=True, slots=True)
class Torch:
    """What torch can do here.

    Attributes:
        cuda: version that it was built with; None for a build without.
        threads: that it computes with.
        cpu_bf16: the processor multiplies bf16 in hardware.
        gpus: empty where CUDA is not available.
        warnings: what torch said when it was asked for GPUs.
        varlen: the error of attention over rows of any length; empty where it works. Tried on a GPU only.
        bitsandbytes: the error of quantising a matrix; empty where it works, None where it is not installed.
    """

    version: str
    cuda: str | None
    threads: int
    cpu_bf16: bool
    gpus: tuple[Gpu, ...]
    warnings: tuple[str, ...]
    varlen: str
    bitsandbytes: str | None


def main(arguments: Sequence[str]) -> None:
    """Do one of the two things."""
    if arguments[0] == "reach":
        _tell(reached=_reached(arguments[1]))
        return
    errors = {}
    for name in arguments[1:]:
        _tell(start=name)
        errors[name] = _error_of_import(name)
        _tell(done=name, error=errors[name])
    if errors.get("torch") == "":
        _tell(start=TORCH)
        _tell(done=TORCH, error="", torch=asdict(_torch()))


def _tell(**what: Any) -> None:
    print(MARK + json.dumps(what), flush=True)


def _error_of_import(name: str) -> str:
    try:
        import_module(name)
    except (Exception, SystemExit) as error:
        return _words(error)
    return ""


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _torch() -> Torch:
    torch = import_module("torch")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
        gpus = tuple(_gpu(torch, index) for index in range(torch.cuda.device_count())) if available else ()
    return Torch(
        version=str(torch.__version__),
        cuda=torch.version.cuda,
        threads=torch.get_num_threads(),
        cpu_bf16=bool(torch.cpu._is_avx512_bf16_supported()),
        gpus=gpus,
        warnings=tuple(str(one.message) for one in caught),
        varlen=_varlen_error(torch) if gpus else "",
        bitsandbytes=_quantising_error(torch, "cuda" if gpus else "cpu"),
    )


def _gpu(torch: Any, index: int) -> Gpu:
    with torch.cuda.device(index):
        free, total = torch.cuda.mem_get_info()
        bf16 = bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return Gpu(torch.cuda.get_device_name(index), free, total, bf16)


def _varlen_error(torch: Any) -> str:
    """Attention over rows of 3 and 5 tokens, as training packs them."""
    try:
        attend = import_module("torch.nn.attention.varlen").varlen_attn
        part_THD = torch.ones(8, 2, 64, device="cuda", dtype=torch.float16)
        starts = torch.tensor([0, 3, 8], device="cuda", dtype=torch.int32)
        attend(part_THD, part_THD, part_THD, starts, starts, 5, 5)
        torch.cuda.synchronize()
    except Exception as error:
        return _words(error)
    return ""


def _quantising_error(torch: Any, device: str) -> str | None:
    """A matrix to four bits and back."""
    if find_spec("bitsandbytes") is None:
        return None
    try:
        functional = import_module("bitsandbytes.functional")
        matrix = torch.ones(64, 64, device=device)
        packed, state = functional.quantize_4bit(matrix, quant_type="nf4")
        error = float((functional.dequantize_4bit(packed, state) - matrix).abs().max())
    except Exception as raised:
        return _words(raised)
    return "" if error < 0.1 else f"a matrix of ones comes back with an error of {error:g}"


def _reached(url: str) -> str:
    """The error of asking for a page; empty where somebody answers, be it with a refusal."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=WAIT):
            return ""
    except urllib.error.HTTPError as answer:
        return "" if answer.code < 500 else _words(answer)
    except (OSError, ValueError) as error:
        return _words(error)


if __name__ == "__main__":
    main(sys.argv[1:])
