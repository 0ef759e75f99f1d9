"""Front end, layers and head of any audio classifier: what is frozen, how fast each layer learns, how sure it is."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from ...errors import ArgumentError
from ...models import AudioCNNForAudioClassification, AudioEncoderForAudioClassification
from ...models.modeling_audio_cnn import calibrate
from ...models.one_class import NormalDistance

# What has learnt in an AudioCNN, but for its head. Its masks and warps have not, and vary what a frozen one hears.
AUDIO_CNN_BODY = ("feature_norm", "backbone", "context", "long_term_spectrum.norm")
# Whose configs say how sure they are, where others have it in their last weights.
CALIBRATED = (AudioCNNForAudioClassification, AudioEncoderForAudioClassification)
# Inside an encoder, by family: the convolutions of wav2vec2 and its like, the patches of an AST, the convolutions of
# Whisper, the first layer of those that packages bring; and where an encoder hears mel bands, their projection.
FRONTS = (
    ("feature_extractor",),
    ("embeddings.patch_embeddings",),
    ("conv1", "conv2"),
    ("network.layers.0",),
    ("feature_projection",),
)


def freeze(model: PreTrainedModel, part: str | None) -> list[str]:
    """Have the weights of a part learn nothing; returns the names of its modules, which shall stay in eval mode.

    Args:
        model: an AudioCNN, or an encoder with a head of its own.
        part: `"encoder"`, all but the head; `"front"`, what hears the waveform or spectrogram first; `"none"`; or
            `None`, the usual in fine-tuning: the front of models that offer it (wav2vec2 and its like).

    Raises:
        ArgumentError: the model has no such part.
    """
    if part is None:
        part = "front" if hasattr(model, "freeze_feature_encoder") else "none"
    names = {"encoder": body, "front": front, "none": lambda model: []}[part](model)
    for name in names:
        model.get_submodule(name).requires_grad_(False)
    return names


def body(model: PreTrainedModel) -> list[str]:
    """Names of the modules that have learnt what is below the head.

    Raises:
        ArgumentError: none of the model's modules is known for that.
    """
    if isinstance(model, AudioCNNForAudioClassification):
        modules = dict(model.named_modules())
        return [name for name in AUDIO_CNN_BODY if name in modules]
    for name in (model.base_model_prefix, "encoder"):  # Whisper's prefix is that of its whole
        if isinstance(getattr(model, name, None), nn.Module):
            return [name]
    raise ArgumentError(
        f"--freeze and --layer_decay know no encoder and head in {model.config.model_type}: leave them out."
    )


def front(model: PreTrainedModel) -> list[str]:
    """Names of the modules that hear the waveform or spectrogram first.

    Raises:
        ArgumentError: it has none with weights, or none that is known.
    """
    modules = dict(model.named_modules())
    for names in FRONTS:
        found = [f"{root}.{name}" for root in body(model) for name in names]
        if all(name in modules for name in found):
            return found
    raise ArgumentError(
        f"--freeze front: {model.config.model_type} has no front end with weights of its own: give encoder or none."
    )


def weight_heights(model: PreTrainedModel) -> tuple[dict[str, int], int]:
    """How high above the input every weight lies: name -> 0 before the layers, 1 and more in them; and the head's.

    What comes behind the layers counts as head.

    Raises:
        ArgumentError: the model is not built of layers one upon the other.
    """
    roots = tuple(f"{name}." for name in body(model))
    layers = {layer: height for height, layer in enumerate(_layers(model), start=1)}
    n_parts = next(iter(layers)).count(".") + 1
    top = len(layers) + 1
    heights, reached = {}, False
    for name, _ in model.named_parameters():
        layer = ".".join(name.split(".")[:n_parts])
        reached = reached or layer in layers
        below = 0 if name.startswith(roots) and not reached else top
        heights[name] = layers.get(layer, below)
    return heights, top


def _layers(model: PreTrainedModel) -> list[str]:
    """Names of the layers, from the input upwards: of the largest list of modules, and of those beside it (stages)."""
    modules = dict(model.named_modules())
    fronts = tuple(f"{root}.{name}" for root in body(model) for names in FRONTS for name in names)
    sizes = {
        name: sum(weight.numel() for weight in module.parameters())
        for name, module in modules.items()
        if isinstance(module, nn.ModuleList | nn.Sequential)
        and name.startswith(tuple(f"{root}." for root in body(model)))
        and not name.startswith(fronts)
    }
    if sizes:
        largest = max(sizes, key=lambda name: sizes[name])
        parent = largest.rpartition(".")[0]
        stages = [
            f"{parent}.{name}"
            for name, module in modules[parent].named_children()
            if type(module) is type(modules[largest])
        ]
        layers = [f"{stage}.{number}" for stage in stages for number in range(len(modules[stage]))]
        if len(layers) > 1:
            return layers
    raise ArgumentError(
        f"--layer_decay: {model.config.model_type} of this size has no layers one upon the other: leave it out."
    )


def set_temperature(model: PreTrainedModel, temperature: float) -> None:
    """Have a model divide its logits by a temperature from now on: by its config, or else in its last weights.

    Stock configs know no temperature, so an encoder's last linear layer is divided.
    """
    if isinstance(model, CALIBRATED):
        model.config.temperature = temperature
        return
    _, last = last_layer(model)
    last.weight.data /= temperature
    if last.bias is not None:
        last.bias.data /= temperature


def set_event_rule(model: PreTrainedModel, rule: dict[str, Any] | None) -> None:
    """Have a model find events by a rule from now on, as `EventRule.to_dict` has it, or by none that was fitted."""
    if rule is not None or getattr(model.config, "event_rule", None) is not None:
        model.config.event_rule = rule


def set_rejection_margin(model: PreTrainedModel, margin: float) -> None:
    """Have a model whose last label is "none of these" add so much to its logit: by its config, or else by its bias.

    Raises:
        ArgumentError: an encoder whose last layer has no bias.
    """
    if isinstance(model, CALIBRATED):
        model.config.rejection_margin = margin
        return
    _, last = last_layer(model)
    if last.bias is None:
        raise ArgumentError(f"--background needs a bias in the head of a {model.config.model_type}: leave it out.")
    last.bias.data[-1] += margin


def last_layer(model: PreTrainedModel) -> tuple[str, nn.Linear]:
    """The linear layer that gives a model's logits, and its name."""
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == model.config.num_labels
    ][-1]


def head_layer(model: PreTrainedModel) -> tuple[str, nn.Linear | NormalDistance]:
    """The layer that gives a model's logits, be it linear or of normal recordings alone, and its name."""
    for name, module in model.named_modules():
        if isinstance(module, NormalDistance):
            return name, module
    return last_layer(model)


def head_logits(model: PreTrainedModel, embeddings: torch.Tensor) -> torch.Tensor:
    """What a model with such a head answers, given what enters that: (batch, size) -> (batch, labels)."""
    _, last = head_layer(model)
    logits = last(embeddings).float()
    return calibrate(logits, model.config) if isinstance(model, CALIBRATED) else logits


__all__ = [
    "body",
    "freeze",
    "front",
    "head_layer",
    "head_logits",
    "last_layer",
    "set_rejection_margin",
    "set_temperature",
    "weight_heights",
]
