"""Logs and metrics in the form CloudWatch reads, through Powertools. No personal data goes in."""

from __future__ import annotations

from functools import lru_cache

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "StudyPack"

__all__ = ["MetricUnit", "get_logger", "get_metrics"]


@lru_cache(maxsize=1)
def get_logger() -> Logger:
    """The structured logger: JSON lines with the request's correlation id. POWERTOOLS_LOG_LEVEL
    sets its level.
    """
    return Logger(service="studypack", utc=True)


@lru_cache(maxsize=1)
def get_metrics() -> Metrics:
    """Metrics in the embedded metric format; POWERTOOLS_METRICS_DISABLED=true silences them
    locally.
    """
    return Metrics(namespace=NAMESPACE, service="studypack")
