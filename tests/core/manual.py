"""What the manuals say about scoring, typed by hand and not taken from the definitions."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from pro_app.core.instruments import load_instruments
from pro_app.core.scoring import Score, Scoring, score

INSTRUMENTS = load_instruments(Path(__file__).parents[2] / "questionnaires")
RAND = INSTRUMENTS["sf36v1"].scorings["rand"]
MOS = INSTRUMENTS["sf36v1"].scorings["mos_us1990"]
US1998 = INSTRUMENTS["sf36v2"].scorings["us1998"]
LUPUSQOL = INSTRUMENTS["lupusqol"].scorings["lupusqol"]


# Final values of the codes 1, 2, ... (LupusQoL: 0, 1, ...).
UP2, UP3, UP5, UP6 = "1 2", "1 2 3", "1 2 3 4 5", "1 2 3 4 5 6"
DOWN5, DOWN6 = "5 4 3 2 1", "6 5 4 3 2 1"
ACTIVITIES = " ".join(f"PF{n:02}" for n in range(1, 11))
ROLES = "RP1 RP2 RP3 RP4 RE1 RE2 RE3"
FEELINGS_BETTER_FIRST = "VT1 MH3 VT2 MH5"
FEELINGS_WORSE_FIRST = "MH1 MH2 MH4 VT3 VT4"
EITHER_VERSION = [
    ("GH01", "5 4.4 3.4 2 1"),
    (ACTIVITIES, UP3),
    ("SF1 GH3 GH5", DOWN5),
    ("SF2 GH2 GH4", UP5),
]
FINALS = {
    "rand": [
        ("GH01 SF1 BP2 GH3 GH5", "100 75 50 25 0"),
        (ACTIVITIES, "0 50 100"),
        (ROLES, "0 100"),
        (f"BP1 {FEELINGS_BETTER_FIRST}", "100 80 60 40 20 0"),
        (FEELINGS_WORSE_FIRST, "0 20 40 60 80 100"),
        ("SF2 GH2 GH4", "0 25 50 75 100"),
    ],
    "mos_us1990": [
        *EITHER_VERSION,
        (ROLES, UP2),
        (FEELINGS_BETTER_FIRST, DOWN6),
        (FEELINGS_WORSE_FIRST, UP6),
    ],
    "us1998": [
        *EITHER_VERSION,
        (f"{ROLES} {FEELINGS_WORSE_FIRST}", UP5),
        (FEELINGS_BETTER_FIRST, DOWN5),
    ],
    "lupusqol": [(" ".join(f"LQ{n:02}" for n in range(1, 35)), "0 1 2 3 4")],
}
# Scale: items, minimum answered, lowest and highest mean of the final values.
SCALES = {
    "rand": {
        "PF": (ACTIVITIES, 1, 0, 100),
        "RP": ("RP1 RP2 RP3 RP4", 1, 0, 100),
        "RE": ("RE1 RE2 RE3", 1, 0, 100),
        "EF": ("VT1 VT2 VT3 VT4", 1, 0, 100),
        "EW": ("MH1 MH2 MH3 MH4 MH5", 1, 0, 100),
        "SF": ("SF1 SF2", 1, 0, 100),
        "PAIN": ("BP1 BP2", 1, 0, 100),
        "GH": ("GH01 GH2 GH3 GH4 GH5", 1, 0, 100),
    },
    "mos_us1990": {
        "PF": (ACTIVITIES, 5, 1, 3),
        "RP": ("RP1 RP2 RP3 RP4", 2, 1, 2),
        "GH": ("GH01 GH2 GH3 GH4 GH5", 3, 1, 5),
        "VT": ("VT1 VT2 VT3 VT4", 2, 1, 6),
        "SF": ("SF1 SF2", 1, 1, 5),
        "RE": ("RE1 RE2 RE3", 2, 1, 2),
        "MH": ("MH1 MH2 MH3 MH4 MH5", 3, 1, 6),
    },
    "us1998": {
        "PF": (ACTIVITIES, 5, 1, 3),
        "RP": ("RP1 RP2 RP3 RP4", 2, 1, 5),
        "GH": ("GH01 GH2 GH3 GH4 GH5", 3, 1, 5),
        "VT": ("VT1 VT2 VT3 VT4", 2, 1, 5),
        "SF": ("SF1 SF2", 1, 1, 5),
        "RE": ("RE1 RE2 RE3", 2, 1, 5),
        "MH": ("MH1 MH2 MH3 MH4 MH5", 3, 1, 5),
    },
    "lupusqol": {
        "LQPH": ("LQ01 LQ02 LQ03 LQ04 LQ05 LQ06 LQ07 LQ08", 4, 0, 4),
        "LQPAIN": ("LQ09 LQ10 LQ11", 2, 0, 4),
        "LQPLAN": ("LQ12 LQ13 LQ14", 2, 0, 4),
        "LQINT": ("LQ15 LQ16", 1, 0, 4),
        "LQBUR": ("LQ17 LQ18 LQ19", 2, 0, 4),
        "LQEMO": ("LQ20 LQ21 LQ22 LQ23 LQ24 LQ25", 3, 0, 4),
        "LQBOD": ("LQ26 LQ27 LQ28 LQ29 LQ30", 3, 0, 4),
        "LQFAT": ("LQ31 LQ32 LQ33 LQ34", 2, 0, 4),
    },
}
SCORINGS = {"rand": RAND, "mos_us1990": MOS, "us1998": US1998, "lupusqol": LUPUSQOL}
EVERY_SCALE = [(name, scale) for name, scales in SCALES.items() for scale in scales]


def finals_of(scoring: str, item: str) -> dict[int, Fraction]:
    """The final values of an item by code, as typed above."""
    first = 0 if scoring == "lupusqol" else 1
    (values,) = [values for items, values in FINALS[scoring] if item in items.split()]
    return {code: Fraction(value) for code, value in enumerate(values.split(), first)}


def by_scale(scoring: Scoring, answers: Mapping[str, int | None]) -> dict[str, Score]:
    return {one.scale: one for one in score(scoring, answers)}


BEST_V1 = {
    "GH01": 1, **dict.fromkeys(ACTIVITIES.split(), 3), **dict.fromkeys(ROLES.split(), 2),
    "SF1": 1, "SF2": 5, "BP1": 1, "BP2": 1, "GH2": 5, "GH3": 1, "GH4": 5, "GH5": 1,
    **dict.fromkeys(FEELINGS_BETTER_FIRST.split(), 1),
    **dict.fromkeys(FEELINGS_WORSE_FIRST.split(), 6),
}  # fmt: skip
WORST_V1 = {
    "GH01": 5, **dict.fromkeys(ACTIVITIES.split(), 1), **dict.fromkeys(ROLES.split(), 1),
    "SF1": 5, "SF2": 1, "BP1": 6, "BP2": 5, "GH2": 1, "GH3": 5, "GH4": 1, "GH5": 5,
    **dict.fromkeys(FEELINGS_BETTER_FIRST.split(), 6),
    **dict.fromkeys(FEELINGS_WORSE_FIRST.split(), 1),
}  # fmt: skip
BEST_V2 = BEST_V1 | dict.fromkeys(f"{ROLES} {FEELINGS_WORSE_FIRST}".split(), 5)
WORST_V2 = WORST_V1 | dict.fromkeys(FEELINGS_BETTER_FIRST.split(), 5)
BEST = {
    "rand": BEST_V1,
    "mos_us1990": BEST_V1,
    "us1998": BEST_V2,
    "lupusqol": {f"LQ{n:02}": 4 for n in range(1, 35)},
}
WORST = {
    "rand": WORST_V1,
    "mos_us1990": WORST_V1,
    "us1998": WORST_V2,
    "lupusqol": {f"LQ{n:02}": 0 for n in range(1, 35)},
}
