"""Batches mixed on the device."""

import numpy as np
import torch

from hf_audio.augmentation.mixing import mix, overlay
from hf_audio.models.modeling_audio_cnn import IGNORED


def test_mixing_blends_waveforms_and_targets_alike():
    torch.manual_seed(0)
    n = 64
    x = torch.eye(n)  # clip i is 1 at sample i alone, so a mix tells its parts and their weights
    targets = torch.eye(n)
    mask = torch.tril(torch.ones(n, n))  # clip i has i + 1 samples
    weights = torch.linspace(0, 1, n)
    mixed, blended = mix({"input_values": x, "attention_mask": mask}, {"labels": targets, "weights": weights}, 0.4)
    soft = blended["labels"]
    torch.testing.assert_close(blended["weights"], soft @ weights)
    torch.testing.assert_close(mixed["input_values"], soft)
    last = torch.stack([row.nonzero().max() for row in soft])
    torch.testing.assert_close(mixed["attention_mask"].sum(1), last + 1.0)
    torch.testing.assert_close(soft.sum(1), torch.ones(n))
    assert (soft.diagonal() >= 0.5).all() and soft.diagonal().min() < 0.9
    assert len(set(soft.diagonal().tolist())) > n // 2


def test_laid_over_each_other_both_clips_sound_and_what_either_leaves_unknown_stays_so():
    torch.manual_seed(0)
    n = 100
    frames = torch.randint(-1, 2, (n, 7, 2)).float()
    frames[frames < 0] = IGNORED
    tags = torch.randint(0, 2, (n, 3)).float()
    heard, told = overlay({"input_values": torch.eye(n)}, {"labels": tags, "frame_targets": frames})
    levels = []
    for clip, samples in enumerate(heard["input_values"]):
        parts = samples.nonzero().flatten().tolist()  # clip i is 1 at sample i alone
        levels += [20 * samples[part].log10().item() for part in parts if part != clip]
        assert samples[clip] >= 1 and (told["labels"][clip] == tags[parts].amax(0)).all()
        for place, value in np.ndenumerate(told["frame_targets"][clip].numpy()):
            each = [frames[(part, *place)].item() for part in parts]
            assert value == (1 if 1 in each else IGNORED if IGNORED in each else 0)
    assert 15 < len(levels) < 45 and min(levels) >= -15 and max(levels) <= 5 and np.std(levels) > 3
