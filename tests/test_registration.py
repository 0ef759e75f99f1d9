"""The package registers its models with transformers, whoever is imported first."""

import subprocess
import sys

import pytest
from helpers.recordings import REPOSITORY


@pytest.mark.slow
def test_importing_the_package_loads_nothing_and_registers_later():
    code = """
import sys
import hf_audio
assert not {"torch", "transformers", "numpy"} & set(sys.modules), "loaded"
from transformers import AutoConfig
from transformers.pipelines import PIPELINE_REGISTRY
print(AutoConfig.for_model("audio_cnn").model_type)
print(PIPELINE_REGISTRY.supported_tasks["audio-classification"]["impl"] is hf_audio.AudioClassificationPipeline)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=REPOSITORY)
    assert done.stdout.split() == ["audio_cnn", "True"], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["models.frontends", pytest.param("training.fine_tune", marks=pytest.mark.exhaustive)]
)
def test_any_module_may_be_imported_first(module):
    code = f"""
import hf_audio.{module}
from transformers import AutoConfig
from transformers.pipelines import PIPELINE_REGISTRY
AutoConfig.for_model("audio_ensemble")
print(PIPELINE_REGISTRY.supported_tasks["audio-classification"]["impl"].__module__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=REPOSITORY)
    assert done.stdout.strip() == "hf_audio.inference.pipeline", done.stderr
