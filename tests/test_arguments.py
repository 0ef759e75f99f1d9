"""What follows from the flags of a recipe, and sentences for values that cannot be."""

import pytest

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import ArgumentError
from hf_audio.recipe_flags import parse_arguments


def test_the_optimizer_and_its_rate_follow_from_whether_the_network_was_trained_before():
    def chosen(*flags):
        args = parse_arguments(RecipeArguments, flags)
        return args.optim, args.learning_rate

    assert chosen() == ("muon", 6e-3)
    assert chosen("--model_name_or_path", "sfx") == ("adamw_torch_fused", 3e-3)
    assert chosen("--model_name_or_path", "sfx", "--optim", "muon", "--learning_rate", "1e-4") == ("muon", 1e-4)
    assert chosen("--optim", "sgd") == ("sgd", 3e-3)


def test_the_best_epoch_is_that_of_the_best_accuracy_unless_said_otherwise():
    flags = ["--validation_fraction", "0.1", "--load_best_model_at_end", "true"]
    assert parse_arguments(RecipeArguments, flags).metric_for_best_model == "accuracy"
    args = parse_arguments(RecipeArguments, [*flags, "--metric_for_best_model", "loss"])
    assert (args.metric_for_best_model, args.greater_is_better) == ("loss", False)


def test_every_trainer_flag_is_there():
    args = parse_arguments(
        RecipeArguments, ["--gradient_accumulation_steps", "4", "--report_to", "none", "--seed", "3"]
    )
    assert args.gradient_accumulation_steps == 4 and args.report_to == []


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--validation_fraction", "0.8"], "--validation_fraction 0.8"),
        (["--ema_decay", "1"], "--ema_decay 1"),
        (["--mixup_alpha", "-1"], "--mixup_alpha -1"),
        (["--unverified_weight", "2"], "--unverified_weight 2.0 must lie between 0 and 1"),
        (["--loss_robustness", "-0.1"], "--loss_robustness -0.1 must lie between 0 and 1"),
        (["--load_best_model_at_end", "true"], "--validation_fraction 0.1"),
        (["--early_stopping_patience", "3"], "--validation_fraction 0.1"),
        (["--data_dir", "x", "--download", "true"], "exclude each other"),
    ],
)
def test_values_that_cannot_be_are_refused_in_a_sentence(flags, says):
    with pytest.raises(ArgumentError, match=says):
        parse_arguments(RecipeArguments, flags)


@pytest.mark.parametrize(
    ("cores", "threads", "accelerated", "workers"),
    [
        (2, 2, False, 0),
        (8, 6, False, 2),
        (16, 1, False, 4),
        (2, 2, True, 2),
        (16, 16, True, 4),
    ],
)
def test_loader_workers_get_the_cores_that_the_model_leaves(cores, threads, accelerated, workers, monkeypatch):
    monkeypatch.setattr("hf_audio.arguments.count_cores", lambda: cores)
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    monkeypatch.setattr("torch.accelerator.is_available", lambda: accelerated)
    monkeypatch.setattr("hf_audio.arguments.bf16_is_fast", lambda use_cpu: False)
    args = parse_arguments(RecipeArguments, [])
    assert args.dataloader_num_workers == workers and args.dataloader_persistent_workers == (workers > 0)
    assert parse_arguments(RecipeArguments, ["--dataloader_num_workers", "3"]).dataloader_num_workers == 3
