"""What freezing and layer decay do to real architectures, and that calibration divides the logits."""

import copy

import numpy as np
import pytest
import torch
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.tiny_encoders import FAMILIES, tiny_encoder
from helpers.trainers import noise_clips, trainer

from hf_audio import AudioCNNForAudioClassification, AudioEncoderConfig, AudioEncoderForAudioClassification
from hf_audio.errors import ArgumentError
from hf_audio.training.networks.network_parts import body, freeze, front, set_temperature, weight_heights

FROZEN_FRONTS = {"whisper": {"conv1", "conv2"}, "ast": {"patch_embeddings"}}


def train_frozen(tmp_path, family, part, **arguments):
    """The trainer after two steps, its weights before them, and which modules were in eval mode meanwhile."""
    torch.manual_seed(0)
    if family == "audio_cnn":
        model, extractor = trained_looking_model(tiny_config(time_mask_count=1, long_term_spectrum=True)), None
    else:
        model, extractor = tiny_encoder(family, rate=8000, num_labels=3)
    frozen = freeze(model, part)
    before = copy.deepcopy(model.state_dict())
    run = trainer(
        tmp_path,
        model,
        noise_clips(8),
        extractor=extractor,
        frozen=frozen,
        max_steps=2,
        optim="adamw_torch",
        **arguments,
    )
    modes = {}
    forward = model.forward

    def watch(*args, **kwargs):
        modes.update({name: module.training for name, module in model.named_modules()})
        return forward(*args, **kwargs)

    model.forward = watch
    run.train()
    del model.forward
    return run, before, frozen, modes


