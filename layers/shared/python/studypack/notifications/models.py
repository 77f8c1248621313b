"""Every table of the `notifications` schema (notifications/tables, a module an aggregate)."""

from studypack.notifications.tables.decisions import (
    Broadcast,
    BroadcastStatus,
    EmailDecision,
    Verdict,
)
from studypack.notifications.tables.emails import (
    Delivery,
    EmailLog,
    EmailStatus,
    EmailTemplate,
    QueuedEmail,
)
from studypack.notifications.tables.in_app import Notification, NotificationType, Priority
from studypack.notifications.tables.suppressions import (
    Category,
    EmailSuppression,
    NotificationPreference,
    SuppressionReason,
)

__all__ = [
    "Broadcast",
    "BroadcastStatus",
    "Category",
    "Delivery",
    "EmailDecision",
    "EmailLog",
    "EmailStatus",
    "EmailSuppression",
    "EmailTemplate",
    "Notification",
    "NotificationPreference",
    "NotificationType",
    "Priority",
    "QueuedEmail",
    "SuppressionReason",
    "Verdict",
]
