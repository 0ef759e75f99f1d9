"""Numbers of a network that cannot be."""

import pytest
from helpers.checkpoints import FRAMES, tiny_config


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"frontend": "cqt"}, "frontend"),
        ({"backbone": "transformer"}, "backbone"),
        ({"win_length": 512}, "win_length"),
        ({"f_max": 9000.0}, "f_max"),
        ({"hop_length": 0}, "hop_length"),
        ({"frontend": "mfcc", "n_mfcc": 30}, "n_mfcc"),
        ({"hidden_sizes": [4] * 6}, "min_seconds"),
        ({"clip_seconds": 0.05}, "clip_seconds"),
        ({"mel_scale": "bark"}, "mel_scale"),
        ({"amin": 0.0}, "amin"),
        ({"hidden_sizes": [8]}, "hidden_sizes"),
        ({"hidden_sizes": [], "backbone": "conv1d"}, "hidden_sizes"),
        ({"stem_stride": 3}, "stem_stride=3 must be 1 or 2"),
        ({"backbone": "alexnet", "min_seconds": 0.5}, "reads a canvas of one length: min_seconds=0.5 must be 1.0"),
        ({"backbone": "cnn3", "heard_seconds": 0.5}, "reads a canvas of one length: min_seconds=1.0 must be 0.5"),
        ({"backbone": "alexnet", "hidden_sizes": [8, 8, 8]}, "hidden_sizes=.* must be 5 numbers for 'alexnet'"),
        ({"backbone": "cnn3", "hidden_sizes": [8] * 5}, "hidden_sizes=.* must be 3 numbers for 'cnn3'"),
        ({"heard_seconds": 0.05}, "heard_seconds=0.05 must lie between min_seconds=0.1 and clip_seconds=1.0"),
        ({"heard_seconds": 1.5}, "heard_seconds=1.5 must lie between"),
        ({"trim_db": 0}, "trim_db=0 must be positive"),
        ({"pooling": "sum"}, "pooling='sum' is not known: choose one of mean_max, mean, max, mean_std, "),
        ({"long_term_spectrum": True, "num_digits": 2}, "long_term_spectrum=True tells no digits"),
        ({"number_grammar": "xx", "num_digits": 6}, "number_grammar='xx' is not known: choose one of ru, or None"),
        ({"number_grammar": "ru", "num_digits": 3}, "reads numbers of 6 digits, not num_digits=3"),
        ({"time_halvings": 2}, "time_halvings=2 must lie between 1 and 1"),
        ({"time_halvings": 1, "backbone": "alexnet"}, "backbone be 'resnet' or 'conv1d', not 'alexnet'"),
        ({**FRAMES, "frame_pooling": "mean"}, "frame_pooling='mean' is not known"),
        ({**FRAMES, "problem_type": None}, "frame_pooling needs problem_type='multi_label_classification'"),
        ({**FRAMES, "trim_db": 40}, "frame_pooling and trim_db exclude each other"),
        ({**FRAMES, "hop_length": 800}, "last 0.2 s, more than 0.1: lower time_halvings or hop_length"),
        ({"filter_augment_db": 3, "frontend": "mfcc"}, "filter_augment_db=3 must not be negative, and 0 unless"),
    ],
)
def test_a_config_no_model_can_be_built_from_is_refused_with_its_field(changes, named):
    with pytest.raises(Exception, match=named):
        tiny_config(**changes)
