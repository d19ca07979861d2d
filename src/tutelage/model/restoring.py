"""Trained weights of a checkpoint back into a model that is ready for training."""

from pathlib import Path

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file
from transformers import PreTrainedModel

from tutelage.model import trust
from tutelage.model.adapters import TRAINED, WEIGHTS
from tutelage.recipe import ModelSection


def restore(model: PreTrainedModel | PeftModel, checkpoint: Path) -> None:
    """Copy the trained weights of a checkpoint into `model`, in place, without losing a bit. The class is the model's:
    code that lies in the checkpoint is not executed."""
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_file(checkpoint / WEIGHTS), adapter_name=TRAINED)
        return
    trust.check(ModelSection(name_or_path=str(checkpoint)), str(checkpoint))
    trust.refuse_pickles(str(checkpoint))
    saved = type(model).from_pretrained(checkpoint, dtype=torch.float32, use_safetensors=True)
    values = dict(saved.named_parameters())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(values[name])
