"""Profiles of hypothesis: few examples by default, 100,000 with --hypothesis-profile nightly (`make nightly`)."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile("default", max_examples=15, deadline=timedelta(seconds=2), suppress_health_check=SLOW)
settings.register_profile("nightly", max_examples=100_000, deadline=timedelta(seconds=5), suppress_health_check=SLOW)
settings.load_profile("default")
