"""Which clips a network was trained on, told and compared."""

import copy

import pytest
from helpers.checkpoints import tiny_config
from helpers.trainers import trainer

from hf_audio import AudioCNNForAudioClassification
from hf_audio.errors import ArgumentError
from hf_audio.training.trained_clips import check_same_clips


def test_a_checkpoint_of_another_number_of_processes_is_refused(tmp_path):
    model = AudioCNNForAudioClassification(tiny_config())
    trainer(tmp_path, copy.deepcopy(model), max_steps=1, save_strategy="steps", save_steps=1).train()
    state = tmp_path / "checkpoint-1" / "trainer_state.json"
    state.write_text(state.read_text().replace('"processes": 1', '"processes": 2'))
    with pytest.raises(ArgumentError, match="trained by 2 processes, and now there are 1"):
        trainer(tmp_path, model, max_steps=2).train(resume_from_checkpoint=str(state.parent))


def test_machines_with_other_recordings_are_refused(tmp_path, second_process):
    run = trainer(tmp_path / "one", AudioCNNForAudioClassification(tiny_config()))
    clips, names = run.train_dataset, ["low", "mid", "high"]
    check_same_clips(run.args, names, clips)
    second_process.append(("other", {"Training clips": len(clips) - 1, "Classes": 3}))
    with pytest.raises(ArgumentError, match=f"Training clips: {len(clips)} in .* in process 1 on other: give every"):
        check_same_clips(run.args, names, clips)
