"""Recordings made for tests: real files that say nothing."""

from __future__ import annotations

FRAME = bytes.fromhex("fffb10c4") + bytes(100)  # MPEG 1, layer III, 32 kbit/s, 44.1 kHz, mono
FRAMES_A_SECOND = 44_100 / 1152


def mp3(name: str, seconds: float = 1.0) -> bytes:
    """Silence; the name stands in its tag, so that no two are the same."""
    text = b"\0" + name.encode("ascii")
    frame = b"TIT2" + len(text).to_bytes(4, "big") + b"\0\0" + text
    tag = b"ID3\x03\0\0" + bytes([0, 0, 0, len(frame)]) + frame
    return tag + FRAME * round(seconds * FRAMES_A_SECOND)


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an MP4 file."""
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def mp4(brand: bytes = b"M4A ", track: bytes = b"soun", name: bytes = b"") -> bytes:
    """The outline of an MP4 file with a track of this kind."""
    handler = box(b"hdlr", bytes(8) + track + bytes(12))
    return box(b"ftyp", brand + bytes(4)) + box(b"moov", handler) + box(b"mdat", b"sound" + name)


def ogg(codec: bytes = b"OpusHead") -> bytes:
    """The first page of an Ogg stream."""
    head = codec + b"\x01\x01" + bytes(9)
    return b"OggS\0\x02" + bytes(20) + b"\x01" + bytes([len(head)]) + head


WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)
