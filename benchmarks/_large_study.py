"""A large study in a database of either kind, half way through, for benchmarks that read it.

The demonstration's calendar cut to ten visits of two instruments. People enrol over two years and
sites have a hundred each; nine of ten join, most answer, some begin only, some withdraw. The
database's own statements make the rows, from one table of windows by day of enrolment.
"""

from __future__ import annotations

import copy
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pro_app.config import ROOT
from pro_app.core.library import Library
from pro_app.core.schedule import ENROLMENT
from pro_app.core.study_file import read_study_file
from pro_app.models import Database, Instant
from pro_app.services import studies
from pro_app.services.studies import CurrentStudy

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TIMEPOINTS = 10
OF_SITE = 100
COHORTS = 730  # days over which people enrol
FIRST_DAY = date(2025, 5, 1)
STUDY_FILE = ROOT / "pro_app" / "demo" / "study.toml"
TEXT = "x" * 300  # stands for the sealed answers: their width, not their words

WINDOWS = sa.table(
    "large_window",
    sa.column("cohort", sa.Integer),
    sa.column("place", sa.Integer),
    sa.column("timepoint", sa.String),
    sa.column("opens_at", Instant),
    sa.column("due_at", Instant),
    sa.column("closes_at", Instant),
)
MAKE = """
CREATE TABLE large_window (cohort INTEGER, place INTEGER, timepoint VARCHAR(40),
    opens_at {moment}, due_at {moment}, closes_at {moment})
"""
# what participant (p), window (w) and instrument (i) say in place of chance
CHANCE = "((p.id * 7919 + w.place * 104729 + i.place * 31) % 100)"
FILL = (
    """
INSERT INTO participant (id, public_id, study_id, site_id, number, language, text_size,
    created_at, withdrawn_at, paused_at)
SELECT n, 'p' || n, 1, 1 + (n - 1) / {of_site},
    substr('000000' || n, length('000000' || n) - 5, 6),
    CASE n % 4 WHEN 0 THEN 'ms' WHEN 1 THEN 'en' WHEN 2 THEN 'ta' ELSE 'zh_Hans' END, 0, :early,
    CASE WHEN n % 50 = 0 THEN :lately END, CASE WHEN n % 40 = 7 THEN :lately END
FROM (WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < :count)
    SELECT n FROM counted) AS numbered
""",
    """
INSERT INTO assessment (id, public_id, participant_id, timepoint, occurrence, instrument, place,
    opens_at, due_at, closes_at, created_at, scheduled, placed_at, planned_at, sealed_late)
SELECT p.id * 20 + w.place * 2 + i.place, 'a' || (p.id * 20 + w.place * 2 + i.place), p.id,
    w.timepoint, 1, i.instrument, i.place, w.opens_at, w.due_at, w.closes_at, :early, {true},
    :early, CASE WHEN w.opens_at < :now THEN :now END,
    CASE WHEN w.due_at < :now AND {chance} < 80 AND p.withdrawn_at IS NULL THEN {chance} >= 75 END
FROM participant AS p JOIN large_window AS w ON w.cohort = p.id * 37 % {cohorts}
CROSS JOIN (SELECT 'lupusqol' AS instrument, 1 AS place UNION ALL SELECT 'sf36v1', 2) AS i
""",
    """
INSERT INTO submission (assessment_id, receipt, started_at, completed_at, submitted_at, late,
    answers, instrument_fingerprint, study_version, mode)
SELECT i.id, 'r', i.opens_at, i.due_at, i.due_at, i.sealed_late, '"{text}"', 'f', 1, 'own_phone'
FROM assessment AS i WHERE i.sealed_late IS NOT NULL
""",
    """
INSERT INTO answer (operation, assessment_id, item, state, code, standing, prompted, answered_at,
    received_at, language, wording, mode, originator, read_aloud)
SELECT 'o' || i.id, i.id, 'LQ01', 'answered', 1, 'in_time', {false}, i.opens_at, i.opens_at, 'ms',
    'w', 'own_phone', 'participant', {false}
FROM assessment AS i LEFT JOIN submission AS s ON s.assessment_id = i.id
WHERE i.opens_at < :now AND (s.id IS NOT NULL OR i.participant_id % 6 = 0)
""",
    """
INSERT INTO device (id, participant_id, token_hash, pin_failures, created_at, used_at, permission,
    joined_by, shared, unsent, unsent_at, journal)
SELECT p.id, p.id, 't' || p.id, 0, :early, :lately,
    CASE p.id % 7 WHEN 0 THEN 'denied' WHEN 1 THEN 'default' ELSE 'granted' END, 'code', {false},
    CASE WHEN p.id % 60 = 1 THEN 5 ELSE 0 END, CASE WHEN p.id % 60 = 1 THEN :lately END,
    'j' || p.id
FROM participant AS p WHERE p.id % 10 <> 3
""",
    """
INSERT INTO subscription (participant_id, device_id, endpoint_hash, host, secret, vapid_key, state,
    created_at, seen_at, gone_at)
SELECT d.participant_id, d.id, 'e' || d.id, 'push.example.org', {blob}, 'key',
    CASE WHEN d.id % 9 = 0 THEN 'gone' ELSE 'active' END, :early, :early,
    CASE WHEN d.id % 9 = 0 THEN :lately END
FROM device AS d WHERE d.permission = 'granted'
""",
    """
INSERT INTO contact (participant_id, email, bounced_at, created_at)
SELECT p.id, {blob}, CASE WHEN p.id % 45 = 0 THEN :lately END, :early FROM participant AS p
WHERE p.id % 3 = 0
""",
    """
INSERT INTO joining_code (participant_id, kind, code_hash, created_at, expires_at)
SELECT p.id, 'joining', 'c' || p.id, :lately, :late FROM participant AS p WHERE p.id % 10 = 3
""",
    """
INSERT INTO joining_code (participant_id, kind, code_hash, created_at, expires_at, used_at)
SELECT d.participant_id, 'joining', 'u' || d.id, :early, :lately, :early FROM device AS d
""",
    """
INSERT INTO code_request (participant_id, requested_at, handled_at)
SELECT p.id, :lately, CASE WHEN p.id % 200 <> 0 THEN :now END FROM participant AS p
WHERE p.id % 20 = 0
""",
    """
INSERT INTO message (public_id, participant_id, channel, day, created_at, accepted_at, opened_at)
SELECT 'm' || p.id, p.id, 'push', NULL, :lately, :lately,
    CASE WHEN p.id % 2 = 0 THEN :lately END
FROM participant AS p WHERE p.id % 5 <> 4
""",
    """
INSERT INTO reminder (assessment_id, participant_id, step, channel, state, planned_for, due_at,
    expires_at, attempts, message_id, sent_at, created_at)
SELECT a.id, a.participant_id, 'opening', 'push', 'sent', a.opens_at, a.opens_at, a.closes_at, 1,
    m.id, a.opens_at, a.opens_at
FROM assessment AS a LEFT JOIN message AS m ON m.participant_id = a.participant_id
WHERE a.opens_at < :now
""",
    """
INSERT INTO reminder (assessment_id, participant_id, step, channel, state, planned_for, due_at,
    expires_at, attempts, sent_at, created_at)
SELECT a.id, a.participant_id, 'call', 'coordinator', 'listed', a.due_at, a.due_at, a.closes_at, 1,
    a.due_at, a.opens_at
FROM assessment AS a LEFT JOIN submission AS s ON s.assessment_id = a.id
WHERE a.due_at < :now AND s.id IS NULL AND a.participant_id % 4 = 0
""",
)


