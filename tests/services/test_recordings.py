"""Storing recordings of a licensed wording: all or none, on record, never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from pro_app.core import sound
from pro_app.core.wording import Wording
from pro_app.models import AuditEntry, Recording, StoredLicence, StoredWording
from pro_app.services import recordings, studies
from pro_app.services.recordings import LARGEST, RecordingRefused
from tests.conftest import Run, Site
from tests.services import licensing
from tests.sounds import WAV, mp3, mp4, ogg


@pytest.fixture
def wording(site: Site) -> Wording:
    with site.database.writing() as session:
        return licensing.license_one(
            session, site.study, site.library, "lupusqol", "ta", site.clock()
        )


def add(site: Site, fingerprint: str, **files: bytes) -> None:
    """Store recordings by item; `instruction` is the instruction's."""
    named = {"" if name == "instruction" else name: one for name, one in files.items()}
    with site.database.writing() as session:
        recordings.add(session, fingerprint, named, "staff/1", site.clock())


def stored(site: Site) -> dict[str, str]:
    with site.database.reading() as session:
        rows = session.execute(sa.select(Recording.item, Recording.media_type))
        return {row.item: row.media_type for row in rows}


def in_force(site: Site) -> studies.CurrentStudy:
    with site.database.reading() as session:
        return studies.current(session, site.library, site.study.id)


def test_of_two_licences_at_once_the_one_that_is_seen_last_is_read(
    site: Site, wording: Wording
) -> None:
    """Ids are given before the rows are seen, and not in that order."""
    for number in (1_000, 500):
        with site.database.writing() as session:
            row = session.scalars(
                sa.select(StoredLicence).where(StoredLicence.id < number).limit(1)
            ).one()
            values = {one.name: getattr(row, one.name) for one in StoredLicence.__table__.columns}
            session.add(StoredLicence(**values | {"id": number}))
        assert number in {one.id for one in in_force(site).wordings.licences}


def test_recordings_are_stored_and_on_record(site: Site, wording: Wording) -> None:
    files = {"instruction": mp3("all"), "LQ01": mp3("one"), "LQ02": mp4(), "LQ03": ogg()}
    add(site, wording.fingerprint, **files)
    assert stored(site) == {"": sound.MP3, "LQ01": sound.MP3, "LQ02": sound.MP4, "LQ03": sound.OGG}
    hashes = {name: hashlib.sha256(one).hexdigest() for name, one in files.items()}
    with site.database.reading() as session:
        entry = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "record_wording")
        ).one()
        assert recordings.find(session, hashes["LQ02"]) == (sound.MP4, files["LQ02"])
        assert recordings.find(session, "0" * 64) is None
    assert (entry.actor, entry.stream) == ("staff/1", f"study/{site.study.id}")
    assert entry.detail == {
        "fingerprint": wording.fingerprint,
        "items": ["instruction", "LQ01", "LQ02", "LQ03"],
        "recordings": list(hashes.values()),
    }


def test_what_is_recorded_is_known_at_once(site: Site, wording: Wording) -> None:
    assert in_force(site).wordings.recordings == {}
    add(site, wording.fingerprint[:8], LQ01=mp3("one"))
    add(site, wording.fingerprint, LQ02=mp3("two"))
    found = in_force(site).wordings.recordings[wording.fingerprint]
    assert found == {
        name: hashlib.sha256(mp3(text)).hexdigest()
        for name, text in (("LQ01", "one"), ("LQ02", "two"))
    }


