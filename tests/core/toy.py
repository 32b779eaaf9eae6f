"""A three-item instrument of the tests' own, written to a folder and damaged where a test wants."""

from __future__ import annotations

from pathlib import Path

INSTRUMENT = """\
code = "toy"
name = "Toy"
version = "1"
rights = "ours"
minutes = 2
sources = ["a book"]
items = [
  { code = "Q1", paper = "1", options = "often", topic = "first" },
  { code = "Q2", paper = "2", options = "often", topic = "second", not_applicable = true },
  { code = "Q3", paper = "3", options = "yes_no", topic = "third" },
]

[options.often]
codes = [1, 2, 3]
first = "always"
last = "never"

[options.yes_no]
codes = [1, 2]
first = "yes"
last = "no"

[[sections]]
code = "main"
recall = "past_4_weeks"
lead = true
items = ["Q1", "Q2"]

[[sections]]
code = "end"
recall = "none"
items = ["Q3"]

[cdisc.TOY]
scoring = "plain"
items = { Q1 = "T1", Q2 = "T2", Q3 = "T3" }
scores = { TWO = "T4", SUM = "T5" }

[[differences.scales]]
scoring = "plain"
scale = "TWO"
mid_improve = 5
source = "a paper"
"""

SCORING = """\
[plain]
title = "Toy scores"
sources = ["a manual"]

[[plain.recodes]]
items = ["Q1", "Q2"]
values = { 1 = 0, 2 = 1.5, 3 = 4 }

[[plain.recodes]]
items = ["Q3"]
values = { 1 = 0, 2 = 1 }

[[plain.scales]]
code = "TWO"
name = "first and second"
items = ["Q1", "Q2"]
raw = "sum"
minimum = 1
lowest = 0
highest = 8
direction = "higher_better"

[[plain.scales]]
code = "ONE"
name = "third"
items = ["Q3"]
raw = "mean"
minimum = 1
lowest = 0
highest = 1
direction = "higher_worse"

[plain.norms]
source = "a town"

[plain.norms.scales]
TWO = { mean = 50, sd = 10 }
ONE = { mean = 40, sd = 20.5 }

[[plain.summaries]]
code = "SUM"
name = "both"
direction = "higher_better"
source = "a town"
coefficients = { TWO = 0.5, ONE = -0.25 }
"""

PAIR = """\
[plain]
title = "Toy scores"
sources = ["a manual"]

[[plain.recodes]]
items = ["Q2"]
values = { 1 = 1, 2 = 2, 3 = 3 }

[[plain.scales]]
code = "PAIR"
name = "first and third"
items = ["Q1", "Q3"]
raw = "sum"
minimum = 1
lowest = 2
highest = 12
direction = "higher_better"

[plain.scales.pair.both]
Q1 = { 1 = 6, 2 = 5.4, 3 = 1 }
Q3 = { 1 = 5, 2 = 1 }

[[plain.scales.pair.exceptions]]
when = { Q1 = 1, Q3 = 1 }
item = "Q3"
final = 6

[plain.scales.pair.alone]
Q1 = { 1 = 6, 2 = 5.4, 3 = 1 }
Q3 = { 1 = 6, 2 = 1 }

[[plain.scales]]
code = "RAW"
name = "second"
items = ["Q2"]
raw = "sum"
reported = "raw"
minimum = 1
lowest = 1
highest = 3
direction = "higher_worse"
"""

WORDING = """\
kind = "demonstration"
language = "en"
source = "ours"
instruction = "Choose one answer."

[leads]
main = "How often"

[recalls]
main = "In the past 4 weeks"

[options.often]
1 = "Always"
2 = "Sometimes"
3 = "Never"

[options.yes_no]
1 = "Yes"
2 = "No"

[items]
Q1 = "was it cold?"
Q2 = "was it warm?"
Q3 = "Is it over?"
"""

Damage = tuple[str, str, str]  # file, text in it, what to put there instead


def write_toy(folder: Path, *damages: Damage, scoring: str = SCORING) -> Path:
    """Write the instrument below `folder`, damaged; its own folder is returned."""
    files = {"instrument.toml": INSTRUMENT, "scoring.toml": scoring, "wording/en.toml": WORDING}
    for file, old, new in damages:
        assert files[file].count(old) >= 1, f"{old!r} is not in {file}"
        files[file] = files[file].replace(old, new, 1)
    toy = folder / "toy"
    (toy / "wording").mkdir(parents=True)
    for file, text in files.items():
        (toy / file).write_text(text, encoding="utf-8")
    return toy
