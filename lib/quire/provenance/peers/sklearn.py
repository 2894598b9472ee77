"""Scores of calibration by scikit-learn (package sklearn)."""

from collections.abc import Callable
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


def fit_messages(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a logistic regression's probability of a message to be the mistake.

    Its regularisation is chosen on parts of these logs, by the log loss.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def made(strength: float) -> Any:
        return make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, solver="newton-cholesky")
        )

    def loss(strength: float) -> float:
        total = 0.0
        for train, test in GroupKFold(3).split(features, labels, groups):
            p = made(strength).fit(features[train], labels[train]).predict_proba(features[test])
            total -= float(np.log(np.clip(p[np.arange(len(test)), labels[test]], 1e-9, 1)).sum())
        return total

    model = made(min((0.003, 0.03, 0.3), key=loss)).fit(features, labels)
    return lambda table: np.asarray(model.predict_proba(table)[:, 1])


def fit_answers(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what names a label for every row, by naive Bayes over features of zeros and ones.

    Its smoothing is chosen on parts of these rows, by the share that it names right.
    """
    from sklearn.model_selection import GroupKFold
    from sklearn.naive_bayes import BernoulliNB

    def right(alpha: float) -> int:
        return sum(
            int((_fit(alpha, train).predict(features[test]) == labels[test]).sum())
            for train, test in GroupKFold(3).split(features, labels, groups)
        )

    def _fit(alpha: float, rows: np.ndarray) -> Any:
        return BernoulliNB(alpha=alpha).fit(features[rows], labels[rows])

    model = _fit(max((0.03, 0.3, 3.0), key=right), np.arange(len(labels)))
    return lambda table: np.asarray(model.predict(table))
