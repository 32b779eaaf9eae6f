"""The arrows between the layers: who may import whom. And no file names one machine's places."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pro_app.config import ROOT

PACKAGE = ROOT / "pro_app"
STANDARD = set(sys.stdlib_module_names)
COLUMNAR = {"numpy", "polars"}
# by folder: what of the house it may import, and which packages besides the standard library
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "core": ({"core"}, set()),
    "models": ({"core", "models"}, {"sqlalchemy"}),
    "migrations": ({"models", "migrations"}, {"alembic", "sqlalchemy"}),
    "delivery": (
        {"core", "delivery"}, {"certifi", "cryptography", "py_vapid", "pycurl", "pywebpush"}
    ),
    "export": ({"core", "export"}, {"polars", "pyreadstat", "xlsxwriter"}),
    "services": (
        {"core", "models", "delivery", "export", "services", "verify"},
        {
            "argon2", "babel", "cryptography", "icalendar", "openpyxl", "sqlalchemy", "webauthn",
        },
    ),
    "web": (
        {
            "catalogues", "config", "core", "demo", "export", "migrations", "models", "services",
            "web", "wiring",
        },
        {
            "babel", "brotli", "flask", "flask_babel", "flask_compress", "flask_wtf",
            "itsdangerous", "jinja2", "markupsafe", "rcssmin", "rjsmin", "segno", "sqlalchemy",
            "werkzeug",
        },
    ),
    "proof": (  # above the web: it plays the whole application
        {
            "catalogues", "config", "core", "delivery", "migrations", "models", "proof",
            "services", "web",
        },
        {"jinja2", "playwright", "sqlalchemy", "waitress"},
    ),
}  # fmt: skip
# files and folders where NumPy and Polars may be
IN_COLUMNS = {
    "core/columns.py", "services/picture_counts.py", "services/picture_data.py",
    "services/picture_frames.py", "services/picture_numbers.py", "services/picture_person.py",
    "services/score_file_fast.py", "services/tables",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """The dotted names that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = sorted((layer, path) for layer in LAYERS for path in (PACKAGE / layer).rglob("*.py"))


@pytest.mark.parametrize(
    ("layer", "path"), MODULES, ids=[str(path.relative_to(PACKAGE)) for _, path in MODULES]
)
def test_a_layer_imports_only_what_is_below_it(layer: str, path: Path) -> None:
    own, packages = LAYERS[layer]
    allowed = STANDARD | packages | {"pro_app"}
    place = path.relative_to(PACKAGE)
    if str(place) in IN_COLUMNS or str(place.parent) in IN_COLUMNS:
        allowed |= COLUMNAR
    for name in imported(path):
        top, _, rest = name.partition(".")
        assert top in allowed, name
        if top == "pro_app" and not name.startswith("pro_app.create_app"):
            assert rest.partition(".")[0] in own, name


GROUND_FLOOR = sorted(path.name for path in PACKAGE.glob("*.py"))


@pytest.mark.parametrize("name", GROUND_FLOOR)
def test_the_ground_floor_reaches_the_web_only_by_its_door(name: str) -> None:
    """`create_app` puts the application together; nothing else here knows Flask."""
    packages = {"click", "flask", "pro_app", "segno", "sqlalchemy", "waitress"}
    own = {
        "worker.py": {"huey"},
        "catalogues.py": {"babel"},
        "card.py": {"babel", "jinja2", "markupsafe"},
    }
    packages |= own.get(name, set())
    for one in imported(PACKAGE / name):
        assert one.partition(".")[0] in STANDARD | packages, one
        if name != "__init__.py":
            assert not one.startswith(("flask", "pro_app.web")), one


def test_the_worker_and_the_wiring_know_no_command() -> None:
    for name in ("worker.py", "wiring.py", "config.py"):
        assert not any(one.startswith("pro_app.cli") for one in imported(PACKAGE / name)), name


def test_every_folder_of_the_house_is_a_layer() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders - set(LAYERS) == {"demo"}, "a new folder needs its rule here"
    assert len(MODULES) > 30


def test_the_pure_core_has_no_clock_and_no_environment() -> None:
    for path in (PACKAGE / "core").rglob("*.py"):
        names = {name.partition(".")[0] for name in imported(path)}
        assert not names & {"time", "os", "random", "secrets", "socket", "subprocess"}, path
        assert not re.search(r"\.(now|today|utcnow)\(", path.read_text(encoding="utf-8")), path


def test_no_file_names_a_place_of_one_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    homes = re.compile(rb"/(work|home|root|Users)/[A-Za-z0-9._-]+|[A-Z]:\\\\Users")
    checked = 0
    for name in listed.stdout.splitlines():
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" not in content:
            found = homes.search(content)
            assert found is None, f"{name}: {found and found.group()!r}"
            checked += 1
    assert checked > 50
