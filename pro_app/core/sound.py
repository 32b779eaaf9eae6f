"""What kind of sound a file holds, by its content alone: a file's name says nothing."""

from __future__ import annotations

import re

MP3, MP4, OGG = "audio/mpeg", "audio/mp4", "audio/ogg"
WAV = "audio/wav"
_BRANDS = frozenset({b"M4A ", b"mp42"})
_SOUND, _PICTURE = (re.compile(b"hdlr.{8}" + kind, re.DOTALL) for kind in (b"soun", b"vide"))
_FRAMES = 3  # of MPEG audio, one after the other: fewer may be chance

# ISO/IEC 11172-3 and 13818-3, layer III: kbit/s by the index of a header, for MPEG 1 and for 2
# and 2.5; and samples per second by version (0: 2.5, 2: 2, 3: 1)
_BITRATES = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
)
_RATES = {0: (11025, 12000, 8000), 2: (22050, 24000, 16000), 3: (44100, 48000, 32000)}


def kind(content: bytes) -> str | None:
    """The media type of MP3, M4A (AAC), Ogg Opus or WAV; None for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return WAV
    if _is_opus(content):
        return OGG
    if _is_mp4(content):
        return MP4
    return MP3 if _is_mp3(content) else None


def _is_opus(content: bytes) -> bool:
    """RFC 7845: the first page of the stream holds the header alone."""
    if content[:5] != b"OggS\0" or len(content) < 28:
        return False
    body = 27 + content[26]
    return content[body : body + 8] == b"OpusHead"


def _is_mp4(content: bytes) -> bool:
    """ISO/IEC 14496-12: whole boxes from end to end, with a track of sound and none of pictures."""
    if content[4:8] != b"ftyp" or content[8:12] not in _BRANDS:
        return False
    kinds, place = set(), 0
    while place + 8 <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        if size < 8:
            return False
        kinds.add(content[place + 4 : place + 8])
        place += size
    whole = place == len(content) and {b"moov", b"mdat"} <= kinds
    return whole and bool(_SOUND.search(content)) and not _PICTURE.search(content)


def _is_mp3(content: bytes) -> bool:
    """Frames of layer III, one after the other, behind an ID3 tag if there is one."""
    place = 0
    if content[:3] == b"ID3" and len(content) > 10:
        size = 0
        for part in content[6:10]:  # seven bits each
            size = size << 7 | part & 0x7F
        place = 10 + size
    for _ in range(_FRAMES):
        length = _frame(content[place : place + 4])
        if length is None:
            return False
        place += length
    return place <= len(content)


def _frame(header: bytes) -> int | None:
    """The length in bytes of the frame with this header; None if it is none of layer III."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, bitrate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version not in _RATES or not 0 < bitrate < 15 or rate == 3:
        return None
    first = version == 3
    samples = 1152 if first else 576
    padding = header[2] >> 1 & 1
    return samples // 8 * 1000 * _BITRATES[first][bitrate] // _RATES[version][rate] + padding
