"""`evaluate.Metric` classes that work offline: `evaluate.load` would fetch even accuracy from the Hub."""

from .calibration import CalibrationError
from .cer import CharacterErrorRate
from .classification import Accuracy, BalancedAccuracy, F1Macro
from .map_at_3 import MeanAveragePrecisionAt3
from .tagging import TaggingPrecision
from .two_classes import TwoClassScores

__all__ = [
    "Accuracy",
    "BalancedAccuracy",
    "CalibrationError",
    "CharacterErrorRate",
    "F1Macro",
    "MeanAveragePrecisionAt3",
    "TaggingPrecision",
    "TwoClassScores",
]
