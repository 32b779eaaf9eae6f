"""Schedule and reminders."""

import sqlalchemy as sa
from alembic import op

from pro_app.migrations.append_only import make_append_only
from pro_app.models.database import Instant

revision = "0002"
down_revision = "0001"

INDEXES = (
    ("participant", "ix_participant_calendar_id"),
    ("participant", "ix_participant_scheduled_version"),
    ("assessment", "ix_assessment_unplanned"),
)
COLUMNS = (
    ("participant", "died_at"),
    ("participant", "paused_at"),
    ("participant", "reminder_minute"),
    ("participant", "scheduled_version"),
    ("participant", "calendar_id"),
    ("device", "permission"),
    ("device", "installed"),
    ("assessment", "scheduled"),
    ("assessment", "placed_at"),
    ("assessment", "cancelled_at"),
    ("assessment", "planned_at"),
)


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("cleared_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_table(
        "push_host",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=260), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_host")),
        sa.UniqueConstraint("host", name=op.f("uq_push_host_host")),
    )
    op.create_table(
        "anchor_date",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("anchor", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_anchor_date_participant_id_participant"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anchor_date")),
        sa.UniqueConstraint(
            "participant_id", "anchor", name=op.f("uq_anchor_date_participant_id_anchor")
        ),
    )
    op.create_table(
        "contact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.LargeBinary(), nullable=False),
        sa.Column("bounced_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_contact_participant_id_participant"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
        sa.UniqueConstraint("participant_id", name=op.f("uq_contact_participant_id")),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=22), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("accepted_at", Instant(), nullable=True),
        sa.Column("shown_at", Instant(), nullable=True),
        sa.Column("opened_at", Instant(), nullable=True),
        sa.CheckConstraint("channel IN ('push', 'email')", name=op.f("ck_message_channel")),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_message_participant_id_participant"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "participant_id", "channel", "day", name=op.f("uq_message_participant_id_channel_day")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_message_public_id")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.Integer(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_delivery_message_id_message")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_message_id"), ["message_id"], unique=False)

    op.create_table(
        "reminder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("planned_for", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("lease", sa.String(length=22), nullable=True),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('push', 'email', 'coordinator')", name=op.f("ck_reminder_channel")
        ),
        sa.CheckConstraint(
            "state IN ('planned', 'sent', 'listed', 'failed', 'cancelled', 'expired')",
            name=op.f("ck_reminder_state"),
        ),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessment.id"], name=op.f("fk_reminder_assessment_id_assessment")
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["message.id"], name=op.f("fk_reminder_message_id_message")
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_reminder_participant_id_participant"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reminder")),
        sa.UniqueConstraint(
            "assessment_id", "step", "channel", name=op.f("uq_reminder_assessment_id_step_channel")
        ),
    )
    with op.batch_alter_table("reminder", schema=None) as batch_op:
        batch_op.create_index(
            "ix_reminder_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("state = 'planned'"),
            postgresql_where=sa.text("state = 'planned'"),
        )
        batch_op.create_index(batch_op.f("ix_reminder_message_id"), ["message_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_reminder_participant_id"), ["participant_id"], unique=False
        )

    op.create_table(
        "subscription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("endpoint_hash", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=260), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("vapid_key", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.Column("accepted_at", Instant(), nullable=True),
        sa.Column("gone_at", Instant(), nullable=True),
        sa.CheckConstraint(
            "state IN ('active', 'gone', 'off')", name=op.f("ck_subscription_state")
        ),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_subscription_device_id_device")
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"],
            ["participant.id"],
            name=op.f("fk_subscription_participant_id_participant"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("endpoint_hash", name=op.f("uq_subscription_endpoint_hash")),
    )
    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_subscription_device_id"), ["device_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_subscription_participant_id"), ["participant_id"], unique=False
        )

    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("scheduled", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        batch_op.add_column(sa.Column("placed_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("cancelled_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("planned_at", Instant(), nullable=True))
        batch_op.create_index(
            "ix_assessment_unplanned",
            ["opens_at"],
            unique=False,
            sqlite_where=sa.text("planned_at IS NULL AND cancelled_at IS NULL"),
            postgresql_where=sa.text("planned_at IS NULL AND cancelled_at IS NULL"),
        )

    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.add_column(sa.Column("permission", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("installed", sa.Boolean(), nullable=True))

    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("died_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("paused_at", Instant(), nullable=True))
        batch_op.add_column(sa.Column("reminder_minute", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("scheduled_version", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("calendar_id", sa.String(length=22), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_participant_scheduled_version"), ["scheduled_version"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_participant_calendar_id"), ["calendar_id"], unique=True
        )

    make_append_only("delivery")


def downgrade() -> None:
    for table in ("subscription", "reminder", "delivery", "message", "contact", "anchor_date",
                  "push_host", "alarm"):  # fmt: skip
        op.drop_table(table)
    for table, index in INDEXES:
        op.drop_index(index, table)
    for table, column in COLUMNS:  # by hand: a batch would make SQLite's tables anew, with FKs on
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
