"""Test participants apart from the people of a live study. Whoever was enrolled in a study that is
not live tries it."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

KEPT = "it is said at enrolment whether a participant is a test"
_NEWEST = sa.text(
    "SELECT study_id, definition FROM study_version AS one WHERE number = "
    "(SELECT max(number) FROM study_version AS other WHERE other.study_id = one.study_id)"
)


def upgrade() -> None:
    op.add_column(
        "participant",
        sa.Column("is_test", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    for study_id, content in op.get_bind().execute(_NEWEST).all():
        definition = json.loads(content) if isinstance(content, str) else content
        if definition["status"] != "live":
            own = sa.text("UPDATE participant SET is_test = :test WHERE study_id = :study")
            op.execute(own.bindparams(test=True, study=study_id))
    op.create_index("ix_participant_counted", "participant", ["study_id", "is_test", "number"])
    _keep()


def _keep() -> None:
    """Triggers that refuse to make a person of a test participant, or the other way round."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION keep_is_test() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{KEPT}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER keep_is_test BEFORE UPDATE ON participant FOR EACH ROW "
            "WHEN (NEW.is_test IS DISTINCT FROM OLD.is_test) EXECUTE FUNCTION keep_is_test()"
        )
    else:
        op.execute(
            "CREATE TRIGGER keep_is_test BEFORE UPDATE OF is_test ON participant "
            f"WHEN NEW.is_test IS NOT OLD.is_test BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
        )


def downgrade() -> None:
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.execute("DROP TRIGGER keep_is_test" + (" ON participant" if postgresql else ""))
    if postgresql:
        op.execute("DROP FUNCTION keep_is_test()")
    op.drop_index("ix_participant_counted", table_name="participant")
    op.execute("ALTER TABLE participant DROP COLUMN is_test")
