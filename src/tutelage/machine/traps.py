"""Known traps: what an error of a broken installation says, why it says so, and what mends it.

The messages are those of the packages' own trackers. The first pattern that is found in an error explains it; the
table goes from the particular to the general.
"""

import re
from dataclasses import dataclass

from tutelage.machine.packages import install, installer, needed


@dataclass(frozen=True, slots=True)
class Trap:
    """One way in which installations break.

    Attributes:
        pattern: regular expression, searched in the error.
        cause: why.
        reinstall: packages that are installed anew, each in the range that Tutelage needs; `{package}` stands for
            the one whose import failed, `{1}` for what the first group of the pattern found.
        options: of the installer.
        remedy: what to do instead, where installing does not help.
    """

    pattern: str
    cause: str
    reinstall: tuple[str, ...] = ()
    options: str = ""
    remedy: str = ""


_ANEW = "--upgrade --force-reinstall --no-cache-dir"

TRAPS = (
    Trap(
        r"argument of type 'NoneType' is not (?:iterable|a container)",
        "packages of different ages: an older transformers reads a table that is None beside this torch or this "
        "huggingface_hub (4.51 to 4.53 do so beside torch before 2.5)",
        reinstall=("torch", "transformers", "huggingface_hub"),
        options="--upgrade",
    ),
    Trap(
        r"[\w-]+[<>=!~]=?[\w.,<>=!~]+ is required for a normal functioning",
        "transformers refuses the version of a package beside it",
        reinstall=("transformers", "tokenizers", "huggingface_hub", "safetensors"),
        options="--upgrade",
    ),
    Trap(
        r"cannot import name '\w+' from '(?:huggingface_hub|transformers|tokenizers|peft|accelerate)",
        "the packages of Hugging Face are of different ages: one looks for a name that another does not have",
        reinstall=("transformers", "huggingface_hub", "tokenizers", "peft", "accelerate"),
        options="--upgrade",
    ),
    Trap(
        r"torchvision::nms|torchvision[^\n]*undefined symbol|Could ?n[o']t load custom C\+\+ ops",
        "torchvision was built for another torch, and transformers imports it wherever it is installed",
        remedy="{python} -m pip uninstall torchvision (Tutelage does not need it), or install the one that belongs to "
        "this torch",
    ),
    Trap(
        r"nvJitLink",
        "LD_LIBRARY_PATH leads to the libraries of another CUDA, which are found before those that torch brings",
        remedy="unset LD_LIBRARY_PATH",
    ),
    Trap(
        r"lib(?:cudart|cublas\w*|cudnn\w*|nccl|cupti|nvrtc|cufft|curand|cusolver|cusparse\w*|nvToolsExt)[-.\w]*: "
        r"cannot open shared object",
        "it was built for a CUDA whose libraries are not here: half an installation, or one for another CUDA",
        reinstall=("torch", "{package}"),
        options=_ANEW,
    ),
    Trap(
        r"static TLS",
        "libgomp is loaded when the space for thread-local data is used up already (common on ARM)",
        remedy="export LD_PRELOAD=\"$(ldconfig -p | grep -o -m1 '/.*libgomp.so.1')\"",
    ),
    Trap(
        r"libgomp[-.\w]*: cannot open shared object",
        "the OpenMP library of GCC is not installed on this system",
        remedy="sudo apt-get install libgomp1 (dnf install libgomp)",
    ),
    Trap(
        r"(?:GLIBCXX|CXXABI)_[\d.]+'? not found",
        "the C++ library that is found first is older than the one it was built with",
        remedy="conda install -c conda-forge libstdcxx-ng, then export LD_LIBRARY_PATH=$CONDA_PREFIX/lib; without "
        "conda: sudo apt-get install libstdc++6",
    ),
    Trap(
        r"GLIBC_[\d.]+'? not found",
        "this system's C library is older than the one it was built for",
        remedy="use a newer system or a container; pip cannot mend it",
    ),
    Trap(
        r"libbitsandbytes|bitsandbytes[^\n]*native library|CUDA Setup failed",
        "this bitsandbytes has no library for the CUDA of this torch",
        reinstall=("bitsandbytes",),
        options="--upgrade",
    ),
    Trap(
        r"undefined symbol: \w*(?:torch|c10|at\d|aten)|undefined symbol: _ZN",
        "its compiled part was built against another torch",
        reinstall=("{package}",),
        options=_ANEW,
    ),
    Trap(
        r"compiled using NumPy 1|_ARRAY_API not found|numpy\.dtype size changed|numpy\.core\.multiarray failed",
        "its compiled part was built against another NumPy",
        reinstall=("numpy", "{package}"),
        options="--upgrade",
    ),
    Trap(
        r"Descriptors cannot be created directly",
        "it holds code that was generated for an older protobuf",
        reinstall=("tensorboard", "protobuf"),
        options="--upgrade",
    ),
    Trap(
        r"partially initialized module '([\w.]+)'",
        "a file of your own has the name of a package and is imported in its place, or packages import each other",
        remedy="look for a file {1}.py in the current folder and in PYTHONPATH, and give it another name",
    ),
    Trap(r"No module named '(\w+)", "a package that it needs is not installed", reinstall=("{1}",)),
    Trap(
        r"SIGILL",
        "it was compiled for a newer processor than this one",
        remedy="install a build for this processor (conda-forge has some), or use another machine",
    ),
    Trap(
        r"SIGKILL",
        "the system stopped it: most likely there is not enough memory",
        remedy="give the machine or the container more memory, or stop other processes",
    ),
    Trap(
        r"driver version is insufficient|driver on your system is too old|forward compatibility was attempted",
        "the NVIDIA driver is older than the CUDA that torch was built with",
        remedy="install a newer driver, or the torch that was built for the driver's CUDA: "
        "https://pytorch.org/get-started/locally",
    ),
    Trap(
        r"Found no NVIDIA driver|no CUDA-capable device|No CUDA GPUs are available",
        "the process sees no GPU: the driver is not loaded, CUDA_VISIBLE_DEVICES is empty, or the container was "
        "started without GPUs",
        remedy="nvidia-smi; then unset CUDA_VISIBLE_DEVICES, or start the container with --gpus all",
    ),
    Trap(
        r"no kernel image is available",
        "torch was built without kernels for a GPU of this age",
        remedy="install a torch that supports this GPU: https://pytorch.org/get-started/locally",
    ),
)


def explain(error: str, package: str) -> tuple[str, str]:
    """(cause, remedy) of an error that the import or the use of a package raised.

    An error that nobody knows has no cause, and the package itself is installed anew.
    """
    for trap in TRAPS:
        if found := re.search(trap.pattern, error):
            names = {"package": package, "1": found.group(1) if found.re.groups else ""}
            return trap.cause, _remedy(trap, names)
    return "", install([package], options=_ANEW)


def _remedy(trap: Trap, names: dict[str, str]) -> str:
    if not trap.reinstall:
        return trap.remedy.replace("{python}", installer().split(" -m ")[0]).replace("{1}", names["1"])
    wanted = [name.replace("{package}", names["package"]).replace("{1}", names["1"]) for name in trap.reinstall]
    extra = next((one.extra for one in needed() if one.extra and [one.name] == wanted), "")
    return install([f"tutelage[{extra}]"] if extra else dict.fromkeys(wanted), options=trap.options)
