"""Tutelage: supervised fine-tuning with evidence. The Python API: one function per verb, taking the same recipe."""

import os

# Law 10: nothing is fetched from the Hub or told to it but what the user names. Read when these packages are imported.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["USE_HUB_KERNELS"] = "0"  # transformers: native code for some architectures, where `kernels` is installed
os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"  # transformers: has a service convert the pickles of a Hub model

from tutelage.recipe import Recipe, build, load
from tutelage.run.chatting import chat
from tutelage.run.curating.cleaning import clean
from tutelage.run.curating.mixing import mix
from tutelage.run.curating.selecting import select_rows as select
from tutelage.run.demo import demo
from tutelage.run.doctoring import doctor
from tutelage.run.evaluating import compare, evaluate
from tutelage.run.initialising import init
from tutelage.run.inspecting import inspect
from tutelage.run.preflighting import preflight
from tutelage.run.previewing import preview
from tutelage.run.rebuilding import rebuild
from tutelage.run.training import train

__all__ = [
    "Recipe",
    "build",
    "chat",
    "clean",
    "compare",
    "demo",
    "doctor",
    "evaluate",
    "init",
    "inspect",
    "load",
    "mix",
    "preflight",
    "preview",
    "rebuild",
    "select",
    "train",
]
