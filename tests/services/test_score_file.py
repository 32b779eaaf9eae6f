"""Files in, files out: the output appears complete or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pro_app.services import score_file as files
from pro_app.services.score_file import FileRefused, FileTrouble, score_file
from tests.services.csv_files import V1, exactly, row, table

Run = Callable[..., None]


@pytest.fixture(params=["exact", "fast"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Score a file, small as it is, the way of the parameter."""
    monkeypatch.setattr(files, "FAST_FROM", 0 if request.param == "fast" else 1 << 60)

    def score_it(source: Path, target: Path, lenient: bool = False) -> None:
        score_file(V1, "mos_us1990", str(source), str(target), lenient)

    return score_it


def test_the_output_appears_complete(tmp_path: Path, run: Run) -> None:
    data = table(row("P1"), row("P2"))
    (tmp_path / "in.csv").write_bytes(data)
    run(tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == exactly(data).encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_a_refused_file_leaves_the_old_output(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in.csv").write_bytes(table(*(row(f"P{n}") for n in range(99)), row("P1")))
    (tmp_path / "out.csv").write_text("old")
    with pytest.raises(FileRefused):
        run(tmp_path / "in.csv", tmp_path / "out.csv")
    with pytest.raises(FileRefused):
        run(tmp_path / "in.csv", tmp_path / "new.csv")
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_a_file_may_replace_itself(tmp_path: Path, run: Run) -> None:
    data = table(row("P1", PF01="7"))
    (tmp_path / "a.csv").write_bytes(data)
    (tmp_path / "a.csv").chmod(0o640)
    run(tmp_path / "a.csv", tmp_path / "a.csv", lenient=True)
    assert (tmp_path / "a.csv").read_text() == exactly(data, lenient=True)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o640


def test_who_reads_the_old_output_keeps_it(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in.csv").write_bytes(table(row("P1")))
    (tmp_path / "out.csv").write_text("old")
    with (tmp_path / "out.csv").open() as reader:
        run(tmp_path / "in.csv", tmp_path / "out.csv")
        assert reader.read() == "old"


def test_a_link_stays_a_link(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in.csv").write_bytes(table(row("P1")))
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    run(tmp_path / "in.csv", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("id,PF,")


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in.csv").write_bytes(table(row("P1")))
    run(tmp_path / "in.csv", Path("/dev/null"))
    assert not Path("/dev/null").is_file()


def test_files_that_cannot_be_used_are_told_plainly(tmp_path: Path, run: Run) -> None:
    good = tmp_path / "in.csv"
    good.write_bytes(table(row("P1")))
    with pytest.raises(FileTrouble, match=r"none\.csv cannot be read: No such file or directory"):
        run(tmp_path / "none.csv", tmp_path / "out.csv")
    with pytest.raises(FileTrouble, match=r"cannot be read: Is a directory"):
        run(tmp_path, tmp_path / "out.csv")
    with pytest.raises(FileTrouble, match=r"cannot be written: it is a folder"):
        run(good, tmp_path)
    with pytest.raises(FileTrouble, match=r"cannot be written: No such file or directory"):
        run(good, tmp_path / "none" / "out.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]
