"""What an evaluation could show, told before it runs."""

from tutelage.evaluation.scoring import METRICS
from tutelage.evaluation.statistics import detectable_difference, detectable_gain
from tutelage.evaluation.suite import Suite
from tutelage.terminal import Terminal

DISCORDANT = 0.3  # assumed share of answers that turn right or wrong between two models
DEVIATION = 0.25  # assumed standard deviation of the difference of two scores


def tell_detectable(suite: Suite, *, terminal: Terminal) -> None:
    """The smallest difference between two models that a suite of this size finds, with what that assumes."""
    n = len({item.cluster for item in suite.items})
    is_share = all(METRICS[item.metric].is_share for item in suite.items)
    smallest = detectable_gain(n, DISCORDANT) if is_share else detectable_difference(n, DEVIATION)
    terminal.say(f"{suite.name}: {smallest.in_words()}")
