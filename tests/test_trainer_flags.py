"""Every flag of transformers' TrainingArguments works in a recipe, or is refused in a sentence at once."""

import dataclasses
import json
import math
import shutil

import pytest
from helpers.commands import load_recipe
from helpers.tones import TonesArguments, make_task
from transformers import TrainingArguments
from transformers.utils import logging as transformers_logging

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import ArgumentError
from hf_audio.recipe_flags import parse_arguments
from hf_audio.runs.folder.contents import ARGUMENTS_NAME, RESULTS_NAME
from hf_audio.training.rehearsal import rehearse
from hf_audio.training.start import train_task

VALIDATED = {"validation_fraction": "0.3"}
# Groups of flags that go together, each of which trains for two steps; what stands twice has two values.
TRAINED = [
    {
        "optim": "sgd",
        "lr_scheduler_type": "cosine_with_min_lr",
        "lr_scheduler_kwargs": '{"min_lr": 0.0001}',
        "warmup_steps": "1",
        "weight_decay": "0.1",
        "adam_beta1": "0.8",
        "adam_beta2": "0.9",
        "adam_epsilon": "1e-6",
        "max_grad_norm": "inf",
        "num_train_epochs": "1",
        "learning_rate": "0.001",
        "label_smoothing_factor": "0.1",
        "gradient_accumulation_steps": "2",
        "per_device_train_batch_size": "4",
        "per_device_eval_batch_size": "5",
        "dataloader_drop_last": "true",
        "dataloader_pin_memory": "false",
        "dataloader_in_order": "false",
        "train_sampling_strategy": "sequential",
        "average_tokens_across_devices": "false",
        "do_train": "true",
        "do_eval": "true",
        "do_predict": "true",
        "fp16": "true",
        "ddp_find_unused_parameters": "true",
        "ddp_bucket_cap_mb": "10",
        "ddp_broadcast_buffers": "true",
        "ddp_static_graph": "true",
        "ddp_timeout": "60",
        "fsdp_config": '{"min_num_params": 0}',
        "local_rank": "0",
    },
    {
        "logging_strategy": "steps",
        "logging_steps": "1",
        "logging_first_step": "true",
        "logging_nan_inf_filter": "false",
        "log_on_each_node": "false",
        "log_level": "error",
        "log_level_replica": "error",
        "disable_tqdm": "false",
        "report_to": "none",
        "run_name": "first",
        "project": "tones",
        "trackio_space_id": "tones",
        "trackio_bucket_id": "tones",
        "trackio_static_space_id": "tones",
        "save_strategy": "steps",
        "save_steps": "1",
        "save_total_limit": "2",
        "save_only_model": "true",
        "save_on_each_node": "true",
        "enable_jit_checkpoint": "true",
        "restore_callback_states_from_checkpoint": "true",
        "ignore_data_skip": "true",
        "full_determinism": "true",
        "seed": "7",
        "data_seed": "8",
        "use_cpu": "true",
        "bf16": "false",
        "gradient_checkpointing": "true",
        "gradient_checkpointing_kwargs": '{"use_reentrant": false}',
        "torch_empty_cache_steps": "1",
        "accelerator_config": '{"split_batches": true}',
        "hub_token": "nothing",
        "tf32": "false",
        "optim_args": "foreach=false",
    },
    {
        **VALIDATED,
        "eval_strategy": "steps",
        "eval_steps": "1",
        "eval_delay": "1",
        "eval_on_start": "true",
        "eval_accumulation_steps": "1",
        "eval_use_gather_object": "true",
        "load_best_model_at_end": "true",
        "metric_for_best_model": "loss",
        "greater_is_better": "false",
        "save_strategy": "steps",
        "save_steps": "1",
        "activation_checkpointing": "true",
        "activation_checkpointing_kwargs": '{"every_n_layers": 1}',
    },
    {**VALIDATED, "save_strategy": "best", "lr_scheduler_type": "reduce_lr_on_plateau"},
    {**VALIDATED, "early_stopping_patience": "1", "save_strategy": "steps", "save_steps": "1"},
    {"dataloader_num_workers": "1", "dataloader_prefetch_factor": "1", "dataloader_multiprocessing_context": "fork"},
    {"debug": "underflow_overflow", "skip_memory_metrics": "false", "dataloader_persistent_workers": "false"},
]
REFUSED = {
    "activation_checkpointing_kwargs": ("nonsense", "checkpointing_kwargs"),
    "auto_find_batch_size": ("true", "--per_device_train_batch_size"),
    "batch_eval_metrics": ("true", "metrics are of"),
    "bf16_full_eval": ("true", "float32"),
    "dataloader_prefetch_factor": ("2", "--dataloader_num_workers 1"),
    "ddp_backend": ("gloo", "torchrun"),
    "deepspeed": ("ds.json", "too large for one device"),
    "do_eval": ("false", "--validation_fraction"),
    "do_predict": ("false", "test clips"),
    "do_train": ("false", "hf-audio predict"),
    "eval_do_concat_batches": ("false", "metrics are of"),
    "eval_on_start": ("true", "--validation_fraction 0.1"),
    "eval_strategy": ("epoch", "--validation_fraction 0.1"),
    "fp16_full_eval": ("true", "float32"),
    "fsdp": ("full_shard", "too large for one device"),
    "gradient_checkpointing_kwargs": ("nonsense", "checkpointing_kwargs"),
    "greater_is_better": ("perhaps", "greater_is_better"),
    "hub_always_push": ("true", "finished folder"),
    "hub_model_id": ("me/tones", "--push_to_hub true"),
    "hub_private_repo": ("true", "--push_to_hub true"),
    "hub_revision": ("main", "--push_to_hub true"),
    "hub_strategy": ("every_save", "finished folder"),
    "include_for_metrics": ("inputs", "metrics are of"),
    "include_num_input_tokens_seen": ("true", "language models"),
    "label_names": ("label", "those of the recordings"),
    "learning_rate": ("nan", "no number"),
    "length_column_name": ("samples", "as long as"),
    "liger_kernel_config": ('{"rope": true}', "liger_kernel_config"),
    "lr_scheduler_kwargs": ('{"zigzag": 1}', "zigzag"),
    "lr_scheduler_type": ("warmup_stable_decay", "num_decay_steps"),
    "max_steps": ("0", "trains nothing"),
    "neftune_noise_alpha": ("5", "language models"),
    "num_train_epochs": ("inf", "no number"),
    "optim": ("galore_adamw", "galore"),
    "optim_target_modules": ("layer", "galore_"),
    "parallelism_config": ("{}", "parallelism_config"),
    "prediction_loss_only": ("true", "metrics are of"),
    "push_to_hub": ("true", "token"),
    "remove_unused_columns": ("true", "decoded"),
    "report_to": ("comet_ml", "comet"),
    "resume_from_checkpoint": ("last", "no complete checkpoint"),
    "save_strategy": ("best", "--validation_fraction 0.1"),
    "seed": ("-1", "at least 0"),
    "torch_compile_backend": ("inductor", "--torch_compile true"),
    "torch_compile_mode": ("default", "--torch_compile true"),
    "train_sampling_strategy": ("group_by_length", "one length"),
    "use_cache": ("true", "language models"),
    "use_liger_kernel": ("true", "language models"),
    "weight_decay": ("-1", "at least 0"),
}
# A minute of compiling.
NOT_TRIED = {"torch_compile"}
KNOWN = {entry.name for entry in dataclasses.fields(TrainingArguments) if entry.init}