def fill(database: Database, library: Library, count: int) -> CurrentStudy:
    """A study with `count` participants in a migrated, empty database, and its statistics."""
    with database.writing() as session:
        study = studies.load(session, library, _content(library, count), NOW)
    postgresql = database.engine.dialect.name == "postgresql"
    words = {
        "moment": "TIMESTAMP WITH TIME ZONE" if postgresql else "DATETIME",
        "blob": "CAST('x' AS BYTEA)" if postgresql else "X'00'",
        "of_site": OF_SITE,
        "cohorts": COHORTS,
        "true": "TRUE",
        "false": "FALSE",
        "chance": CHANCE,
        "text": TEXT,
    }
    moments = {
        "early": NOW - timedelta(days=700),
        "lately": NOW - timedelta(days=2),
        "late": NOW + timedelta(days=1),
        "now": NOW,
    }
    values: dict[str, Any] = {**moments, "count": count}
    with database.writing() as session:
        session.execute(sa.text(MAKE.format(**words)))
        session.execute(sa.insert(WINDOWS), _windows(study))
        for statement in FILL:
            names = set(re.findall(r":(\w+)", statement))
            typed = [sa.bindparam(name, type_=Instant()) for name in names & moments.keys()]
            filled = sa.text(statement.format(**words)).bindparams(*typed)
            session.execute(filled, {name: values[name] for name in names})
        session.execute(sa.text("DROP TABLE large_window"))
    if postgresql:  # which does so by itself within minutes; SQLite never does
        with database.engine.connect() as connection:
            settled = connection.execution_options(isolation_level="AUTOCOMMIT")
            settled.execute(sa.text("VACUUM ANALYZE"))
    return study


def _content(library: Library, count: int) -> dict[str, Any]:
    content: dict[str, Any] = copy.deepcopy(read_study_file(STUDY_FILE, library.instruments))
    content["timepoints"] = [one for one in content["timepoints"] if one["code"] != "unscheduled"]
    for one in content["timepoints"]:
        if "repeat" in one:
            one["repeat"] = {"every": {"months": 12}, "times": 1}
    assert len(content["timepoints"]) == TIMEPOINTS
    sites = range(1, 1 + (count + OF_SITE - 1) // OF_SITE)
    content["sites"] = [{"code": f"{n:04}", "name": f"Site {n}"} for n in sites]
    return content


def _windows(study: CurrentStudy) -> list[dict[str, Any]]:
    """Each timepoint's window for people who enrol on each of the days; infusion follows after
    two weeks."""
    found = []
    for cohort in range(COHORTS):
        enrolled = FIRST_DAY + timedelta(days=cohort)
        for place, timepoint in enumerate(study.definition.timepoints):
            later = 0 if timepoint.anchor == ENROLMENT else 14
            due = next(iter(timepoint.due_days(enrolled + timedelta(days=later))))
            window = timepoint.window(due, study.definition.zone)
            found.append(
                {
                    "cohort": cohort,
                    "place": place,
                    "timepoint": timepoint.code,
                    "opens_at": window.opens_at,
                    "due_at": window.due_at,
                    "closes_at": window.closes_at,
                }
            )
    return found
