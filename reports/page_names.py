"""What the files beside a run's records are called: pages link to each other by these names."""

from __future__ import annotations

PAGE = "acceptance.html"
PYTEST_REPORT = "report.html"
JUNIT = "junit.xml"
TREND = "trend.html"
CERTIFICATE = "certificate"
"""A folder; its page is `CERTIFICATE_PAGE`."""
CERTIFICATE_PAGE = "certificate.html"
