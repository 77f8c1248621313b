"""Hold every scaled template to a whole scale: a CHECK that comes to NULL had let it pass.

Revision: 9d3f4e1a6b23
Revises: 7b1d2c9e4f01
"""

from __future__ import annotations

from alembic import op
revision = '9d3f4e1a6b23'
down_revision = '7b1d2c9e4f01'
branch_labels = None
depends_on = None


TABLE = 'learning.exam_templates'
CHECK = "ck_exam_templates_scale"
SCALE_IN_ORDER = "scale_minimum < pass_score AND pass_score < scale_maximum"
WHOLE_SCALE = "num_nulls(scale_minimum, pass_score, scale_maximum) = 0"


def _check(condition: str) -> None:
    """A handful of rows: checking them while the table is locked takes no time."""
    op.drop_constraint(op.f(CHECK), 'exam_templates', schema='learning', type_='check')
    op.create_check_constraint(op.f(CHECK), 'exam_templates', condition, schema='learning')


def upgrade() -> None:
    # No score can come of these: they are off the offer until somebody gives them a scale.
    op.execute(
        f"UPDATE {TABLE} SET scoring_mode = 'raw', is_active = false, updated_at = now()"
        f" WHERE scoring_mode = 'scaled' AND NOT ({WHOLE_SCALE})"
    )
    _check(f"scoring_mode = 'raw' OR ({WHOLE_SCALE} AND {SCALE_IN_ORDER})")


def downgrade() -> None:
    _check(f"scoring_mode = 'raw' OR ({SCALE_IN_ORDER})")
