"""What a network knows from elsewhere: found in folders and cards, told, and followed by the licence."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import ModelCard

from hf_audio.runs.card import RunFacts, TaskFacts, write_model_card
from hf_audio.runs.origins import (
    FROM_SCRATCH,
    Origin,
    describe_origin,
    find_origins,
    is_external,
    origin_results,
    read_origins,
    settle_license,
    summarise_origins,
    warn_of_licenses,
)


def find(begun: Path | str | None = None, teacher: Path | str | None = None, data: str = "Tones") -> list[Origin]:
    names = [None if name is None else str(name) for name in (begun, teacher)]
    return find_origins(SimpleNamespace(model_name_or_path=names[0], teacher=names[1]), data)


def checkpoint(folder: Path, card: str = "") -> Path:
    folder.mkdir()
    (folder / "README.md").write_text(card)
    return folder


def run_folder(folder: Path, origins: list[Origin] | None, data: str = "Tones", **arguments) -> Path:
    folder.mkdir()
    results = {"task": {"dataset_name": data, "license": "apache-2.0"}}
    results |= {} if origins is None else origin_results(origins)
    (folder / "all_results.json").write_text(json.dumps(results))
    (folder / "training_args.json").write_text(json.dumps(arguments))
    return folder


def card(origins: list[Origin]) -> ModelCard:
    task = TaskFacts("Tones", "", "Tones", "tones", "", "", [])
    figures = {"metrics": {"accuracy": 0.9}, "intervals": {}, "interval_note": "", "labels": ["a"], "tables": []}
    counts = {"n_train": "1", "n_test": 1, "n_skipped": 0, "hyper_parameters": {}, "chosen": "", "minutes": 1}
    return ModelCard(write_model_card(task, RunFacts(**figures, **counts, command="x", example="a", origins=origins)))


def test_a_run_from_scratch_says_so():
    assert find() == [] and summarise_origins([], repr) == FROM_SCRATCH and not warn_of_licenses([], "mit")
    assert FROM_SCRATCH in card([]).text
    assert card([]).data.eval_results[0].task_name == "Audio classification"


def test_an_encoder_that_a_package_brings_is_told_with_all_that_is_known_of_it():
    (origin,) = find("sfx")
    assert origin.external and origin.license == "cc-by-4.0" and "Soundly" in origin.trained_on
    told = card([origin])
    assert told.data.license == "cc-by-4.0" and "aiSFX by Alison" in told.text
    assert "whether some of them also lie on Freesound" in told.text
    assert told.data.eval_results[0].task_name == "Audio classification, with external knowledge"
    assert summarise_origins([origin], repr).startswith("With external knowledge, it began with 'sfx':")


def test_a_licence_that_forbids_something_is_told_before_and_followed_by_the_card(tmp_path):
    folder = checkpoint(tmp_path / "birds", "---\nlicense: cc-by-nc-sa-4.0\ndatasets: [xeno, canto]\n---\n")
    origins = find("sfx", folder)
    assert [origin.role for origin in origins] == ["began with", "was taught by"]
    assert card(origins).data.license == "cc-by-nc-sa-4.0"
    warnings = warn_of_licenses(origins, "apache-2.0")
    assert warnings[0].startswith("birds is under cc-by-nc-sa-4.0, which forbids commercial use")
    assert "gives cc-by-nc-sa-4.0" in warnings[1] and str(tmp_path) not in describe_origin(origins[1], repr)
    assert "on xeno, canto." in describe_origin(origins[1], repr)


def test_what_is_not_known_is_told_as_such(tmp_path):
    (origin,) = find(checkpoint(tmp_path / "some"))
    assert origin.license == "unknown" and card([origin]).data.license == "unknown"
    told = describe_origin(origin, repr)
    assert "licence is not known" in told and "What it was trained on is not known." in told
    assert "The licence of some is not known" in warn_of_licenses([origin], "apache-2.0")[0]
    assert find("nobody/nothing")[0].name == "nobody/nothing"  # there is no network here


def test_knowledge_is_followed_through_a_chain_of_runs(tmp_path):
    taught = run_folder(tmp_path / "taught", find(teacher="ge2e"))
    old = run_folder(tmp_path / "old", None, teacher=str(taught))
    chain = find(old)
    assert [origin.name for origin in chain] == ["old", "taught", "ge2e"]
    assert [origin.external for origin in chain] == [False, False, True] and is_external(chain)
    assert read_origins(origin_results(chain)) == chain
    taught_by = find(teacher=run_folder(tmp_path / "head", find("ge2e")))
    assert [origin.name for origin in taught_by] == ["head", "ge2e"]
    told = summarise_origins(taught_by, repr)
    assert told.startswith("With external knowledge, it learnt, through its teacher, from 'ge2e':"), "not its weights"
    own = find(run_folder(tmp_path / "own", []))
    assert not is_external(own) and summarise_origins(own, repr).startswith("No external data; it began with 'own'")
    assert is_external(find(tmp_path / "own", data="Birds"))
    folds = tmp_path / "folds"
    folds.mkdir()
    run_folder(folds / "fold_1", [])
    (folds / "all_results.json").write_text("{}")
    assert not is_external(find(teacher=folds))


@pytest.mark.parametrize(
    ("own", "others", "settled"),
    [
        ("mit", ["apache-2.0"], "mit"),
        ("apache-2.0", ["cc-by-4.0"], "cc-by-4.0"),
        ("cc-by-nc-3.0", ["cc-by-4.0"], "cc-by-nc-3.0"),
        ("unknown", ["cc-by-4.0"], "unknown"),
        ("unknown", ["cc-by-nc-4.0"], "cc-by-nc-4.0"),
        ("cc-by-sa-4.0", ["gpl-3.0"], "other"),
        ("apache-2.0", ["my-own"], "my-own"),
    ],
)
def test_the_licence_is_that_of_whoever_asks_for_most(own, others, settled):
    assert settle_license(own, [Origin("began with", "x", name) for name in others]) == settled
