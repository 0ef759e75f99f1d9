"""The head of normal recordings alone, against scipy's Mahalanobis distance."""

import numpy as np
import torch
from scipy.spatial.distance import mahalanobis

from hf_audio.models.one_class import NormalDistance


def test_the_logit_is_the_logarithm_of_mahalanobis_distance_over_the_threshold():
    rng = np.random.default_rng(0)
    shape = rng.standard_normal((5, 5))
    precision = shape @ shape.T + np.eye(5)
    centers = rng.standard_normal((3, 5))
    whitening = np.linalg.cholesky(precision)
    head = NormalDistance(5, 3)
    values = {"mean": rng.standard_normal(5), "whitening": whitening, "threshold": [2.0], "slope": [3.0]}
    values["centers"] = (centers - values["mean"]) @ whitening
    with torch.no_grad():
        for name, value in values.items():
            getattr(head, name).copy_(torch.as_tensor(np.asarray(value)))
    clips = rng.standard_normal((4, 5))
    distances = [min(mahalanobis(clip, center, precision) for center in centers) for clip in clips]
    logits = head.to(torch.bfloat16)(torch.from_numpy(clips))  # which stays in float32
    assert np.allclose(logits[:, 1] - logits[:, 0], 3 * np.log(np.array(distances) / 2), atol=1e-5)
    at_center = head(torch.from_numpy(centers[:1]))
    assert bool(at_center.isfinite().all()) and float(at_center[0, 1]) < -20
