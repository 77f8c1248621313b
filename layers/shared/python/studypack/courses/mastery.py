"""How mastery of a topic follows from answers: a running mean that forgets slowly.

mastery' = (w * mastery + credit) / (w + items), with w the evidence so far but at most
EVIDENCE_CAP. A topic starts as if PRIOR_EVIDENCE items had been answered at PRIOR_MASTERY, so that
one lucky answer is not mastery; the cap lets about the last 30 answers decide. (Exponential
smoothing with a bounded window; the service states the same in SQL.)
"""

from __future__ import annotations

PRIOR_MASTERY = 0.5
PRIOR_EVIDENCE = 2.0
EVIDENCE_CAP = 30.0


def updated(mastery: float | None, evidence: float, credit: float, items: int) -> float:
    """Mastery (0 to 1) after `items` more answers that earned `credit` in all; None: the first
    ones.
    """
    if mastery is None:
        mastery, evidence = PRIOR_MASTERY, PRIOR_EVIDENCE
    weight = min(evidence, EVIDENCE_CAP)
    return (weight * mastery + credit) / (weight + items)
