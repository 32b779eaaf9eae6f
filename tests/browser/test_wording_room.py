"""The room of wordings on a desk: a licensed text comes from the empty template to the screens of
a live study, its licence is renewed, and its end is seen by those whom it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Locator, Page, expect

from pro_app.core.study_file import read_study_file
from pro_app.models import StoredWording
from pro_app.services import studies
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_accessibility import AXE, CHECK, TAGS
from tests.browser.test_coordinator import (
    DESK,
    SIDEWAYS,
    invited,
    looked_through,
    press,
    set_up,
    signed_in,
)
from tests.browser.test_going_live import fill
from tests.conftest import Site
from tests.services import going_live
from tests.services.licensing import license_one
from tests.services.wording_files import row_of, sentences

CODE, LANGUAGE = "lupusqol", "ta"
PERSON = "01-041"


@pytest.fixture
def gap(web_site: Site) -> Site:
    """A live study with every licence but one, and a person who waits for that one."""
    content = read_study_file(
        Path(__file__).parents[1] / "study.toml", web_site.library.instruments
    )
    with web_site.database.writing() as session:
        now = web_site.clock()
        study = studies.load(session, web_site.library, {**content, "status": "live"}, now)
        for one in study.instruments:
            for language in study.definition.languages:
                if (one.code, language) != (CODE, LANGUAGE):
                    license_one(session, study, web_site.library, one.code, language, now)
        session.flush()
        web_site.study = studies.current(session, web_site.library, study.id)
    web_site.open(going_live.enrol(web_site, PERSON, LANGUAGE), closes=timedelta(days=60))
    return web_site


def texts(site: Site) -> dict[str, str]:
    """What the owner's file says."""
    return sentences(site.library.instruments[CODE], LANGUAGE)


def today(site: Site) -> date:
    return site.clock().astimezone(site.study.definition.zone).date()


def stored(site: Site) -> Mapping[str, str] | None:
    """The texts that are stored, none as long as there are none."""
    with site.database.reading() as session:
        named = sa.select(StoredWording).filter_by(instrument=CODE, language=LANGUAGE)
        found = session.scalars(named).one_or_none()
        return None if found is None else dict(found.texts)


def enter(phones: Phones, site: Site, javascript: bool) -> Phone:
    """The administrator's browser in the room; the invitation's link needs a script."""
    if javascript:
        _, code = invited(site, role="administrator")
        desk = phones.new("en", viewport=DESK, has_touch=False)
        set_up(desk, site, code)
    else:
        desk = signed_in(phones, site, "en", role="administrator", javascript=False)
        desk.open("/staff/")
    page = desk.page
    page.context.add_init_script(path=AXE)
    page.get_by_label("Rooms").get_by_role("link", name="Study").click()
    page.get_by_role("link", name="Licences of the wordings").click()
    is_at(page, "Wording")
    return desk


