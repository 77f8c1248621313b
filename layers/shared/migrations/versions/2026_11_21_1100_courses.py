"""Courses: modules, lessons, files, progress, certificates, notes; quizzes and their attempts.

Revision: f59e0a71c289
Revises: d37c8e5fa067
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = 'f59e0a71c289'
down_revision = 'd37c8e5fa067'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('mux_events',
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('object_id', sa.Text(), nullable=True),
    sa.Column('payload', postgresql.JSONB(), nullable=False),
    sa.Column('occurred_at', postgresql.TIMESTAMP(timezone=True), nullable=False),
    sa.Column('received_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('processed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('outcome', sa.Text(), nullable=True),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_mux_events')),
    schema='learning'
    )
    op.create_index(op.f('ix_mux_events_object_id'), 'mux_events', ['object_id'], unique=False, schema='learning', postgresql_where=sa.text("outcome = 'unknown'"))
    op.create_index(op.f('ix_mux_events_received_at'), 'mux_events', ['received_at'], unique=False, schema='learning', postgresql_where=sa.text('processed_at IS NULL'))
    op.create_table('certificates',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('course_id', sa.Uuid(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('recipient_name', sa.Text(), nullable=False),
    sa.Column('course_title', sa.Text(), nullable=False),
    sa.Column('issued_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('revoked_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('revoked_by', sa.Uuid(), nullable=True),
    sa.Column('revoke_reason', sa.Text(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['course_id'], ['learning.courses.id'], name=op.f('fk_certificates_course_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_certificates_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_certificates')),
    sa.UniqueConstraint('code', name=op.f('uq_certificates_code')),
    schema='learning'
    )
    op.create_index(op.f('ix_certificates_course_id'), 'certificates', ['course_id'], unique=False, schema='learning')
    op.create_index(op.f('ix_certificates_user_id_id'), 'certificates', ['user_id', 'id'], unique=False, schema='learning')
    op.create_index('uq_certificates_user_id_course_id', 'certificates', ['user_id', 'course_id'], unique=True, schema='learning', postgresql_where=sa.text('revoked_at IS NULL'))
    op.create_table('course_prerequisites',
    sa.Column('course_id', sa.Uuid(), nullable=False),
    sa.Column('required_course_id', sa.Uuid(), nullable=False),
    sa.CheckConstraint('course_id <> required_course_id', name=op.f('ck_course_prerequisites_not_itself')),
    sa.ForeignKeyConstraint(['course_id'], ['learning.courses.id'], name=op.f('fk_course_prerequisites_course_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['required_course_id'], ['learning.courses.id'], name=op.f('fk_course_prerequisites_required_course_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('course_id', 'required_course_id', name=op.f('pk_course_prerequisites')),
    schema='learning'
    )
    op.create_index(op.f('ix_course_prerequisites_required_course_id'), 'course_prerequisites', ['required_course_id'], unique=False, schema='learning')
    op.create_table('enrollments',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('course_id', sa.Uuid(), nullable=False),
    sa.Column('status', sa.Text(), server_default='ACTIVE', nullable=False),
    sa.Column('enrolled_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('paused_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('dropped_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('completed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status <> 'COMPLETED' OR completed_at IS NOT NULL", name=op.f('ck_enrollments_completed_at')),
    sa.CheckConstraint("status IN ('ACTIVE', 'PAUSED', 'COMPLETED', 'DROPPED')", name=op.f('ck_enrollments_status')),
    sa.ForeignKeyConstraint(['course_id'], ['learning.courses.id'], name=op.f('fk_enrollments_course_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_enrollments_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_enrollments')),
    sa.UniqueConstraint('user_id', 'course_id', name=op.f('uq_enrollments_user_id_course_id')),
    schema='learning'
    )
    op.create_index(op.f('ix_enrollments_course_id_status'), 'enrollments', ['course_id', 'status'], unique=False, schema='learning')
    op.create_table('modules',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('course_id', sa.Uuid(), nullable=False),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('syllabus', sa.Text(), nullable=True),
    sa.Column('position', sa.SmallInteger(), nullable=True),
    sa.Column('published', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('release_after_days', sa.SmallInteger(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint('(deleted_at IS NULL) = (position IS NOT NULL)', name=op.f('ck_modules_placed')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_modules_position')),
    sa.CheckConstraint('release_after_days BETWEEN 1 AND 3650', name=op.f('ck_modules_release_after_days')),
    sa.ForeignKeyConstraint(['course_id'], ['learning.courses.id'], name=op.f('fk_modules_course_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_modules')),
    sa.UniqueConstraint('course_id', 'position', deferrable=True, initially='DEFERRED', name=op.f('uq_modules_course_id_position')),
    schema='learning'
    )
    op.create_index('uq_modules_course_id_slug', 'modules', ['course_id', 'slug'], unique=True, schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('item_completions',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('item_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('module_id', sa.Uuid(), nullable=False),
    sa.Column('completed_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind IN ('LESSON', 'QUIZ', 'ASSIGNMENT')", name=op.f('ck_item_completions_kind')),
    sa.ForeignKeyConstraint(['module_id'], ['learning.modules.id'], name=op.f('fk_item_completions_module_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_item_completions_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('user_id', 'item_id', name=op.f('pk_item_completions')),
    schema='learning'
    )
    op.create_index(op.f('ix_item_completions_module_id_kind'), 'item_completions', ['module_id', 'kind'], unique=False, schema='learning')
    op.create_index(op.f('ix_item_completions_user_id_module_id'), 'item_completions', ['user_id', 'module_id'], unique=False, schema='learning')
    op.create_table('lessons',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('module_id', sa.Uuid(), nullable=False),
    sa.Column('topic_id', sa.Uuid(), nullable=True),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('summary', sa.Text(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('position', sa.SmallInteger(), nullable=True),
    sa.Column('published', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('is_free', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('content', postgresql.JSONB(), nullable=True),
    sa.Column('content_markdown', sa.Text(), nullable=True),
    sa.Column('body_text', sa.Text(), server_default='', nullable=False),
    sa.Column('estimated_minutes', sa.SmallInteger(), nullable=True),
    sa.Column('video_status', sa.Text(), nullable=True),
    sa.Column('video_error', sa.Text(), nullable=True),
    sa.Column('video_changed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('mux_upload_id', sa.Text(), nullable=True),
    sa.Column('mux_asset_id', sa.Text(), nullable=True),
    sa.Column('mux_playback_id', sa.Text(), nullable=True),
    sa.Column('duration_seconds', sa.Integer(), nullable=True),
    sa.Column('captions', postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('transcript', sa.Text(), nullable=True),
    sa.Column('search', postgresql.TSVECTOR(), sa.Computed("setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', coalesce(summary, '')), 'B') || setweight(to_tsvector('english', left(body_text, 200000)), 'C') || setweight(to_tsvector('english', left(coalesce(transcript, ''), 200000)), 'D')", persisted=True), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("kind IN ('VIDEO', 'ARTICLE', 'CODE_EXAMPLE', 'INTERACTIVE', 'PDF')", name=op.f('ck_lessons_kind')),
    sa.CheckConstraint("video_status IN ('UPLOADING', 'PROCESSING', 'READY', 'ERRORED')", name=op.f('ck_lessons_video_status')),
    sa.CheckConstraint("video_status IS DISTINCT FROM 'READY' OR (mux_playback_id IS NOT NULL AND duration_seconds IS NOT NULL)", name=op.f('ck_lessons_ready_video')),
    sa.CheckConstraint('(deleted_at IS NULL) = (position IS NOT NULL)', name=op.f('ck_lessons_placed')),
    sa.CheckConstraint('duration_seconds > 0', name=op.f('ck_lessons_duration_seconds')),
    sa.CheckConstraint('estimated_minutes > 0', name=op.f('ck_lessons_estimated_minutes')),
    sa.CheckConstraint('num_nonnulls(content, content_markdown) <= 1', name=op.f('ck_lessons_one_content')),
    sa.CheckConstraint('position >= 0', name=op.f('ck_lessons_position')),
    sa.ForeignKeyConstraint(['module_id'], ['learning.modules.id'], name=op.f('fk_lessons_module_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['topic_id'], ['learning.topics.id'], name=op.f('fk_lessons_topic_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lessons')),
    sa.UniqueConstraint('module_id', 'position', deferrable=True, initially='DEFERRED', name=op.f('uq_lessons_module_id_position')),
    schema='learning'
    )
    op.create_index(op.f('ix_lessons_mux_asset_id'), 'lessons', ['mux_asset_id'], unique=True, schema='learning')
    op.create_index(op.f('ix_lessons_mux_upload_id'), 'lessons', ['mux_upload_id'], unique=True, schema='learning')
    op.create_index(op.f('ix_lessons_search'), 'lessons', ['search'], unique=False, schema='learning', postgresql_using='gin')
    op.create_index(op.f('ix_lessons_topic_id'), 'lessons', ['topic_id'], unique=False, schema='learning')
    op.create_index('uq_lessons_module_id_slug', 'lessons', ['module_id', 'slug'], unique=True, schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('module_items',
    sa.Column('item_id', sa.Uuid(), nullable=False),
    sa.Column('module_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('position', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('published', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind <> 'LESSON'", name=op.f('ck_module_items_of_a_floor_above')),
    sa.CheckConstraint("kind IN ('LESSON', 'QUIZ', 'ASSIGNMENT')", name=op.f('ck_module_items_kind')),
    sa.ForeignKeyConstraint(['module_id'], ['learning.modules.id'], name=op.f('fk_module_items_module_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('item_id', name=op.f('pk_module_items')),
    schema='learning'
    )
    op.create_index(op.f('ix_module_items_module_id_position'), 'module_items', ['module_id', 'position'], unique=False, schema='learning')
    op.create_table('module_progress',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('module_id', sa.Uuid(), nullable=False),
    sa.Column('status', sa.Text(), server_default='NOT_STARTED', nullable=False),
    sa.Column('progress_percent', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('started_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('completed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('last_accessed_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(status = 'COMPLETED') = (completed_at IS NOT NULL)", name=op.f('ck_module_progress_completed_at')),
    sa.CheckConstraint("status IN ('NOT_STARTED', 'IN_PROGRESS', 'COMPLETED')", name=op.f('ck_module_progress_status')),
    sa.CheckConstraint('progress_percent BETWEEN 0 AND 100', name=op.f('ck_module_progress_progress_percent')),
    sa.ForeignKeyConstraint(['module_id'], ['learning.modules.id'], name=op.f('fk_module_progress_module_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_module_progress_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_module_progress')),
    sa.UniqueConstraint('user_id', 'module_id', name=op.f('uq_module_progress_user_id_module_id')),
    schema='learning'
    )
    op.create_index(op.f('ix_module_progress_module_id'), 'module_progress', ['module_id'], unique=False, schema='learning')
    op.create_table('quizzes',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('course_id', sa.Uuid(), nullable=False),
    sa.Column('module_id', sa.Uuid(), nullable=True),
    sa.Column('topic_id', sa.Uuid(), nullable=True),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('passing_score', sa.SmallInteger(), server_default='70', nullable=False),
    sa.Column('time_limit_minutes', sa.SmallInteger(), nullable=True),
    sa.Column('max_attempts', sa.SmallInteger(), nullable=True),
    sa.Column('attempt_policy', sa.Text(), server_default='BEST', nullable=False),
    sa.Column('question_count', sa.SmallInteger(), nullable=True),
    sa.Column('shuffle_questions', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('shuffle_options', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('negative_marking', sa.Numeric(precision=3, scale=2), server_default='0', nullable=False),
    sa.Column('published', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('generated_by_ai', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deleted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.CheckConstraint("attempt_policy IN ('BEST', 'LAST')", name=op.f('ck_quizzes_attempt_policy')),
    sa.CheckConstraint('max_attempts > 0', name=op.f('ck_quizzes_max_attempts')),
    sa.CheckConstraint('negative_marking BETWEEN 0 AND 1', name=op.f('ck_quizzes_negative_marking')),
    sa.CheckConstraint('num_nonnulls(module_id, topic_id) >= 1', name=op.f('ck_quizzes_somewhere')),
    sa.CheckConstraint('passing_score BETWEEN 0 AND 100', name=op.f('ck_quizzes_passing_score')),
    sa.CheckConstraint('question_count > 0', name=op.f('ck_quizzes_question_count')),
    sa.CheckConstraint('time_limit_minutes BETWEEN 1 AND 1440', name=op.f('ck_quizzes_time_limit_minutes')),
    sa.ForeignKeyConstraint(['course_id'], ['learning.courses.id'], name=op.f('fk_quizzes_course_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['module_id'], ['learning.modules.id'], name=op.f('fk_quizzes_module_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['topic_id'], ['learning.topics.id'], name=op.f('fk_quizzes_topic_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quizzes')),
    schema='learning'
    )
    op.create_index(op.f('ix_quizzes_course_id'), 'quizzes', ['course_id'], unique=False, schema='learning')
    op.create_index(op.f('ix_quizzes_module_id'), 'quizzes', ['module_id'], unique=False, schema='learning')
    op.create_index(op.f('ix_quizzes_topic_id'), 'quizzes', ['topic_id'], unique=False, schema='learning')
    op.create_index('uq_quizzes_course_id_slug', 'quizzes', ['course_id', 'slug'], unique=True, schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.create_table('assets',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('lesson_id', sa.Uuid(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('file_name', sa.Text(), nullable=False),
    sa.Column('storage_key', sa.Text(), nullable=False),
    sa.Column('file_size', sa.BigInteger(), nullable=False),
    sa.Column('mime_type', sa.Text(), nullable=False),
    sa.Column('position', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('status', sa.Text(), server_default='PENDING', nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("status IN ('PENDING', 'READY', 'DELETED')", name=op.f('ck_assets_status')),
    sa.CheckConstraint('file_size > 0', name=op.f('ck_assets_file_size')),
    sa.ForeignKeyConstraint(['lesson_id'], ['learning.lessons.id'], name=op.f('fk_assets_lesson_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assets')),
    sa.UniqueConstraint('storage_key', name=op.f('uq_assets_storage_key')),
    schema='learning'
    )
    op.create_index(op.f('ix_assets_lesson_id_position'), 'assets', ['lesson_id', 'position'], unique=False, schema='learning')
    op.create_table('video_uploads',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('lesson_id', sa.Uuid(), nullable=False),
    sa.Column('mux_upload_id', sa.Text(), nullable=True),
    sa.Column('mux_asset_id', sa.Text(), nullable=True),
    sa.Column('url', sa.Text(), nullable=True),
    sa.Column('expires_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('dropped_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('cleared_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['lesson_id'], ['learning.lessons.id'], name=op.f('fk_video_uploads_lesson_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_video_uploads')),
    sa.UniqueConstraint('mux_asset_id', name=op.f('uq_video_uploads_mux_asset_id')),
    sa.UniqueConstraint('mux_upload_id', name=op.f('uq_video_uploads_mux_upload_id')),
    schema='learning'
    )
    op.create_index(op.f('ix_video_uploads_dropped_at'), 'video_uploads', ['dropped_at'], unique=False, schema='learning', postgresql_where=sa.text('dropped_at IS NOT NULL AND cleared_at IS NULL'))
    op.create_index(op.f('ix_video_uploads_lesson_id'), 'video_uploads', ['lesson_id'], unique=False, schema='learning')
    op.create_index('uq_video_uploads_lesson_id_current', 'video_uploads', ['lesson_id'], unique=True, schema='learning', postgresql_where=sa.text('dropped_at IS NULL'))
    op.create_table('lesson_progress',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('lesson_id', sa.Uuid(), nullable=False),
    sa.Column('completed', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('completed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('view_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_viewed_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('position_seconds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('position_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('watched', postgresql.INT4MULTIRANGE(), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('watched_seconds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('heartbeat_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('completed = (completed_at IS NOT NULL)', name=op.f('ck_lesson_progress_completed_at')),
    sa.CheckConstraint('position_seconds >= 0', name=op.f('ck_lesson_progress_position_seconds')),
    sa.CheckConstraint('view_count >= 0', name=op.f('ck_lesson_progress_view_count')),
    sa.CheckConstraint('watched_seconds >= 0', name=op.f('ck_lesson_progress_watched_seconds')),
    sa.ForeignKeyConstraint(['lesson_id'], ['learning.lessons.id'], name=op.f('fk_lesson_progress_lesson_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_lesson_progress_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_lesson_progress')),
    sa.UniqueConstraint('user_id', 'lesson_id', name=op.f('uq_lesson_progress_user_id_lesson_id')),
    schema='learning'
    )
    op.create_index(op.f('ix_lesson_progress_lesson_id'), 'lesson_progress', ['lesson_id'], unique=False, schema='learning')
    op.create_index(op.f('ix_lesson_progress_user_id_last_viewed_at'), 'lesson_progress', ['user_id', 'last_viewed_at'], unique=False, schema='learning')
    op.create_table('notes',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('lesson_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('body', sa.Text(), server_default='', nullable=False),
    sa.Column('position_seconds', sa.Integer(), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("kind = 'BOOKMARK' OR body <> ''", name=op.f('ck_notes_body')),
    sa.CheckConstraint("kind IN ('NOTE', 'BOOKMARK')", name=op.f('ck_notes_kind')),
    sa.CheckConstraint('position_seconds >= 0', name=op.f('ck_notes_position_seconds')),
    sa.ForeignKeyConstraint(['lesson_id'], ['learning.lessons.id'], name=op.f('fk_notes_lesson_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_notes_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notes')),
    schema='learning'
    )
    op.create_index(op.f('ix_notes_lesson_id'), 'notes', ['lesson_id'], unique=False, schema='learning')
    op.create_index(op.f('ix_notes_user_id_lesson_id'), 'notes', ['user_id', 'lesson_id'], unique=False, schema='learning')
    op.create_table('quiz_attempts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('quiz_id', sa.Uuid(), nullable=False),
    sa.Column('attempt_number', sa.SmallInteger(), nullable=False),
    sa.Column('status', sa.Text(), server_default='IN_PROGRESS', nullable=False),
    sa.Column('form', postgresql.JSONB(), nullable=False),
    sa.Column('rules', postgresql.JSONB(), nullable=False),
    sa.Column('started_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('deadline_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('submitted_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('score_points', sa.Numeric(precision=9, scale=4), nullable=True),
    sa.Column('max_points', sa.Integer(), nullable=False),
    sa.Column('score_percentage', sa.Numeric(precision=5, scale=2), nullable=True),
    sa.Column('passed', sa.Boolean(), nullable=True),
    sa.Column('xp_awarded', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("(status = 'SUBMITTED') = (score_percentage IS NOT NULL AND passed IS NOT NULL)", name=op.f('ck_quiz_attempts_scored')),
    sa.CheckConstraint("(status = 'SUBMITTED') = (submitted_at IS NOT NULL)", name=op.f('ck_quiz_attempts_submitted_at')),
    sa.CheckConstraint("status IN ('IN_PROGRESS', 'SUBMITTED')", name=op.f('ck_quiz_attempts_status')),
    sa.CheckConstraint('attempt_number > 0', name=op.f('ck_quiz_attempts_attempt_number')),
    sa.CheckConstraint('score_percentage BETWEEN 0 AND 100', name=op.f('ck_quiz_attempts_score_percentage')),
    sa.ForeignKeyConstraint(['quiz_id'], ['learning.quizzes.id'], name=op.f('fk_quiz_attempts_quiz_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['user_id'], ['auth.users.id'], name=op.f('fk_quiz_attempts_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quiz_attempts')),
    sa.UniqueConstraint('user_id', 'quiz_id', 'attempt_number', name=op.f('uq_quiz_attempts_user_id_quiz_id_attempt_number')),
    schema='learning'
    )
    op.create_index(op.f('ix_quiz_attempts_deadline_at'), 'quiz_attempts', ['deadline_at'], unique=False, schema='learning', postgresql_where=sa.text("status = 'IN_PROGRESS'"))
    op.create_index(op.f('ix_quiz_attempts_quiz_id_submitted_at'), 'quiz_attempts', ['quiz_id', 'submitted_at'], unique=False, schema='learning')
    op.create_index('uq_quiz_attempts_running', 'quiz_attempts', ['user_id', 'quiz_id'], unique=True, schema='learning', postgresql_where=sa.text("status = 'IN_PROGRESS'"))
    op.create_table('quiz_questions',
    sa.Column('quiz_id', sa.Uuid(), nullable=False),
    sa.Column('question_id', sa.Uuid(), nullable=False),
    sa.Column('position', sa.SmallInteger(), nullable=False),
    sa.Column('points', sa.SmallInteger(), server_default='1', nullable=False),
    sa.CheckConstraint('points > 0', name=op.f('ck_quiz_questions_points')),
    sa.ForeignKeyConstraint(['question_id'], ['learning.questions.id'], name=op.f('fk_quiz_questions_question_id'), ondelete='RESTRICT'),
    sa.ForeignKeyConstraint(['quiz_id'], ['learning.quizzes.id'], name=op.f('fk_quiz_questions_quiz_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('quiz_id', 'question_id', name=op.f('pk_quiz_questions')),
    sa.UniqueConstraint('quiz_id', 'position', deferrable=True, initially='DEFERRED', name=op.f('uq_quiz_questions_quiz_id_position')),
    schema='learning'
    )
    op.create_index(op.f('ix_quiz_questions_question_id'), 'quiz_questions', ['question_id'], unique=False, schema='learning')
    op.create_table('quiz_analyses',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('attempt_id', sa.Uuid(), nullable=False),
    sa.Column('analysis_type', sa.Text(), server_default='AI', nullable=False),
    sa.Column('performance_breakdown', postgresql.JSONB(), nullable=False),
    sa.Column('strong_topics', sa.ARRAY(sa.Text()), nullable=False),
    sa.Column('weak_topics', sa.ARRAY(sa.Text()), nullable=False),
    sa.Column('recommendations', postgresql.JSONB(), nullable=False),
    sa.Column('insights', sa.Text(), nullable=True),
    sa.Column('avg_time_per_question', sa.Integer(), nullable=True),
    sa.Column('time_management', sa.Text(), nullable=True),
    sa.Column('time_management_rule', sa.Text(), nullable=True),
    sa.Column('ai_model', sa.Text(), nullable=True),
    sa.Column('analyzed_by', sa.Uuid(), nullable=True),
    sa.Column('analyzed_at', postgresql.TIMESTAMP(timezone=True), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint("analysis_type = 'AI' OR (analyzed_by IS NOT NULL AND analyzed_at IS NOT NULL)", name=op.f('ck_quiz_analyses_analyzed_by')),
    sa.CheckConstraint("analysis_type IN ('AI', 'MANUAL', 'HYBRID')", name=op.f('ck_quiz_analyses_analysis_type')),
    sa.ForeignKeyConstraint(['attempt_id'], ['learning.quiz_attempts.id'], name=op.f('fk_quiz_analyses_attempt_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quiz_analyses')),
    sa.UniqueConstraint('attempt_id', name=op.f('uq_quiz_analyses_attempt_id')),
    schema='learning'
    )
    op.create_table('quiz_answers',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('attempt_id', sa.Uuid(), nullable=False),
    sa.Column('question_id', sa.Uuid(), nullable=False),
    sa.Column('response', postgresql.JSONB(), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=False),
    sa.Column('time_spent_seconds', sa.Integer(), server_default='0', nullable=False),
    sa.Column('answered_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('is_correct', sa.Boolean(), nullable=True),
    sa.Column('points_awarded', sa.Numeric(precision=7, scale=4), nullable=True),
    sa.Column('created_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('updated_at', postgresql.TIMESTAMP(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.CheckConstraint('revision > 0', name=op.f('ck_quiz_answers_revision')),
    sa.CheckConstraint('time_spent_seconds >= 0', name=op.f('ck_quiz_answers_time_spent_seconds')),
    sa.ForeignKeyConstraint(['attempt_id'], ['learning.quiz_attempts.id'], name=op.f('fk_quiz_answers_attempt_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['question_id'], ['learning.questions.id'], name=op.f('fk_quiz_answers_question_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quiz_answers')),
    sa.UniqueConstraint('attempt_id', 'question_id', name=op.f('uq_quiz_answers_attempt_id_question_id')),
    schema='learning'
    )
    op.create_index(op.f('ix_quiz_answers_question_id'), 'quiz_answers', ['question_id'], unique=False, schema='learning')
    op.add_column('courses', sa.Column('syllabus', sa.Text(), nullable=True), schema='learning')
    op.add_column('courses', sa.Column('position', sa.SmallInteger(), server_default='0', nullable=False), schema='learning')
    op.add_column('courses', sa.Column('published', sa.Boolean(), server_default=sa.text('false'), nullable=False), schema='learning')
    op.execute("UPDATE learning.courses SET published = is_active")


def downgrade() -> None:
    op.drop_column('courses', 'published', schema='learning')
    op.drop_column('courses', 'position', schema='learning')
    op.drop_column('courses', 'syllabus', schema='learning')
    op.drop_index(op.f('ix_quiz_answers_question_id'), table_name='quiz_answers', schema='learning')
    op.drop_table('quiz_answers', schema='learning')
    op.drop_table('quiz_analyses', schema='learning')
    op.drop_index(op.f('ix_quiz_questions_question_id'), table_name='quiz_questions', schema='learning')
    op.drop_table('quiz_questions', schema='learning')
    op.drop_index('uq_quiz_attempts_running', table_name='quiz_attempts', schema='learning', postgresql_where=sa.text("status = 'IN_PROGRESS'"))
    op.drop_index(op.f('ix_quiz_attempts_quiz_id_submitted_at'), table_name='quiz_attempts', schema='learning')
    op.drop_index(op.f('ix_quiz_attempts_deadline_at'), table_name='quiz_attempts', schema='learning', postgresql_where=sa.text("status = 'IN_PROGRESS'"))
    op.drop_table('quiz_attempts', schema='learning')
    op.drop_index(op.f('ix_notes_user_id_lesson_id'), table_name='notes', schema='learning')
    op.drop_index(op.f('ix_notes_lesson_id'), table_name='notes', schema='learning')
    op.drop_table('notes', schema='learning')
    op.drop_index(op.f('ix_lesson_progress_user_id_last_viewed_at'), table_name='lesson_progress', schema='learning')
    op.drop_index(op.f('ix_lesson_progress_lesson_id'), table_name='lesson_progress', schema='learning')
    op.drop_table('lesson_progress', schema='learning')
    op.drop_index('uq_video_uploads_lesson_id_current', table_name='video_uploads', schema='learning', postgresql_where=sa.text('dropped_at IS NULL'))
    op.drop_index(op.f('ix_video_uploads_lesson_id'), table_name='video_uploads', schema='learning')
    op.drop_index(op.f('ix_video_uploads_dropped_at'), table_name='video_uploads', schema='learning', postgresql_where=sa.text('dropped_at IS NOT NULL AND cleared_at IS NULL'))
    op.drop_table('video_uploads', schema='learning')
    op.drop_index(op.f('ix_assets_lesson_id_position'), table_name='assets', schema='learning')
    op.drop_table('assets', schema='learning')
    op.drop_index('uq_quizzes_course_id_slug', table_name='quizzes', schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index(op.f('ix_quizzes_course_id'), table_name='quizzes', schema='learning')
    op.drop_index(op.f('ix_quizzes_topic_id'), table_name='quizzes', schema='learning')
    op.drop_index(op.f('ix_quizzes_module_id'), table_name='quizzes', schema='learning')
    op.drop_table('quizzes', schema='learning')
    op.drop_index(op.f('ix_module_progress_module_id'), table_name='module_progress', schema='learning')
    op.drop_table('module_progress', schema='learning')
    op.drop_index(op.f('ix_module_items_module_id_position'), table_name='module_items', schema='learning')
    op.drop_table('module_items', schema='learning')
    op.drop_index('uq_lessons_module_id_slug', table_name='lessons', schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_index(op.f('ix_lessons_topic_id'), table_name='lessons', schema='learning')
    op.drop_index(op.f('ix_lessons_search'), table_name='lessons', schema='learning', postgresql_using='gin')
    op.drop_index(op.f('ix_lessons_mux_upload_id'), table_name='lessons', schema='learning')
    op.drop_index(op.f('ix_lessons_mux_asset_id'), table_name='lessons', schema='learning')
    op.drop_table('lessons', schema='learning')
    op.drop_index(op.f('ix_item_completions_user_id_module_id'), table_name='item_completions', schema='learning')
    op.drop_index(op.f('ix_item_completions_module_id_kind'), table_name='item_completions', schema='learning')
    op.drop_table('item_completions', schema='learning')
    op.drop_index('uq_modules_course_id_slug', table_name='modules', schema='learning', postgresql_where=sa.text('deleted_at IS NULL'))
    op.drop_table('modules', schema='learning')
    op.drop_index(op.f('ix_enrollments_course_id_status'), table_name='enrollments', schema='learning')
    op.drop_table('enrollments', schema='learning')
    op.drop_index(op.f('ix_course_prerequisites_required_course_id'), table_name='course_prerequisites', schema='learning')
    op.drop_table('course_prerequisites', schema='learning')
    op.drop_index('uq_certificates_user_id_course_id', table_name='certificates', schema='learning', postgresql_where=sa.text('revoked_at IS NULL'))
    op.drop_index(op.f('ix_certificates_user_id_id'), table_name='certificates', schema='learning')
    op.drop_index(op.f('ix_certificates_course_id'), table_name='certificates', schema='learning')
    op.drop_table('certificates', schema='learning')
    op.drop_index(op.f('ix_mux_events_received_at'), table_name='mux_events', schema='learning', postgresql_where=sa.text('processed_at IS NULL'))
    op.drop_index(op.f('ix_mux_events_object_id'), table_name='mux_events', schema='learning', postgresql_where=sa.text("outcome = 'unknown'"))
    op.drop_table('mux_events', schema='learning')
