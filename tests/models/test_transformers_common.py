"""transformers' own tests of any model, config and feature extractor, applied to the package's.

They come in transformers' source distribution and not in its wheel. For the installed version, with `parameterized`
installed:

    pip download --no-deps --no-binary transformers --dest SOURCE transformers==VERSION
    tar -xzf SOURCE/transformers-VERSION.tar.gz -C SOURCE
    TRANSFORMERS_SOURCE=SOURCE/transformers-VERSION pytest tests/models/test_transformers_common.py

Without that variable they are skipped; what they found is held by `test_transformers_contract.py` too. The mixins for
pipelines and exporters stay out: what they run is in no distribution.
"""

import copy
import importlib
import importlib.util
import os
import sys
import unittest
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch
import transformers
from helpers.checkpoints import CANVAS_BACKBONES, tiny_config
from helpers.recordings import RATE

from hf_audio import (
    AudioCNNConfig,
    AudioCNNFeatureExtractor,
    AudioCNNForAudioClassification,
    AudioEncoderConfig,
    AudioEncoderForAudioClassification,
    AudioEncoderModel,
    AudioEnsembleConfig,
    AudioEnsembleForAudioClassification,
)
from hf_audio.models.backbones import BACKBONES
from hf_audio.models.encoder_networks import NETWORKS
from hf_audio.models.modeling_audio_cnn import AudioCNNModel

SOURCE = Path(os.environ.get("TRANSFORMERS_SOURCE", "nowhere"))
if not (SOURCE / "tests" / "test_modeling_common.py").is_file():
    pytest.skip("TRANSFORMERS_SOURCE names no source distribution of transformers", allow_module_level=True)
if not SOURCE.resolve().name.endswith(transformers.__version__):
    pytest.skip(f"{SOURCE} is of another transformers than {transformers.__version__}", allow_module_level=True)
pytest.importorskip("parameterized")

PACKAGE = "transformers_source_tests"
# What the common tests import of their neighbours, which the source distribution leaves out.
LEFT_OUT = {
    "exporters.test_export": {"ExportTesterMixin": type("ExportTesterMixin", (), {})},
    "generation.test_utils": {"GenerationTesterMixin": type("GenerationTesterMixin", (), {})},
    # Set and read back. `problem_type="regression"`, which is among upstream's, is refused.
    "utils.test_configuration_utils": {
        "config_common_kwargs": {
            "return_dict": False,
            "output_hidden_states": True,
            "dtype": "float16",
            "chunk_size_feed_forward": 5,
            "architectures": ["BertModel"],
            "id2label": {0: "label"} | {1: "other"},
            "label2id": {"label": 0, "other": 1},
            "problem_type": "multi_label_classification",
        }
    },
}


def load(name: str) -> ModuleType:
    """One of the files of common tests."""
    with mock.patch("transformers.utils.direct_transformers_import", return_value=transformers):
        return importlib.import_module(f"{PACKAGE}.{name}")


def make_package() -> None:
    """A package of the distribution's `tests` folder, beside which nothing is called `tests`."""
    for name in ("", *LEFT_OUT):
        parts = [PACKAGE, *name.split(".")] if name else [PACKAGE]
        for end in range(1, len(parts) + 1):
            dotted = ".".join(parts[:end])
            if dotted not in sys.modules:
                module = ModuleType(dotted)
                module.__path__ = [str(SOURCE / "tests")] if end == 1 else []
                sys.modules[dotted] = module
        vars(sys.modules[".".join(parts)]).update(LEFT_OUT.get(name, {}))


make_package()
modeling = load("test_modeling_common")
# How the common tests find out what is a classifier, and so gets labels, and what a base model.
modeling.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES = {
    **modeling.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES,
    AudioCNNConfig.model_type: AudioCNNForAudioClassification.__name__,
    AudioEncoderConfig.model_type: AudioEncoderForAudioClassification.__name__,
    AudioEnsembleConfig.model_type: AudioEnsembleForAudioClassification.__name__,
}
modeling.MODEL_MAPPING_NAMES = {
    **modeling.MODEL_MAPPING_NAMES,
    AudioCNNConfig.model_type: AudioCNNModel.__name__,
    AudioEncoderConfig.model_type: AudioEncoderModel.__name__,
}


class Inputs:
    """What the common tests ask a model's own tests for."""

    batch_size = 3
    is_training = True

    def __init__(self, config: transformers.PreTrainedConfig):
        self.config = config

    def get_config(self) -> transformers.PreTrainedConfig:
        return copy.deepcopy(self.config)

    def prepare_config_and_inputs_for_common(self) -> tuple[transformers.PreTrainedConfig, dict[str, torch.Tensor]]:
        n_samples = torch.tensor([4000, 8000, 2000])
        waveform = torch.randn(3, RATE, generator=torch.Generator().manual_seed(0)) * 0.1
        mask = (torch.arange(RATE) < n_samples[:, None]).long()
        return self.get_config(), {"input_values": waveform, "attention_mask": mask}


