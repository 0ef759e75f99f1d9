"""What is said about anomalies, against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from hf_audio.runs.predictions.anomalies import AnomalyPredictions
from hf_audio.runs.predictions.kinds import select_clips


def test_anomalies_are_judged_as_dcase_does_in_all_and_by_section():
    rng = np.random.default_rng(0)
    truth = np.tile([0, 0, 1], 20)
    scores = np.clip(rng.normal(0.3 + 0.2 * truth, 0.2), 0.01, 0.99).astype(np.float32)
    told = AnomalyPredictions.from_probabilities(
        [f"{clip}.wav" for clip in range(60)], ["normal", "anomaly"], truth, np.stack([1 - scores, scores], axis=1)
    )
    told.columns = {"section": np.repeat(["fan", "pump"], 30)}
    found, expected = told.metrics(), []
    for rows in (slice(0, 60), slice(0, 30), slice(30, 60)):
        areas = [roc_auc_score(truth[rows], scores[rows], max_fpr=most) for most in (None, 0.1)]
        expected.append(areas)
    assert [found["anomaly_auc"], found["anomaly_pauc"]] == pytest.approx(expected[0])
    assert [found["anomaly_auc_mean"], found["anomaly_pauc_mean"]] == pytest.approx(np.mean(expected[1:], axis=0))
    assert found["anomaly_harmonic"] == pytest.approx(stats.hmean(np.ravel(expected[1:])))
    assert found["false_alarm_rate"] == (scores[truth == 0] > 0.5).mean()
    assert told.tables()[0].rows[1][0] == "pump" and told.intervals()["anomaly_auc"][0] < found["anomaly_auc"]
    alone = select_clips(told, np.flatnonzero(truth == 0))
    assert set(alone.metrics()) == {"false_alarm_rate"} and set(alone.intervals()) == {"false_alarm_rate"}