@pytest.mark.parametrize(
    ("files", "code", "items"),
    [
        ({}, "none", ()),
        ({"LQ01": mp3("one"), "SF01": mp3("two")}, "item", ("SF01",)),
        ({"LQ01": mp3("one"), "LQ02": b"text"}, "kind", ("LQ02",)),
        ({"LQ01": mp3("one"), "LQ02": b""}, "kind", ("LQ02",)),
        ({"LQ01": WAV}, "wav", ("LQ01",)),
        ({"LQ01": WAV + bytes(LARGEST)}, "wav", ("LQ01",)),
        ({"LQ01": mp3("one") + bytes(LARGEST)}, "large", ("LQ01",)),
        ({"LQ01": mp3("one"), "LQ02": mp3("one")}, "same", ("LQ01", "LQ02")),
        ({f"LQ{n:02}": mp3(f"{n}") + bytes(LARGEST - 9_000) for n in range(1, 22)}, "total", ()),
    ],
)
def test_faulty_recordings_are_refused_all_together(
    site: Site, wording: Wording, files: dict[str, bytes], code: str, items: tuple[str, ...]
) -> None:
    with pytest.raises(RecordingRefused) as refusal:
        add(site, wording.fingerprint, **files)
    assert (refusal.value.code, refusal.value.items) == (code, items)
    assert stored(site) == {}


def test_a_recording_never_changes(site: Site, wording: Wording) -> None:
    add(site, wording.fingerprint, LQ01=mp3("one"))
    with pytest.raises(RecordingRefused, match="new version of the wording") as refusal:
        add(site, wording.fingerprint, LQ01=mp3("again"), LQ02=mp3("two"))
    assert (refusal.value.code, refusal.value.items) == ("taken", ("LQ01",))
    assert stored(site) == {"LQ01": sound.MP3}


def test_what_is_there_already_counts_towards_the_whole(site: Site, wording: Wording) -> None:
    large = bytes(LARGEST - 9_000)
    add(site, wording.fingerprint, **{f"LQ{n:02}": mp3(f"{n}") + large for n in range(1, 21)})
    with pytest.raises(RecordingRefused) as refusal:
        add(site, wording.fingerprint, LQ21=mp3("21") + large)
    assert refusal.value.code == "total"


@pytest.mark.parametrize("name", ["shipped", "short", "none", "%"])
def test_only_a_stored_wording_has_recordings(site: Site, wording: Wording, name: str) -> None:
    shipped = site.library.wording("lupusqol", "ta")
    assert shipped is not None
    fingerprint = {
        "shipped": shipped.fingerprint,
        "short": wording.fingerprint[:7],
        "none": "0" * 64,
        "%": "%" * 8,
    }[name]
    with pytest.raises(RecordingRefused) as refusal:
        add(site, fingerprint, LQ01=mp3("one"))
    assert refusal.value.code == "unknown"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "voices"
    found.mkdir()
    (found / ".DS_Store").write_bytes(b"of the file manager")
    return found


@pytest.fixture
def fingerprint(loaded: Run, web_site: Site) -> Callable[[], str]:
    def license_one() -> str:
        with web_site.database.writing() as session:
            licensing.license_one(
                session, web_site.study, web_site.library, "lupusqol", "en", web_site.clock()
            )
            return session.scalars(sa.select(StoredWording.fingerprint)).one()

    return license_one


def test_a_folder_is_stored_at_the_command_line(
    loaded: Run, web_site: Site, folder: Path, fingerprint: Callable[[], str]
) -> None:
    (folder / "LQ01.mp3").write_bytes(mp3("one"))
    (folder / "instruction.ogg").write_bytes(ogg())
    found = loaded("wording record", folder, "--wording", fingerprint())
    assert "2 recordings stored" in found.output
    assert stored(web_site) == {"": sound.OGG, "LQ01": sound.MP3}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no recording"),
        ({"LQ01.mp3": mp3("one"), "LQ99.mp3": mp3("two")}, "has no item LQ99"),
        ({"LQ01.mp3": mp3("one"), "LQ01.m4a": mp4()}, "two files of LQ01"),
        ({"LQ01.mp3": WAV}, "LQ01 is a WAV file"),
        ({"LQ01.mp3": mp3("one") + bytes(2 * LARGEST)}, "larger than 1 MB"),
    ],
)
def test_a_faulty_folder_is_refused_at_the_command_line(
    loaded: Run,
    web_site: Site,
    folder: Path,
    fingerprint: Callable[[], str],
    files: dict[str, bytes],
    said: str,
) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    found = loaded("wording record", folder, "--wording", fingerprint(), code=1)
    assert said in found.output
    assert "nothing was stored" in found.output
    assert stored(web_site) == {}