def flags(values: dict[str, str]) -> list[str]:
    """Words of a command line, of the flags that this release of transformers knows."""
    own = {entry.name for entry in dataclasses.fields(RecipeArguments)}
    return [word for name, value in values.items() if name in own for word in (f"--{name}", value)]


def train(tones, out, values: dict[str, str]) -> dict:
    common = {
        "data_dir": str(tones),
        "output_dir": str(out),
        "max_steps": "2",
        "num_train_epochs": "2",
        "dataloader_num_workers": "0",
        "bf16": "false",
        "disable_tqdm": "true",
        "report_to": "none",
    }
    if "fp16" in values:
        del common["bf16"]
    args = parse_arguments(TonesArguments, flags({**common, **values}), ["tones"])
    train_task(args, make_task(args))
    return json.loads((out / RESULTS_NAME).read_text())


@pytest.fixture(autouse=True)
def verbosity_stays():
    """`--log_level` is of the whole process, and hides the progress bars of tests that come later."""
    verbosity = transformers_logging.get_verbosity()
    yield
    transformers_logging.set_verbosity(verbosity)


def test_every_flag_of_transformers_is_tried():
    tried = {name for group in TRAINED for name in group} | set(REFUSED) | NOT_TRIED
    # What all trainings here are given.
    assert KNOWN - tried - {"output_dir"} == set()


@pytest.mark.parametrize(
    "group",
    [pytest.param(group, marks=[pytest.mark.exhaustive] * ("debug" in group)) for group in TRAINED],
    ids=lambda group: next(name for name in group if name not in VALIDATED),
)
def test_flags_that_go_together_leave_a_finished_run(group, tones, tmp_path):
    results = train(tones, tmp_path / "out", group)
    assert results["eval_samples"] == 9, "every test clip is judged"
    assert math.isfinite(results["eval_loss"]) and 0 <= results["eval_accuracy"] <= 1
    saved = json.loads((tmp_path / "out" / ARGUMENTS_NAME).read_text())
    if "fp16" in group:
        assert not saved["fp16"] and not saved["bf16"], "what was not used is not told"
    if "data_seed" in group:
        assert saved["data_seed"] == 8


