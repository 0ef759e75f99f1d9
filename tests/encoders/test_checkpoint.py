"""Encoders as folders that transformers loads."""

import os

import pytest
import torch
from helpers.wheels import LICENCE, random_encoder, write_wheel
from transformers import AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification

from hf_audio import commands
from hf_audio.encoders.checkpoint import write_encoder
from hf_audio.encoders.sources import SOURCES
from hf_audio.errors import ArgumentError, CheckpointError, DataError


@pytest.mark.parametrize("name", SOURCES)
def test_a_folder_holds_the_network_its_licence_and_where_it_comes_from(name, tmp_path, monkeypatch, capsys):
    folder = write_encoder(name, tmp_path / name, write_wheel(tmp_path, name, monkeypatch))
    source = SOURCES[name]
    assert source.licence in capsys.readouterr().err
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"license: {source.licence.lower()}\n" in card
    assert all(told in card for told in (source.attribution, source.trained_on, source.overlap, str(source.wheel)))
    assert (folder / "LICENSE").read_text(encoding="utf-8") == LICENCE
    assert (folder / "encoder_networks.py").is_file()

    model, extractor = AutoModel.from_pretrained(folder), AutoFeatureExtractor.from_pretrained(folder)
    for key, value in random_encoder(name).state_dict().items():
        torch.testing.assert_close(model.state_dict()[key], value, atol=0, rtol=0)
    assert extractor.sampling_rate == model.config.sampling_rate
    classifier, found = AutoModelForAudioClassification.from_pretrained(folder, output_loading_info=True)
    assert found["missing_keys"] == {"classifier.weight", "classifier.bias"}
    torch.testing.assert_close(classifier.audio_encoder.state_dict(), model.state_dict())


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    wheel = write_wheel(tmp_path, "speech", monkeypatch)
    with pytest.raises(ArgumentError, match=r"bird is no encoder: choose one of ge2e, speech, sfx\."):
        commands.encoder("bird", output_dir=tmp_path / "bird")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="is not empty"):
        write_encoder("speech", tmp_path / "full", wheel)
    wheel.write_bytes(wheel.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut off"):
        write_encoder("speech", tmp_path / "new", wheel)
    assert sorted(os.listdir(tmp_path)) == sorted(["full", wheel.name])
