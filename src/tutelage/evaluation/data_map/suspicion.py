"""How likely a row's answer is wrong for its prompt: what the losses say and what prompt and answer say, apart and
together.

Both are log-odds, so they add up where they err independently. The fit of prompt and answer (`fit`) is calibrated by
itself. What the standing of a row's loss is worth depends on the model: one that hardly reads its prompts cannot tell.
So its weight is learned from the rows that the fit suspects. With standings of the same variance v among right and
wrong rows, the log-odds are linear in the standing, with slope (mean of wrong rows - mean of all) / v (linear
discriminant analysis), where the mean of wrong rows weighs each row by the chance that it is wrong, as the fit has it.
Some of those rows are right, so the slope comes out too small rather than too large; odd rows are often both hard to
predict and far from their prompts, and what both signals say should not count twice in full.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_WRONG = 0.02  # share of rows that are taken to be wrong beforehand
_CLIPPED = 8.0  # standings beyond are read as this


@dataclass(frozen=True, slots=True, eq=False)
class Suspicion:
    """Log-odds that a row is wrong, above those of any row; 0 where nothing speaks for or against it.

    Attributes:
        total: `from_loss` + `from_fit`, (R,).
        from_loss: (R,).
        from_fit: (R,); 0 where prompt and answer cannot be judged.
        slope: what a standard deviation of a row's standing is worth.
    """

    total: Floats
    from_loss: Floats
    from_fit: Floats
    slope: float


def suspicion(standing: Floats, fit_odds: Floats | None) -> Suspicion:
    """The suspicion of each row.

    Args:
        standing: mean standing of each row's losses, (R,).
        fit_odds: `Fit.odds`, (R,); None: they could not be learned, and a standard deviation counts as 1.
    """
    clipped = np.clip(standing, -_CLIPPED, _CLIPPED)
    centred = clipped - clipped.mean() if len(clipped) else clipped
    if fit_odds is None or not np.isfinite(fit_odds).any():
        return Suspicion(centred, centred, np.zeros(len(centred)), 1.0)
    judged = np.isfinite(fit_odds)
    odds = np.where(judged, fit_odds, 0.0)
    wrong = 1 / (1 + np.exp(np.clip(np.log(1 / _WRONG - 1) - odds[judged], -50, 50)))
    variance = max(float(centred.var()), 1e-9)
    slope = max(0.0, float(np.average(centred[judged], weights=wrong)) / variance)
    return Suspicion(odds + slope * centred, slope * centred, odds, slope)
