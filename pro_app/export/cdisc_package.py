"""The CDISC datasets of a study as files: QS, SUPPQS and ADQS, and a page that says how to read
them. All are exact and meant for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pro_app.export import adam, codebook, csv, dataset_json, sas, sdtm, sdtm_supplement
from pro_app.export.cdisc import Source
from pro_app.export.dataset_json import Made
from pro_app.export.table import Table


@dataclass(frozen=True, slots=True)
class Dataset:
    """How a dataset is made, and the columns that name its rows."""

    make: Callable[[Source], Table]
    keys: Sequence[str]


DATASETS: Mapping[str, Dataset] = {
    "QS": Dataset(sdtm.qs, sdtm.QS_KEYS),
    "SUPPQS": Dataset(sdtm_supplement.suppqs, sdtm_supplement.KEYS),
    "ADQS": Dataset(adam.adqs, adam.KEYS),
}
PASSES = len(DATASETS)  # how often the study's tables are read for one form of the package


def _csv(table: Table, path: Path, made: Made) -> None:
    csv.write_exact(table, path)
    codebook.write_exact(table, path.with_name(f"{path.stem}_codebook.csv"))


def _xpt(table: Table, path: Path, made: Made) -> None:
    sas.write(table, path)


# all but SAS transport, which wants a dataset whole, take no more memory for more rows
FORMS: Mapping[str, Callable[[Table, Path, Made], None]] = {
    "json": dataset_json.write,
    "ndjson": dataset_json.write_lines,
    "csv": _csv,
    "xpt": _xpt,
}


def write(source: Source, folder: Path, form: str, made: Made) -> list[Path]:
    """Write all datasets to an empty folder in one of FORMS; the files, by name.

    Raises `TableError` where the study's tables do not fit together or two tests share a code.
    """
    for name, dataset in DATASETS.items():
        path = folder / f"{name.lower()}.{form}"
        FORMS[form](dataset.make(source), path, replace(made, keys=dataset.keys))
    (folder / "readme.txt").write_text(_readme(source, made), encoding="utf-8")
    return sorted(folder.iterdir())


def _readme(source: Source, made: Made) -> str:
    at = made.at.astimezone(source.definition.zone).isoformat()
    notes = "".join(f"{note}\n" for note in source.assessments.notes)
    dates = "study days, without dates" if not source.dated else "dates and study days"
    return f"""\
CDISC datasets of the study {source.definition.code}, data as of {at}
{notes}
QS, SUPPQS   SDTM: questionnaires, and where their values come from
ADQS         ADaM, basic data structure: the scores

Times: {dates}, counted from the anchor "{source.anchor}": its day is day 1, the day before -1.
{_CONVENTIONS}"""


_CONVENTIONS = """\
QSTESTCD and QSCAT are CDISC's codes; LUPUSQOL and its codes are the sponsor's own, because the
terminology has none. QSTEST and PARAM are topics in this system's words: for a submission put in
the names of the terminology by QSTESTCD.
QSORRES is the answer in the words in which it was read, in the participant's language (its code,
where these words are not kept any more); QSSTRESC and QSSTRESN are the code.
The answers to one questionnaire stand in each category that the study scores (RAND-36 V1.0 and
SF36 V1.0 STANDARD).
QSALL is a questionnaire of which nothing was answered. What is open or not expected has no rows.
A correction has been applied; SUPPQS has the value before it. What a correction calls void is
left out.
QSLOBXFL and ABLFL mark the last result on or before the day of the anchor; on that day itself not
of a visit that the protocol counts from it, unless the protocol asks it before.
VISITNUM is the place in the protocol, with thousandths for repetitions; n.5xx is a visit that was
opened by hand, numbered for each participant.
ANL01FL marks one submitted score for each visit of the protocol; scores of what was never
submitted have SCBASIS "PARTIAL" and no flag. Nothing is imputed and nothing rounded.
"""
