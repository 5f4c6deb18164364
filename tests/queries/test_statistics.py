"""Percentiles and confidence intervals of the views equal those of numpy and scipy."""

import random
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tests.support.rows import Fill, records

stats: Any = scipy_stats


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_percentiles_are_those_of_numpy(filled: Fill, count: int) -> None:
    """Percentiles are linearly interpolated, as numpy's are by default."""
    random_ = random.Random(count)
    durations = [round(random_.lognormvariate(2, 1), 6) for _ in range(count)]
    runs = [
        {"run_id": str(place), "status": "completed", "created_at": 0, "started_at": 0, "completed_at": duration}
        for place, duration in enumerate(durations)
    ]
    [row] = records(filled({"runs": runs}), "latency_by_model", "model")
    for share in (50, 75, 90, 95, 99):
        assert row[f"run_seconds_p{share}"] == pytest.approx(float(np.percentile(durations, share)), rel=1e-9)


@pytest.mark.parametrize(("failures", "ended"), [(0, 1), (1, 1), (3, 10), (0, 50), (37, 1000)])
def test_intervals_are_the_wilson_intervals_of_scipy(filled: Fill, failures: int, ended: int) -> None:
    """Intervals of failure rates are the Wilson intervals at 95 %."""
    statuses = ["failed"] * failures + ["completed"] * (ended - failures)
    runs = [{"run_id": str(place), "status": status} for place, status in enumerate(statuses)]
    [row] = records(filled({"runs": runs}), "failure_rates_by_model", "model")
    interval = stats.binomtest(failures, ended).proportion_ci(0.95, method="wilson")
    assert row["failure_rate_low"] == pytest.approx(interval.low, abs=1e-12)
    assert row["failure_rate_high"] == pytest.approx(interval.high, abs=1e-12)