def is_at(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def in_force(page: Page) -> Locator:
    """The line of the licence that this is about, among those in force."""
    return page.locator("#now tbody tr").filter(has_text="தமிழ்").filter(has_text="LupusQoL")


def take_template(page: Page, folder: Path) -> Path:
    """Download the template of the only text that is lacking."""
    with page.expect_download() as download:
        page.locator("#now").get_by_role("link", name="Download the template").click()
    path = folder / download.value.suggested_filename
    assert path.name == f"{CODE}-{LANGUAGE}-template.xlsx"
    download.value.save_as(path)
    return path


def tell_licence(page: Page, last: date) -> None:
    page.get_by_label("Questionnaire").select_option("LupusQoL")
    page.get_by_label("Language", exact=True).select_option(LANGUAGE)
    page.get_by_label("Version, as the owner calls it").fill("2.1")
    page.get_by_label("Holder of the licence").fill("The owner")
    page.get_by_label("Number of the licence").fill("L-77")
    for mode in page.get_by_role("group", name="How it may be read").get_by_role("checkbox").all():
        mode.check()
    page.get_by_label("Last day").fill(last.isoformat())
    page.get_by_label("Site", exact=True).select_option("*")


def look_through(page: Page, file: Path) -> None:
    page.get_by_label("The filled template, or a FHIR file").set_input_files(file)
    press(page, "Look for faults")


def file_with(template: Path, site: Site, **changed: str) -> Path:
    """The template as a program fills it in, with other texts at some items."""
    path = template.with_name(f"filled-{len(changed)}.xlsx")
    path.write_bytes(template.read_bytes())
    fill(path, texts(site) | {f"items.{item}": text for item, text in changed.items()})
    return path


def looks_well(desk: Phone) -> None:
    """What axe finds on a page that only a file leads to, and whether it fits a phone."""
    page = desk.page
    if desk.javascript:
        assert page.evaluate(CHECK, TAGS) == []
    page.set_viewport_size({"width": 320, "height": 740})
    assert page.evaluate(SIDEWAYS) == 0
    page.set_viewport_size(DESK)  # type: ignore[arg-type]


def sees_the_faults(page: Page, site: Site) -> None:
    """Each fault of the file with its row, and what was typed is still there."""
    expect(page.get_by_role("alert")).to_contain_text("There are 2 faults in the file.")
    faults = page.get_by_role("region", name="What is wrong").locator("tbody tr")
    expect(faults).to_have_count(2)
    instrument = site.library.instruments[CODE]
    for n, item, reason in ((0, "LQ01", "is empty"), (1, "LQ02", "A placeholder was left")):
        row = row_of(instrument, f"items.{item}")
        expect(faults.nth(n).get_by_role("rowheader")).to_contain_text(str(row))
        expect(faults.nth(n).locator("code")).to_have_text(f"items.{item}")
        expect(faults.nth(n)).to_contain_text(reason)
    expect(page.get_by_label("Number of the licence")).to_have_value("L-77")


def sees_what_changes(page: Page, site: Site) -> None:
    """The owner's text beside the English one."""
    is_at(page, "Nothing is wrong with the file")
    line = page.get_by_role("row").filter(has=page.get_by_text("items.LQ01", exact=True))
    english = site.library.wording(CODE, "en")
    assert english is not None
    wanted = [english.items["LQ01"], texts(site)["items.LQ01"]]
    expect(line.get_by_role("cell")).to_have_text(wanted)


def renew(page: Page, last: date) -> None:
    in_force(page).get_by_role("link", name="Renew").click()
    is_at(page, "Renew a licence")
    expect(page.get_by_label("Wording").locator("option:checked")).to_contain_text("2.1")
    page.get_by_label("Number of the licence").fill("L-78")
    page.get_by_label("Last day").fill(last.isoformat())
    page.get_by_label("Reason").fill("The contract goes on.")
    press(page, "Renew this licence")
    is_at(page, "Wording")


def end(page: Page, day: date) -> None:
    in_force(page).get_by_role("link", name="End").click()
    is_at(page, "End a licence")
    page.get_by_label("First day without it").fill(day.isoformat())
    page.get_by_label("Reason").fill("The owner withdrew it.")
    press(page, "End this licence")
    is_at(page, "Wording")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_text_is_brought_renewed_and_ended(
    phones: Phones, gap: Site, watch: Watch, tmp_path: Path, javascript: bool
) -> None:
    watch.expect("status of 422")  # what the browser says of the page with the faults
    first = today(gap)
    desk = enter(phones, gap, javascript)
    page = desk.page
    affected = page.get_by_role("heading", name="Who is affected")
    expect(affected).to_be_visible()
    expect(page.get_by_text("1 participant, 1 questionnaire")).to_be_visible()
    expect(in_force(page)).to_have_count(0)
    template = take_template(page, tmp_path)

    page.get_by_role("link", name="Bring a licensed text").click()
    is_at(page, "Bring a licensed text")
    tell_licence(page, first + timedelta(days=40))
    look_through(page, file_with(template, gap, LQ01="", LQ02="[here]"))
    sees_the_faults(page, gap)
    looks_well(desk)
    assert stored(gap) is None

    look_through(page, file_with(template, gap))
    sees_what_changes(page, gap)
    looks_well(desk)
    assert stored(gap) is None
    press(page, "Store this text")
    is_at(page, "Wording")
    expect(in_force(page)).to_contain_text(["40 days are left"])
    expect(page.get_by_text("cannot be read now")).to_have_count(0)
    assert stored(gap) == texts(gap)

    renew(page, first + timedelta(days=1000))
    expect(in_force(page)).to_contain_text(["L-78"])
    expect(affected).to_have_count(0)
    expect(page.locator("main")).to_contain_text("replaced")

    last = first + timedelta(days=7)
    end(page, last)
    expect(in_force(page)).to_have_count(1)
    page.get_by_role("link", name="See who is affected").click()
    is_at(page, "Who is affected")
    ends = page.locator(".row").filter(has_text="LupusQoL")
    expect(ends).to_contain_text(f"cannot be read from {last.day} ")
    expect(ends).to_contain_text("1 participant, 1 questionnaire")
    expect(page.get_by_text(PERSON)).to_have_count(0)  # the sites' people see who it is


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_accessible_and_fit_a_phone(phones: Phones, gap: Site, language: str) -> None:
    now = gap.clock()
    with gap.database.writing() as session:
        given = (session, gap.study, gap.library, CODE, "en", now)
        later = today(gap) + timedelta(days=1)
        newer = license_one(*given, "2", " b", from_on=later)  # translations are to be looked at
    desk = signed_in(phones, gap, language, role="administrator")
    rooms = ("", "/ending", "/translations", "/new", "/licence/renew", "/licence/end")
    paths = [f"/staff/test/wording{room}?of={newer.fingerprint}" for room in rooms]
    assert looked_through(desk, [*paths, "/staff/test/proof"]) == []