@pytest.mark.parametrize("name", sorted(set(REFUSED) & KNOWN))
def test_what_cannot_be_is_refused_before_any_time_is_spent(name, tones, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("hf_audio.runs.hub.get_token", lambda: None)
    monkeypatch.setattr("hf_audio.training.parts.cache_audio", lambda *_, **__: pytest.fail("clips were decoded"))
    value, says = REFUSED[name]
    out = tmp_path / "out"
    with pytest.raises(ArgumentError if name != "push_to_hub" else Exception, match=says) as refusal:
        train(tones, out, {name: value})
    assert "\n" not in str(refusal.value)
    assert not out.exists() or not any(out.iterdir())


def test_the_best_is_looked_for_as_often_as_is_saved():
    args = parse_arguments(
        TonesArguments, flags({**VALIDATED, "early_stopping_patience": "2", "save_strategy": "steps"})
    )
    assert (args.eval_strategy, args.eval_steps) == ("steps", args.save_steps)
    with pytest.raises(ArgumentError, match="--save_strategy epoch must be --eval_strategy steps"):
        parse_arguments(
            TonesArguments, flags({**VALIDATED, "load_best_model_at_end": "true", "eval_strategy": "steps"})
        )


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(
            {"load_best_model_at_end": "true", "save_strategy": "steps", "save_steps": "1"},
            marks=pytest.mark.exhaustive,
        ),
        pytest.param({"early_stopping_patience": "1"}, marks=pytest.mark.exhaustive),
        pytest.param({"eval_strategy": "epoch"}, marks=pytest.mark.exhaustive),
        {"save_strategy": "best"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_validation_part_of_the_recordings_is_enough(given, tones, tmp_path):
    own_sounds = load_recipe("own_sounds")
    for part in ("train", "validation", "test"):
        shutil.copytree(tones, tmp_path / "sounds" / part)
        for file in (tmp_path / "sounds" / part).rglob("*.wav"):
            file.rename(file.with_name(f"{part}_{file.name}"))
    common = {"data_dir": str(tmp_path / "sounds"), "output_dir": str(tmp_path / "out"), "model": "micro"}
    common |= {"max_steps": "2", "report_to": "none", "disable_tqdm": "true", "dataloader_num_workers": "0"}
    words = [word for name, value in {**common, **given}.items() for word in (f"--{name}", value)]
    args = parse_arguments(own_sounds.OwnSoundsArguments, words, ["own_sounds"])
    train_task(args, own_sounds.make_task(args))
    curves = json.loads((tmp_path / "out" / "training_curves.json").read_text())
    assert any("eval_accuracy" in entry for entry in curves), "the validation part was judged"
    shutil.rmtree(tmp_path / "sounds" / "validation")
    args = parse_arguments(own_sounds.OwnSoundsArguments, [*words, "--overwrite", "true"], ["own_sounds"])
    with pytest.raises(ArgumentError, match="goes by validation clips, and there are none"):
        train_task(args, own_sounds.make_task(args))
    assert (tmp_path / "out" / RESULTS_NAME).exists(), "nothing is deleted for what cannot be trained"


def test_what_earlier_versions_saved_starts_the_same_run(tmp_path):
    """They noted `do_train: false` of runs that had trained."""
    saved = {**parse_arguments(TonesArguments, []).to_dict(), "do_train": False, "do_eval": False, "do_predict": False}
    (tmp_path / "training_args.json").write_text(json.dumps(saved))
    assert parse_arguments(TonesArguments, ["--config", str(tmp_path / "training_args.json")]).do_train


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"gradient_checkpointing": "true", "gradient_checkpointing_kwargs": "nonsense"}, "no object of JSON"),
        ({"gradient_checkpointing": "true", "gradient_checkpointing_kwargs": '{"zigzag": 1}'}, "has no 'zigzag'"),
        ({"lr_scheduler_kwargs": "[1]"}, "no object of JSON"),
        ({"accelerator_config": '{"zigzag": true}'}, "zigzag"),
        ({"accelerator_config": "gone.json"}, "gone.json"),
        ({"num_train_epochs": "0"}, "--num_train_epochs 0.0 must be above 0"),
        ({"fp16": "true", "bf16": "true"}, "exclude each other"),
        ({"dataloader_multiprocessing_context": "zigzag", "dataloader_num_workers": "1"}, "invalid choice"),
        ({"report_to": "zigzag"}, "zigzag"),
        ({"save_strategy": "zigzag"}, "zigzag"),
        ({"refit": "true"}, "--refit goes by validation clips"),
        ({"search": "2"}, "--search goes by validation clips"),
        ({"early_stopping_patience": "1"}, "--early_stopping_patience goes by validation clips"),
        ({"lr_scheduler_type": "reduce_lr_on_plateau"}, "reduce_lr_on_plateau goes by validation clips"),
    ],
)
def test_values_that_cannot_be(given, says):
    with pytest.raises(ArgumentError, match=says) as refusal:
        parse_arguments(TonesArguments, flags(given))
    assert "\n" not in str(refusal.value)


def test_usual_arguments_need_no_rehearsal(monkeypatch):
    monkeypatch.setattr("hf_audio.training.rehearsal.Trainer", lambda *_, **__: pytest.fail("a trainer was made"))
    rehearse(parse_arguments(TonesArguments, ["--learning_rate", "0.1", "--report_to", "none"]))
