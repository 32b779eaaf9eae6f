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
        ((bytes.fromhex("fffb12c4") + bytes(101)) * 3, sound.MP3),  # padded frames
        (b"ID3\x03\0\0\0\0\x01\x48" + bytes(200) + FRAME * 3, sound.MP3),  # sevens of bits
        (mp4(), sound.MP4),
        (mp4(b"mp42"), sound.MP4),
        (ogg(), sound.OGG),
        (ogg()[:26] + b"\x02\xff\x08OpusHead" + bytes(255), sound.OGG),  # of many channels
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
        FRAME * 2 + FRAME[:-1],
        (bytes.fromhex("fffb00c4") + bytes(100)) * 3,  # frames of no told length
        (bytes.fromhex("fffb1cc4") + bytes(100)) * 3,  # a rate that there is not
        (bytes.fromhex("fffd10c4") + bytes(100)) * 3,  # layer II
        (bytes.fromhex("fff150800c9ffc") + bytes(93)) * 3,  # bare AAC
        mp4(b"isom"),
        mp4(track=b"vide"),
        mp4(track=b"text"),
        mp4()[:-1],
        mp4() + bytes(7),
        mp4() + bytes(4) + b"free",  # a box without a length
        mp4().partition(b"\0\0\0\x0dmdat")[0],
        mp4() + box(b"moov", box(b"hdlr", bytes(8) + b"vide" + bytes(12))),
        ogg(b"\x01vorbis."),
        ogg()[:20],
        b"RIFF\x24\0\0\0AVI LIST" + bytes(28),
        b"\x1aE\xdf\xa3" + bytes(100),  # WebM
        b"fLaC" + bytes(100),
    ],
)
def test_anything_else_is_no_sound_for_phones(content: bytes) -> None:
    assert sound.kind(content) is None