@pytest.mark.parametrize("family", [*FAMILIES, "audio_cnn"])
def test_a_frozen_encoder_stays_as_it_is(tmp_path, family):
    run, before, frozen, modes = train_frozen(tmp_path, family, "encoder")
    inside = tuple(f"{name}." for name in frozen)
    changed = {name for name, value in run.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and not [name for name in changed if name.startswith(inside)]
    assert all(weight.grad is None for name, weight in run.model.named_parameters() if name.startswith(inside))
    asleep = [name for name, training in modes.items() if name.startswith(inside)]
    assert asleep and not [name for name in asleep if modes[name]], "neither dropout nor statistics of the batch"
    held = {id(weight) for weight in run.optimizer.optimizer.state}
    heads = [name for name, _ in run.model.named_parameters() if not name.startswith(inside)]
    assert held == {id(run.model.get_parameter(name)) for name in heads}
    assert all("classifier" in name or "projector" in name for name in heads)
    if family == "audio_cnn":
        assert modes["spec_augment"], "what varies the sound still does"


@pytest.mark.parametrize("family", ["wavlm", "sew", "whisper", "ast"])
def test_a_frozen_front_stays_as_it_is_and_the_rest_learns(tmp_path, family):
    run, before, frozen, modes = train_frozen(tmp_path, family, "front")
    names = {name.rpartition(".")[2] for name in frozen}
    assert names == FROZEN_FRONTS.get(family, {"feature_extractor"})
    inside = tuple(f"{name}." for name in frozen)
    changed = {name for name, value in run.model.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in changed if name.startswith(inside)]
    assert len([name for name in changed if ".layer" in name]) > 10 and not modes[frozen[0]]


def test_by_default_the_front_of_waveform_models_is_frozen_alone():
    frozen = {family: freeze(tiny_encoder(family)[0], None) for family in ("hubert", "wavlm", "whisper", "ast")}
    assert frozen == {
        "hubert": ["hubert.feature_extractor"],
        "wavlm": ["wavlm.feature_extractor"],
        "whisper": [],
        "ast": [],
    }
    assert freeze(tiny_encoder("wav2vec2")[0], "none") == []


def test_an_audio_cnn_has_no_front_to_freeze():
    with pytest.raises(ArgumentError, match=r"--freeze front: audio_cnn has no front end"):
        freeze(trained_looking_model(tiny_config()), "front")


def test_learning_rates_fall_layer_by_layer(tmp_path):
    model, extractor = tiny_encoder("wav2vec2", rate=8000)
    frozen = freeze(model, None)
    run = trainer(tmp_path, model, extractor=extractor, frozen=frozen, layer_decay=0.5, weight_decay=0.03)
    run.create_optimizer()
    told = {}
    for group in run.optimizer.param_groups:
        told.update({id(weight): (group["lr"], group["weight_decay"]) for weight in group["params"]})
    by_name = {name: told.get(id(weight)) for name, weight in model.named_parameters()}
    # Three steps above the input: layers 0 and 1, and the head.
    assert by_name["classifier.weight"] == by_name["projector.weight"] == (pytest.approx(0.1), 0.03)
    assert by_name["classifier.bias"] == (pytest.approx(0.1), 0.0)
    layer = "wav2vec2.encoder.layers.{}.{}"
    assert by_name[layer.format(1, "attention.q_proj.weight")] == (pytest.approx(0.05), 0.03)
    assert by_name[layer.format(1, "layer_norm.weight")] == (pytest.approx(0.05), 0.0)
    assert by_name[layer.format(0, "feed_forward.output_dense.weight")] == (pytest.approx(0.025), 0.03)
    assert by_name["wav2vec2.feature_projection.projection.weight"] == (pytest.approx(0.0125), 0.03)
    assert by_name["wav2vec2.feature_projection.projection.bias"] == (pytest.approx(0.0125), 0.0)
    assert {name for name, pair in by_name.items() if pair is None} == {
        name for name in by_name if name.startswith("wav2vec2.feature_extractor.")
    }
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(0.1), "the rate that is logged is the highest"


def test_without_decay_the_groups_are_those_of_trainer(tmp_path):
    run = trainer(tmp_path, tiny_encoder("ast")[0])
    run.create_optimizer()
    assert {(group["lr"], group["weight_decay"]) for group in run.optimizer.param_groups} == {(0.1, 0.01), (0.1, 0.0)}


@pytest.mark.parametrize("family", FAMILIES)
def test_heights_rise_from_front_to_head(family):
    model, _ = tiny_encoder(family)
    heights, top = weight_heights(model)
    assert top == 3 and set(heights) == {name for name, _ in model.named_parameters()}
    in_layers = {name: height for name, height in heights.items() if height in (1, 2)}
    assert all(f".{height - 1}." in name for name, height in in_layers.items())
    assert {height for name, height in heights.items() if name.startswith(("classifier", "projector"))} == {3}
    first = {
        name: height for name, height in heights.items() if "conv1" in name or "feature_ext" in name or "patch" in name
    }
    assert first and set(first.values()) == {0}


@pytest.mark.parametrize(("encoder", "n_layers"), [("ge2e", 3), ("speech", 5), ("sfx", 4)])
def test_encoders_of_packages_have_front_body_and_layers(encoder, n_layers):
    model = AudioEncoderForAudioClassification(AudioEncoderConfig(encoder=encoder))
    assert freeze(copy.copy(model), None) == [], "the whole is fine-tuned"
    assert front(model) == ["audio_encoder.network.layers.0"] and body(model) == ["audio_encoder"]
    heights, top = weight_heights(model)
    assert top == n_layers + 1 and set(heights.values()) == set(range(1, top + 1))
    for name, height in heights.items():
        place = name.removeprefix("audio_encoder.network.layers.").split(".")[0]
        assert height == (int(place) + 1 if place.isdigit() else top), name
    set_temperature(model, 2.0)
    assert model.config.temperature == 2.0


def test_heights_rise_in_an_audio_cnn():
    heights, top = weight_heights(AudioCNNForAudioClassification(tiny_config(hidden_sizes=[8, 8, 12, 12])))
    assert [heights[f"backbone.{name}.weight"] for name in ("stem", "blocks.0.conv1", "blocks.2.conv2")] == [0, 1, 3]
    assert heights["classifier.bias"] == top == 4
    heights, top = weight_heights(AudioCNNForAudioClassification(tiny_config(backbone="shufflenet")))
    of_stages = [height for name, height in heights.items() if ".stage" in name]
    assert of_stages == sorted(of_stages) and set(of_stages) == set(range(1, 17)) and top == 17
    with pytest.raises(ArgumentError, match=r"--layer_decay: audio_cnn of this size has no layers"):
        weight_heights(AudioCNNForAudioClassification(tiny_config(hidden_sizes=[8, 12])))


@pytest.mark.parametrize("family", [*FAMILIES, "audio_cnn"])
def test_a_temperature_divides_the_logits(tmp_path, family):
    clip = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    if family == "audio_cnn":
        model, inputs = trained_looking_model(tiny_config()), {"input_values": torch.from_numpy(clip)[None]}
    else:
        model, extractor = tiny_encoder(family)
        inputs = extractor([clip], sampling_rate=16000, return_tensors="pt")
    model.eval()
    with torch.no_grad():
        before = model(**inputs).logits
        set_temperature(model, 2.5)
        torch.testing.assert_close(model(**inputs).logits, before / 2.5)
        model.save_pretrained(tmp_path)
        loaded = type(model).from_pretrained(tmp_path).eval()
        torch.testing.assert_close(loaded(**inputs).logits, before / 2.5)
