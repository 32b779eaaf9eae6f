"""Telling sounds by their content."""

from __future__ import annotations

import pytest

from pro_app.core import sound
from tests.sounds import FRAME, WAV, box, mp3, mp4, ogg


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (mp3("LQ01"), sound.MP3),
        (FRAME * 3, sound.MP3),
        ((bytes.fromhex("fff340c4") + bytes(100)) * 3, sound.MP3),  # MPEG 2, 22.05 kHz
        (mp4(), sound.MP4),
        (mp4(b"mp42"), sound.MP4),
        (ogg(), sound.OGG),
        (WAV, sound.WAV),
    ],
)
def test_what_phones_play_is_known(content: bytes, kind: str) -> None:
    assert sound.kind(content) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ID3",
        b"<html>" * 100,
        mp3("LQ01")[:-1][: len(FRAME) * 2],  # cut short
        FRAME * 2 + b"\0" * len(FRAME),
        (bytes.fromhex("fffd10c4") + bytes(100)) * 3,  # layer II
        (bytes.fromhex("fff150800c9ffc") + bytes(93)) * 3,  # bare AAC
        mp4(b"isom"),
        mp4(track=b"vide"),
        mp4()[:-1],
        mp4() + box(b"moov", box(b"hdlr", bytes(8) + b"vide" + bytes(12))),
        ogg(b"\x01vorbis."),
        ogg()[:20],
        b"\x1aE\xdf\xa3" + bytes(100),  # WebM
        b"fLaC" + bytes(100),
    ],
)
def test_anything_else_is_no_sound_for_phones(content: bytes) -> None:
    assert sound.kind(content) is None
