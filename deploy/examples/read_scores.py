"""Read a study's scores page by page, and print how many there are and the mean of each scale.

    PRO_APP_ADDRESS=https://pro.example.org PRO_APP_TOKEN=... python3 read_scores.py

Python's standard library is enough. Where pandas is there, `frame` is what you would go on with.
"""

import json
import os
import urllib.parse
import urllib.request

ADDRESS = os.environ["PRO_APP_ADDRESS"].rstrip("/") + "/api/v1"
TOKEN = os.environ["PRO_APP_TOKEN"]  # never write it into a script


def get(url):
    """The JSON at an address."""
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return json.load(answer)


def read(table, **parameters):
    """All rows of a table, and the notes that belong to it."""
    url = f"{get(f'{ADDRESS}/studies')['studies'][0]['url']}/{table}"
    if parameters:
        url += "?" + urllib.parse.urlencode(parameters, doseq=True)
    rows, notes = [], []
    while url is not None:
        page = get(url)
        rows += page["rows"]
        notes, url = page["notes"], page["next"]
    return rows, notes


rows, notes = read("scores_long", limit=5000)
for note in notes:
    print("Note:", note)
counted = {}
for row in rows:
    values = counted.setdefault((row["scoring"], row["scale"]), [])
    if row["value"] is not None:
        values.append(row["value"])
print("scoring\tscale\tn\tmean")
for (scoring, scale), values in sorted(counted.items()):
    mean = f"{sum(values) / len(values):.4f}" if values else "NA"
    print(f"{scoring}\t{scale}\t{len(values)}\t{mean}")

try:
    import pandas
except ImportError:
    pass
else:
    frame = pandas.DataFrame(rows)