class CommonTests(modeling.ModelTesterMixin):
    """The common tests of models, without those of texts' and attentions' parts."""

    has_attentions = False
    test_resize_embeddings = False
    test_can_init_all_missing_weights_before_2023 = True
    config: transformers.PreTrainedConfig

    def setUp(self):
        self.model_tester = Inputs(self.config)

    def test_hidden_states_output(self):
        """Upstream's expects one layout for all layers."""
        config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
        for model_class in self.all_model_classes:
            model = model_class(copy.deepcopy(config)).eval()
            told = model(**inputs, output_hidden_states=True).hidden_states
            model.config.output_hidden_states = True
            for one, other in zip(told, model(**inputs).hidden_states, strict=True):
                torch.testing.assert_close(one, other)
            assert model(**inputs, output_hidden_states=False).hidden_states is None

    @unittest.skip("there are no embeddings of tokens")
    def test_model_get_set_embeddings(self):
        pass

    @unittest.skip("there are no embeddings of tokens")
    def test_inputs_embeds(self):
        pass


def model_tests(name: str, config: transformers.PreTrainedConfig, *model_classes: type) -> None:
    """Make a test case of one configuration."""
    attributes = {"config": config, "all_model_classes": model_classes, "__module__": __name__}
    globals()[name] = type(name, (CommonTests, unittest.TestCase), attributes)


# Their last stage is wide, so that the spread of a new head's biases, 1 / sqrt(128), is within upstream's bound.
KINDS = {
    "resnet": {"backbone": "resnet", "hidden_sizes": [8, 128]},
    "conv1d": {"backbone": "conv1d", "hidden_sizes": [8, 128]},
    "shufflenet": {"backbone": "shufflenet", "hidden_sizes": [8, 8, 16, 24, 128]},
    "alexnet": {"backbone": "alexnet", "hidden_sizes": [8, 8, 12, 12, 128]},
    "cnn3": {"backbone": "cnn3", "hidden_sizes": [8, 8, 128]},
    "bands": {"knows_bands": True, "hidden_sizes": [8, 12, 128]},
    "long_term_spectrum": {"long_term_spectrum": True, "hidden_sizes": [8, 128]},
    "attention": {"pooling": "attention", "context_dilations": [1, 2]},
    "mfcc": {"frontend": "mfcc", "pooling": "mean_std", "center_features": True, "hidden_sizes": [8, 128]},
}
assert set(BACKBONES) <= set(KINDS)
for kind, changes in KINDS.items():
    model_tests(f"Test_{kind}", tiny_config(**changes), AudioCNNModel, AudioCNNForAudioClassification)
for network in NETWORKS:
    encoder = AudioEncoderConfig(encoder=network, dropout=0.0)
    model_tests(f"Test_{network}", encoder, AudioEncoderModel, AudioEncoderForAudioClassification)
    globals()[f"Test_{network}"].test_model_is_small = unittest.skip("it comes in one size")(lambda self: None)
MEMBERS = [tiny_config(), tiny_config(backbone="conv1d", sampling_rate=4000, long_term_spectrum=True)]
model_tests(
    "Test_ensemble",
    AudioEnsembleConfig(
        members=[member.to_dict() for member in MEMBERS],
        weights=[0.5, 0.5],
        sampling_rate=RATE,
        clip_seconds=1.0,
        id2label=MEMBERS[0].id2label,
    ),
    AudioEnsembleForAudioClassification,
)
globals()["Test_ensemble"].test_mismatched_shapes = False  # it takes no other head, and says so
globals()["Test_long_term_spectrum"].test_mismatched_shapes = False  # upstream's knows of one head a model


class TestConfigs(unittest.TestCase):
    def test_audio_cnn(self):
        for backbone in BACKBONES:
            values = tiny_config(backbone=backbone).to_diff_dict()
            values = {name: value for name, value in values.items() if name in ("hidden_sizes", "backbone", "n_mels")}
            if backbone in CANVAS_BACKBONES:
                values["min_seconds"] = 5.0
            tester = load("test_configuration_common").ConfigTester(
                self, AudioCNNConfig, has_text_modality=False, common_properties=["hidden_size"], **values
            )
            tester.run_common_tests()

    def test_audio_encoder(self):
        tester = load("test_configuration_common").ConfigTester(
            self, AudioEncoderConfig, has_text_modality=False, common_properties=["hidden_size"], clip_seconds=2.0
        )
        tester.run_common_tests()

    def test_audio_ensemble(self):
        tester = load("test_configuration_common").ConfigTester(
            self, AudioEnsembleConfig, has_text_modality=False, common_properties=["sampling_rate"], mean="geometric"
        )
        tester.run_common_tests()


class ExtractorInputs:
    """What the common tests ask a feature extractor's own tests for."""

    batch_size, feature_size, min_seq_length, max_seq_length, seq_length_diff = 7, 1, 400, 2000, 266

    def prepare_feat_extract_dict(self) -> dict[str, float]:
        return {"feature_size": 1, "padding_value": 0.0, "sampling_rate": RATE, "return_attention_mask": True}

    def prepare_inputs_for_common(self, equal_length: bool = False, numpify: bool = False) -> list:
        generator = np.random.default_rng(0)
        sizes = [
            self.max_seq_length if equal_length else self.min_seq_length + i * self.seq_length_diff
            for i in range(self.batch_size)
        ]
        clips = [generator.uniform(-1, 1, size).astype(np.float32) for size in sizes]
        return clips if numpify else [clip.tolist() for clip in clips]


class TestFeatureExtractor(
    load("test_sequence_feature_extraction_common").SequenceFeatureExtractionTestMixin, unittest.TestCase
):
    feature_extraction_class = AudioCNNFeatureExtractor
    feat_extract_tester = ExtractorInputs()
