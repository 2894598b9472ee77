"""Scores of calibration by scikit-learn (package sklearn)."""

from typing import Any

import numpy as np

from quire.provenance.calibration.recalibration import isotonic
from quire.provenance.calibration.scores import brier_score, log_score, reliability


def differences(forecasts: np.ndarray, outcomes: np.ndarray) -> dict[str, float]:
    """Return the largest difference of our scores, isotonic fit and diagram from scikit-learn's."""
    from sklearn.calibration import calibration_curve
    from sklearn.isotonic import IsotonicRegression
    from sklearn.metrics import brier_score_loss, log_loss

    fit: Any = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    observed, forecast = calibration_curve(outcomes, forecasts, n_bins=10, strategy="uniform")
    mine = reliability(forecasts, outcomes, 10)
    return {
        "Brier": abs(brier_score(forecasts, outcomes) - brier_score_loss(outcomes, forecasts)),
        "log score": abs(log_score(forecasts, outcomes) - log_loss(outcomes, forecasts)),
        "isotonic": float(
            np.abs(isotonic(forecasts, outcomes) - fit.fit_transform(forecasts, outcomes)).max()
        ),
        "diagram": float(
            max(
                np.abs(np.array([b.forecast for b in mine]) - forecast).max(),
                np.abs(np.array([b.observed for b in mine]) - observed).max(),
            )
        ),
    }
