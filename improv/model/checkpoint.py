"""The checkpoint file m.pt: configuration and weights, and nothing that could run.

Files are read with torch's restricted unpickler (`weights_only`), and every value is checked before it is used, so a
corrupt, foreign or malicious file gives one clear line.
"""

import io
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from improv.errors import ImprovError
from improv.files import replace_file
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel

FORMAT = "improv RNN-RBM"
MAX_BYTES = 1 << 30


def save(path: Path, model: SequenceModel, **training: Any) -> None:
    """Writes the model, and whatever plain values `training` has to remember, so that no reader sees half a file.

    Raises:
        ImprovError: the file cannot be written.
    """
    content = {"format": FORMAT, "config": asdict(model.config), "weights": model.state_dict(), "training": training}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    replace_file(path, buffer.getvalue())


def load(path: Path) -> tuple[SequenceModel, dict[str, Any]]:
    """The model in `path`, on the CPU and in evaluation mode, and what `save` was told to remember beside it.

    Raises:
        ImprovError: the file is missing, too large, damaged, or not a model of improv.
    """
    content = _read(path)
    try:
        if not isinstance(content, Mapping) or content.get("format") != FORMAT:
            raise ValueError("it belongs to another program")
        known = {item.name for item in fields(Config)}
        config = Config(**{name: value for name, value in dict(content["config"]).items() if name in known})
        config.check()
        weights = content["weights"]
        _check_weights(config, weights)
        model = SequenceModel(config)
        model.load_state_dict(weights)
        training = dict(content["training"])
    except Exception as error:  # hostile values raise whatever meets them first
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImprovError(f"{path} is not a model of improv: {reason}") from error
    return model.eval().requires_grad_(False), training


def _read(path: Path) -> Mapping[str, Any]:
    try:
        size = path.stat().st_size
        if size <= MAX_BYTES:  # and what it unpacks to, which may be far more
            with zipfile.ZipFile(path) as archive:
                size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise ImprovError(f"{path} is no model of improv: larger than {MAX_BYTES >> 20} MiB")
        with warnings.catch_warnings(action="ignore"):  # torch comments on foreign files; one line from us is enough
            return torch.load(path, map_location="cpu", weights_only=True)  # type: ignore[no-any-return]
    except ImprovError:
        raise
    except OSError as error:
        raise ImprovError(f"cannot read the model {path}: {error.strerror or error}") from error
    except Exception as error:  # a hostile or damaged archive raises whatever torch meets first
        raise ImprovError(f"{path} is no model of improv, or a damaged one: train or copy it again") from error


def _check_weights(config: Config, weights: Mapping[str, Tensor]) -> None:
    """The names, shapes and values of the weights, before anything of the claimed size is made for them."""
    with torch.device("meta"):
        expected = {name: tensor.shape for name, tensor in SequenceModel(config).state_dict().items()}
    if set(weights) != set(expected):
        raise ValueError("its weights have other names")
    for name, shape in expected.items():
        tensor = weights[name]
        if not isinstance(tensor, Tensor) or tensor.shape != shape or tensor.dtype != torch.float32:
            raise ValueError(f"{name} is not of shape {tuple(shape)}")
        if not tensor.is_contiguous():  # one number may stand for a whole tensor: a small file, all memory when loaded
            raise ValueError(f"{name} is not stored in full")
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} holds numbers that are not finite")
