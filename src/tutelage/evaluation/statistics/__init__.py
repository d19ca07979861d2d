"""What figures of a sample can say: intervals, paired tests, and what a run of this size could show at all.

Scores are floats in [0, 1], one per item; items of one cluster (the same prompt) count as one observation. Differences
are absolute: a relative improvement explodes where the first score is near 0.
"""

from tutelage.evaluation.statistics.means import Mean, mean_of
from tutelage.evaluation.statistics.pairs import PairedResult, Verdict, compare_all, compare_paired, holm
from tutelage.evaluation.statistics.power import Detectable, detectable_difference, detectable_gain
from tutelage.evaluation.statistics.proportions import (
    Z95,
    Paired,
    Proportion,
    difference_interval,
    paired,
    wilson_interval,
)
from tutelage.evaluation.statistics.resampling import RESAMPLES, bootstrap_of, percentile_interval, sign_flip_test

__all__ = [
    "RESAMPLES",
    "Z95",
    "Detectable",
    "Mean",
    "Paired",
    "PairedResult",
    "Proportion",
    "Verdict",
    "bootstrap_of",
    "compare_all",
    "compare_paired",
    "detectable_difference",
    "detectable_gain",
    "difference_interval",
    "holm",
    "mean_of",
    "paired",
    "percentile_interval",
    "sign_flip_test",
    "wilson_interval",
]
