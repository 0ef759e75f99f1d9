"""What a card says; its text as a whole is tested on the folder of a real run, in test_fine_tune.py."""

import json
import math

import pytest
from helpers.checkpoints import results
from huggingface_hub import ModelCard
from huggingface_hub.utils import HFValidationError, validate_repo_id

from hf_audio.runs.card import RunFacts, TaskFacts, describe_metrics, hub_id, shown_command, write_model_card
from hf_audio.runs.markdown import Table

NAMES = ["a|b", "<script>", "two\nlines", "`tick`", "$x_1$"]
RUN = {
    "metrics": {"accuracy": 0.9, "f1_macro": 0.8},
    "intervals": {},
    "interval_note": "",
    "labels": NAMES,
    "tables": [Table("", ["Class", "Clips"], [[name, 1] for name in NAMES])],
    "n_train": "27",
    "n_test": 9,
    "n_skipped": 0,
    "hyper_parameters": {"teacher": "a|b"},
    "chosen": "The last.",
    "command": "hf-audio train 'a`b'",
    "minutes": 1.0,
    "example": "a.wav",
}


def facts(**changes) -> TaskFacts:
    values = {"dataset_name": "Tones", "dataset_type": "tones", "title": "Tones | <1>", **changes}
    return TaskFacts(hears="", data="", split="", limits=[], **values)


def card(task=None, **changes) -> ModelCard:
    return ModelCard(write_model_card(task or facts(), RunFacts(**{**RUN, **changes})))


@pytest.mark.parametrize(
    "flags", [["--hub_token", "hf_abc"], ["--hub-token=hf_a=bc"], ["--push_to_hub_token", "hf_a=bc"]]
)
def test_the_command_tells_no_secret_and_no_folder(flags):
    command = shown_command(["/home/me/recipes/tones.py", *flags, "--data_dir=/home/me/tones", "--seed", "1"])
    assert "hf_a" not in command and "/home" not in command
    assert command.startswith("python tones.py") and command.endswith("--data_dir=tones --seed 1")


def test_names_of_classes_do_not_break_the_card():
    text = card().text
    assert "# Tones \\| \\<1\\>" in text and "Classes: `a|b`, `<script>`, `two lines`, `` `tick` ``, `$x_1$`." in text
    rows = [line for line in text.splitlines() if line.endswith("| 1 |")]
    assert rows == [
        r"| a\|b | 1 |",
        r"| \<script\> | 1 |",
        "| two lines | 1 |",
        r"| \`tick\` | 1 |",
        r"| \$x_1\$ | 1 |",
    ]
    assert "``hf-audio train 'a`b'``" in text and r"| teacher | a\|b |" in text


def test_what_the_run_is_worth_stands_first():
    text = card(summary=["Accuracy 0.9 on 9 held-out clips.", "**No better than `a`.**"]).text
    body = text.partition("# Tones")[2].partition("\n\n")[2]
    assert body.startswith("- Accuracy 0.9 on 9 held-out clips.\n- **No better than `a`.**\n\n")


def test_metadata_are_those_of_the_hub():
    plain = card().data
    assert plain.base_model is None and plain.datasets is None and plain.metrics == ["accuracy", "f1"]
    with pytest.raises(HFValidationError):
        validate_repo_id(plain.eval_results[0].dataset_type)
    known = card(facts(hub_dataset="me/tones"), base_model="facebook/wav2vec2-base").data
    assert (known.base_model, known.datasets) == ("facebook/wav2vec2-base", ["me/tones"])
    assert {result.dataset_type for result in known.eval_results} == {"me/tones"}


def test_a_folder_is_no_id(tmp_path):
    assert hub_id(None) is None and hub_id(str(tmp_path)) is None
    assert hub_id("facebook/wav2vec2-base") == "facebook/wav2vec2-base"


def test_figures_of_further_test_sets_stand_under_their_own_split():
    """Whatever these are called. The `cer` of the Hub is of all characters together."""
    metrics = {"cer": 0.2, "cer_corpus": 0.1, "cer_corpus_far_away": 0.5, "cer_far_away": 0.6, "cer_harmonic": 0.3}
    metrics |= {"exact_match": 0.4, "exact_match_speaker": 0.9, "loss": 1.0, "cer_elsewhere": 0.7}
    written = card(metrics=metrics, further=["far_away"], pooled="speaker")
    told = {(result.metric_type, result.dataset_split): result.metric_value for result in written.data.eval_results}
    assert told == {
        ("cer", "test"): 0.1,
        ("mean_cer", "test"): 0.2,
        ("exact_match", "test"): 0.4,
        ("exact_match_speaker", "test"): 0.9,
        ("cer", "far_away"): 0.5,
        ("mean_cer", "far_away"): 0.6,
        ("cer_harmonic", "test"): 0.3,
    }
    assert "| Character error rate over all characters, far_away | 0.5000 |" in written.text


def test_metrics_come_in_a_cards_order():
    assert list(describe_metrics({"f1_macro_b", "accuracy_b", "f1_macro", "accuracy", "runtime"}, ["b"])) == [
        "accuracy",
        "f1_macro",
        "accuracy_b",
        "f1_macro_b",
    ]


def test_what_is_no_number_is_no_figure():
    written = card(metrics={"accuracy": 0.5, "f1_macro": math.nan})
    assert [result.metric_type for result in written.data.eval_results] == ["accuracy"] and "nan" not in written.text


def test_the_example_is_python_whatever_the_file_is_called():
    from hf_audio.models import AudioCNNConfig
    from hf_audio.runs.network import NetworkFacts

    name = 'a "quoted" \\ name.wav'
    text = card(example=name, network=NetworkFacts(AudioCNNConfig(), 1, 1, 1)).text
    (line,) = [line for line in text.splitlines() if line.startswith("print(classifier(")]
    assert json.loads(line.removeprefix("print(classifier(").removesuffix("))")) == name


def test_a_dry_run_says_so_in_its_card(tones, tmp_path, run_here):
    flags = ("--max_train_samples", "12", "--max_eval_samples", "3", "--validation_fraction", "0.3")
    code, told = run_here(tones, tmp_path / "out", "--max_steps", "2", "--report_to", "none", *flags)
    assert code == 0, told
    assert (results(tmp_path / "out")["train_samples"], results(tmp_path / "out")["eval_samples"]) == (8, 3)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "**A dry run** on a part of the clips (`--max_train_samples 12 --max_eval_samples 3`)" in card
