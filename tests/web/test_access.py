"""Who may see what: every endpoint's audience, strangers, locked phones, other people's things."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, request, url_for
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from pro_app.models import Assessment, Database, Message, Participant
from pro_app.services import enrolment
from pro_app.web import sheets
from tests.conftest import KEY, PIN, Enrolled, Site, TestClock, make_app, snapshot
from tests.pages import Browser

PEOPLE = ("coordinator", "investigator")
ANALYSTS = ("investigator", "researcher")
READERS = (*ANALYSTS, "administrator")
STAFF: dict[str, tuple[str, ...] | None] = {  # roles; () whoever is signed in, None: anybody
    "staff.home": (),
    "staff.sign_in": None,
    "staff.check_password": None,
    "staff.second": None,
    "staff.check_second": None,
    "staff.sign_out": (),
    "staff.stay": (),
    "staff.choose_language": None,
    "staff.invitation": None,
    "staff.check_invitation": None,
    "staff.set_up": None,
    "staff.finish_set_up": None,
    "staff.verify": (),
    "staff.go_on": (),
    "staff_passkeys.opening": None,
    "staff_passkeys.sign_in": None,
    "staff_passkeys.verify": (),
    "account.index": (),
    "account.read_news": (),
    "account.end_others": (),
    "account.password": (),
    "account.change_password": (),
    "account.second_factor": (),
    "account.renew_second_factor": (),
    "account.recovery_codes": (),
    "account.renew_recovery_codes": (),
    "account.new_passkey": (),
    "account.passkey_options": (),
    "account.add_passkey": (),
    "account.remove_passkey": (),
    "coordinator.board": PEOPLE,
    "coordinator.more": PEOPLE,
    "coordinator.matrix": PEOPLE,
    "coordinator.rates": PEOPLE,
    "alerts.index": PEOPLE,
    "alerts.of_participant": PEOPLE,
    "alerts.acknowledge": PEOPLE,
    "enrol.form": ("coordinator",),
    "enrol.enrol": ("coordinator",),
    "register.index": ("administrator",),
    "register.form": ("administrator",),
    "register.add": ("administrator",),
    "register.person": ("administrator",),
    "register.grant": ("administrator",),
    "register.end_role": ("administrator",),
    "register.renew": ("administrator",),
    "register.end": ("administrator",),
    "protocol.index": ("administrator", *PEOPLE),
    "enrol_many.form": ("coordinator",),
    "enrol_many.template": ("coordinator",),
    "enrol_many.check": ("coordinator",),
    "enrol_many.enrol": ("coordinator",),
    "enrol_many.cards": ("coordinator",),
    "enrol_many.print_cards": ("coordinator",),
    "contact.look": ("coordinator",),
    "contact.change": ("coordinator",),
    "participant_page.choose_hour": ("coordinator",),
    "participant_page.record_consent": ("coordinator",),
    "participant_page.overview": PEOPLE,
    "participant_page.new_code": ("coordinator",),
    "participant_page.look_at_anchor": ("coordinator",),
    "participant_page.set_anchor": ("coordinator",),
    "participant_page.set_language": ("coordinator",),
    "participant_page.pause": ("coordinator",),
    "participant_page.resume": ("coordinator",),
    "participant_page.revoke_phone": ("coordinator",),
    "participant_page.end": ("coordinator",),
    "tablet_start.ask": PEOPLE,
    "tablet_start.start": PEOPLE,
    "investigator.answers": ("investigator",),
    "corrections.room": PEOPLE,
    "corrections.of_participant": PEOPLE,
    "corrections.detail": PEOPLE,
    "corrections.decide": ("investigator",),
    "corrections.retract": PEOPLE,
    "correction_request.form": PEOPLE,
    "correction_request.ask": PEOPLE,
    "sign_off.milestones": ("investigator",),
    "sign_off.sign": ("investigator",),
    "calls.index": PEOPLE,
    "calls.log": ("coordinator",),
    "printing.form": PEOPLE,
    "printing.sheets": PEOPLE,
    "entry.index": PEOPLE,
    "entry.begin_form": PEOPLE,
    "entry.begin": PEOPLE,
    "entry.sheet": PEOPLE,
    "entry.save": PEOPLE,
    "entry.check": PEOPLE,
    "entry.settle": PEOPLE,
    "entry.give_back": PEOPLE,
    "entry.discard": PEOPLE,
    "entry.to_check": PEOPLE,
    "missed.form": PEOPLE,
    "missed.record": PEOPLE,
    "trail.participant": PEOPLE,
    "trail.export_participant": PEOPLE,
    "trail.study": ("administrator", "investigator"),
    "trail.export_study": ("administrator", "investigator"),
    "copy.index": ("investigator",),
    "copy.make": ("investigator",),
    "receipts.index": ANALYSTS,
    "receipts.detail": ANALYSTS,
    "pictures.index": ANALYSTS,
    "pictures.picture": ANALYSTS,
    "pictures.find": ANALYSTS,
    "pictures.trajectory": ANALYSTS,
    "exports.index": ANALYSTS,
    "exports.ask": ANALYSTS,
    "exports.jobs": ANALYSTS,
    "exports.download": ANALYSTS,
    "exports.codebook": ANALYSTS,
    "exports.codebook_file": ANALYSTS,
    "proof_pack.index": ("administrator", "investigator"),
    "proof_pack.ask": ("administrator", "investigator"),
    "proof_pack.jobs": ("administrator", "investigator"),
    "proof_pack.download": ("administrator", "investigator"),
    "scoring.form": ("researcher",),
    "scoring.template": ("researcher",),
    "scoring.score": ("researcher",),
    "scoring.scores": ("researcher",),
    "wording.index": ("administrator", "investigator"),
    "wording.ending": ("administrator", *PEOPLE),
    "wording.template": ("administrator",),
    "wording_recordings.index": ("administrator",),
    "wording_recordings.add": ("administrator",),
    "wording_upload.form": ("administrator",),
    "wording_upload.check": ("administrator",),
    "wording_upload.store": ("administrator",),
    "wording_licence.renewal": ("administrator",),
    "wording_licence.renew": ("administrator",),
    "wording_licence.ending": ("administrator",),
    "wording_licence.end": ("administrator",),
    "translations.index": ("administrator", "investigator"),
    "translations.confirm": ("administrator", "investigator"),
    "tokens.index": READERS,
    "tokens.make": ANALYSTS,
    "tokens.revoke": READERS,
    "api.index": None,
}
TABLET = {  # of a browser that was handed over as the site's tablet, see test_tablet
    "tablet.hand_over", "tablet.confirm", "tablet.check", "tablet.notice", "tablet.accept_notice",
    "tablet.settings", "tablet.stay", "tablet.idle", "tablet.ask_stop", "tablet.stop",
    "tablet.over", "tablet_sheet.listed", "tablet_sheet.start", "tablet_sheet.item",
    "tablet_sheet.answer", "tablet_sheet.review", "tablet_sheet.submit",
}  # fmt: skip
TOKEN = {  # for programs, see test_api
    "api.listed", "api.protocol", "api.codebook", "api.rows",
    "api.openapi",  # without a token it tells of no study
}  # fmt: skip
AUDIENCES = {
    "static": None,  # files of the house itself
    "home": "public",
    "health": "public",
    "join.code": "public",
    "join.check_code": "public",
    "join.notice": "public",
    "join.accept_notice": "public",
    "join.new_code": "public",
    "join.ask_new_code": "public",
    "join.pin": "device",
    "join.set_pin": "device",
    "participant.unlock": "device",
    "participant.check_pin": "device",
    "participant.lock": "device",
    "participant.settings": "public",
    "participant.today": "participant",
    "participant.practice": "participant",
    "participant.notice": "participant",
    "participant.accept_notice": "participant",
    "questionnaire.start": "participant",
    "questionnaire.item": "participant",
    "questionnaire.answer": "participant",
    "questionnaire.take_operations": "device",
    "questionnaire.review": "participant",
    "questionnaire.submit": "participant",
    "questionnaire.receipt": "participant",
    "questionnaire.sheet": "public",
    "sounds.sound": "public",
    "reminders.index": "participant",
    "reminders.subscribe": "participant",
    "reminders.renew": "device",
    "reminders.report": "participant",
    "reminders.send_test": "participant",
    "reminders.turn_off": "participant",
    "reminders.later": "participant",
    "reminders.choose_hour": "participant",
    "reminders.set_email": "participant",
    "reminders.make_calendar": "participant",
    "reminders.opened": "device",
    "reminders.note": "device",
    "reminders.feed": "public",  # its secret address is the key
    "offline.shell": "public",
    "offline.plan": "participant",
    "journal.report": "device",
    "device.index": "participant",
    "device.making": "participant",
    "device.make": "participant",
    "device.remove": "participant",
    "device.opening": "public",
    "device.open_with": "public",
    "device.code": "participant",
    "device.make_code": "participant",
    "device.ask_sign_out": "device",
    "device.sign_out": "device",
    "device.signed_out": "public",
    "pwa.worker": "public",
    "pwa.manifest": "public",
    "pwa.icon": "public",
    "pwa.picture": "public",
    **dict.fromkeys(STAFF, "staff"),
    **dict.fromkeys(TABLET, "tablet"),
    **dict.fromkeys(TOKEN, "token"),
}
FROM_WORKER = {  # posted to without a page and its token
    "reminders.renew", "reminders.note", "questionnaire.take_operations", "journal.report",
    "participant.check_pin",
}  # fmt: skip
KEPT = {  # what caches may hold; everything else is no-store
    "static": "public, max-age=31536000, immutable",
    "reminders.feed": "private, max-age=3600",
    "pwa.worker": "no-cache",
    "offline.shell": "no-cache",
    "pwa.manifest": "public, max-age=86400",
    "pwa.icon": "public, max-age=604800",
    "pwa.picture": "public, max-age=604800",
}
NAMES = {
    "pwa.picture": "today-en.webp", "coordinator.more": "people", "pictures.picture": "changes",
    "exports.codebook_file": "answers.csv",
}  # fmt: skip
PROBLEM = "application/problem+json"
MESSAGE, CALENDAR = "message-of-mine", "calendar-of-mine"
ACCOUNT = "somebody-of-staff"
CORRECTION = "correction-of-mine"


class Cast:
    """Two people of one site, each with two open questionnaires; `mine` is the reader."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.mine, self.other = site.enrol("01-101"), site.enrol("01-202")
        self.my_sheet = site.open(self.mine)[0]
        self.other_sheet = site.open(self.other)[0]
        for sheet, code in ((self.my_sheet, 1), (self.other_sheet, 3)):
            site.answer(sheet, {"LQ01": code})
        done = site.open(self.other, "month_3")[0]
        site.answer_all(done)
        self.receipt = site.submit(done)
        with site.database.writing() as session:
            session.add(
                Message(
                    public_id=MESSAGE,
                    participant_id=self.mine.id,
                    channel="push",
                    created_at=site.clock(),
                )
            )
            session.get_one(Participant, self.mine.id).calendar_id = CALENDAR

    def secrets_of(self, person: Enrolled) -> list[str]:
        """Words that tell something of a person."""
        sheets = [self.my_sheet if person is self.mine else self.other_sheet]
        return [person.number, *(sheet.public_id for sheet in sheets), self.receipt.code]


@pytest.fixture
def cast(web_site: Site) -> Cast:
    return Cast(web_site)


@pytest.fixture
def joined(app: Flask, cast: Cast) -> Browser:
    """My phone, joined and open."""
    browser = Browser(app)
    browser.join(cast.mine)
    return browser


def rules(app: Flask) -> Iterator[Rule]:
    return app.url_map.iter_rules()


def release(app: Flask) -> str:
    """Today's release of the static files, as it stands in their addresses."""
    with app.test_request_context():
        return url_for("static", filename="css/look.css").split("/")[2]


def address(rule: Rule, sheet: Assessment, app: Flask) -> str:
    """An address of the rule, about this assessment."""
    values: dict[str, Any] = {
        "public_id": sheet.public_id,
        "n": 1,
        "code": "lupusqol",
        "language": "en",
        "version": "000000000000",
        "sha256": "0" * 64,
        "release": release(app),
        "filename": "css/look.css",
        "message": MESSAGE,
        "what": "shown",
        "secret": CALENDAR,
        "study": "test",
        "number": "01-101",
        "account": ACCOUNT,
        "correction": CORRECTION,
        "assessment": sheet.public_id,
        "sheet": sheet.public_id,
        "job": "export-of-mine",
        "name": NAMES.get(rule.endpoint, "icon-192.png"),
        "table": "answers",
    }
    built: Any = rule.build({name: values[name] for name in rule.arguments}, append_unknown=False)
    return str(built[1])


def without_seen(database: Database) -> dict[str, Any]:
    """All rows, but not when a session was last used."""
    tables: dict[str, Any] = snapshot(database)
    tables["device_session"] = [row[:4] + row[5:] for row in tables["device_session"]]
    return tables


def test_every_endpoint_names_its_audience(app: Flask) -> None:
    found = {
        rule.endpoint: getattr(app.view_functions[rule.endpoint], "audience", None)
        for rule in rules(app)
    }
    assert found == AUDIENCES


def test_an_endpoint_without_an_audience_is_refused(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    app.add_url_rule("/forgotten", view_func=lambda: "secret", endpoint="forgotten")
    response = app.test_client().get("/forgotten")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "RuntimeError in forgotten" in caplog.text


def is_for_staff(rule: Rule) -> bool:
    """Whether a page is one of the staff's."""
    return rule.endpoint in STAFF


def is_open_to_all(rule: Rule) -> bool:
    """Whether a page of the staff's is for who is not signed in, too."""
    return is_for_staff(rule) and STAFF[rule.endpoint] is None


def turned_away(rule: Rule, response: TestResponse) -> bool:
    """Whether somebody whom a page is not for was sent elsewhere."""
    if response.status_code in {302, 303}:
        return response.location in {"/join/", "/join/pin", "/unlock"}
    return response.status_code in {401, 404}


def test_a_stranger_gets_nothing_of_anybody(
    app: Flask, cast: Cast, subtests: pytest.Subtests
) -> None:
    before = without_seen(cast.site.database)
    words = cast.secrets_of(cast.mine) + cast.secrets_of(cast.other)
    for rule in rules(app):
        for method in sorted(rule.methods or ()):
            browser = Browser(app)
            browser.get("/join/")
            with subtests.test(rule.endpoint, method=method):
                response = browser.client.open(
                    address(rule, cast.my_sheet, app),
                    method=method,
                    data={"csrf_token": browser.page.token()} if method == "POST" else None,
                )
                told = response.data.decode(errors="replace") + str(response.headers)
                found = [word for word in words if word in told]
                if AUDIENCES[rule.endpoint] in {"device", "participant"} and method != "OPTIONS":
                    assert turned_away(rule, response)
                if STAFF.get(rule.endpoint) is not None and method != "OPTIONS":
                    assert (response.status_code, response.location) == (303, "/staff/sign-in")
                if rule.endpoint in TABLET and method != "OPTIONS":
                    assert (response.status_code, response.location) == (302, "/")
                if rule.endpoint in TOKEN - {"api.openapi"}:
                    assert (response.status_code, response.mimetype) == (401, PROBLEM)
                assert found == []
    assert without_seen(cast.site.database) == before


def test_a_stranger_sending_json_is_told_that_the_phone_is_not_joined(
    app: Flask, cast: Cast
) -> None:
    browser = Browser(app)
    browser.get("/join/")
    for path in ("answers", "submit", "items/1"):
        response = browser.send(f"/questionnaires/{cast.my_sheet.public_id}/{path}", {})
        assert (response.status_code, response.json) == (401, {"error": "device"})


def test_a_locked_phone_shows_nothing_of_its_owner(
    app: Flask, cast: Cast, joined: Browser, subtests: pytest.Subtests
) -> None:
    joined.get("/today")
    joined.post("/lock")
    joined.get("/unlock")
    token = joined.page.token()
    before = without_seen(cast.site.database)
    words = cast.secrets_of(cast.mine)
    for rule in rules(app):
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            if AUDIENCES[rule.endpoint] != "participant":
                continue
            path = address(rule, cast.my_sheet, app)
            with subtests.test(rule.endpoint, method=method):
                data = {"csrf_token": token, "choice": "4"} if method == "POST" else None
                response = joined.client.open(path, method=method, data=data)
                assert turned_away(rule, response)
                told = response.text.replace(path, "")  # the address that it came with
                assert [word for word in words if word in told] == []
    assert without_seen(cast.site.database) == before


def test_somebody_elses_questionnaire_is_as_unknown_as_none(
    app: Flask, cast: Cast, joined: Browser, subtests: pytest.Subtests
) -> None:
    joined.get("/today")
    token = joined.page.token()
    before = without_seen(cast.site.database)
    checked = 0
    for rule in rules(app):
        if "public_id" not in rule.arguments or rule.endpoint in TABLET:
            continue
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            with subtests.test(rule.endpoint, method=method):
                pages = []
                for sheet in (cast.other_sheet, Assessment(public_id="A" * 16)):
                    path = address(rule, sheet, app)
                    json = rule.endpoint == "questionnaire.take_operations"
                    response = joined.client.open(
                        path,
                        method=method,
                        json={"language": "en", "operations": []} if json else None,
                        data=None if json else {"csrf_token": token, "choice": "4"},
                        headers={"X-CSRFToken": token},
                    )
                    assert response.status_code == 404
                    said = response.text.replace(sheet.public_id, "ID")
                    pages.append(re.sub(r'name="csrf_token" value="[^"]*"', "", said))
                assert pages[0] == pages[1]
                checked += 1
    assert checked == 7
    assert without_seen(cast.site.database) == before


def test_reading_changes_nothing(
    app: Flask, cast: Cast, joined: Browser, subtests: pytest.Subtests
) -> None:
    before = without_seen(cast.site.database)
    for rule in rules(app):
        for method in sorted((rule.methods or set()) & {"GET", "HEAD", "OPTIONS"}):
            with subtests.test(rule.endpoint, method=method):
                path = address(rule, cast.my_sheet, app)
                assert joined.client.open(path, method=method).status_code < 500
                if (rule.endpoint, method) == ("reminders.opened", "GET"):
                    # a tap is noted, once: it alone proves that a reminder has reached its person
                    before["message"] = [
                        (*row[:-1], cast.site.clock()) for row in before["message"]
                    ]
                assert without_seen(cast.site.database) == before


@pytest.mark.parametrize("token", [None, "forged"])
def test_nothing_is_taken_without_a_token(
    app: Flask, cast: Cast, joined: Browser, subtests: pytest.Subtests, token: str | None
) -> None:
    before = without_seen(cast.site.database)
    stranger = Browser(app)
    stranger.get("/join/")
    checked = 0
    for rule in rules(app):
        if "POST" not in (rule.methods or ()):
            continue
        for browser in (joined, stranger):
            for kind in ("data", "json"):
                with subtests.test(rule.endpoint, kind=kind):
                    path = address(rule, cast.my_sheet, app)
                    fields = {"csrf_token": token, "choice": "4", "language": "ta", "pin": PIN}
                    body = {name: value for name, value in fields.items() if value is not None}
                    response = browser.client.post(path, **{kind: body})
                    open_to = AUDIENCES[rule.endpoint] == "public" or is_open_to_all(rule)
                    apart = is_for_staff(rule) or rule.endpoint in TABLET
                    own = open_to or (browser is joined and not apart)
                    assert response.status_code in ({400} if own else {302, 303, 401})
                    checked += 1
        assert without_seen(cast.site.database) == before
    assert checked >= 40


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "http://localhost:81"}, False),
        ({"Origin": "https://localhost"}, False),
        ({"Origin": "http://localhost.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"}, False),
    ],
)
def test_the_worker_posts_without_a_token_but_only_from_here(
    app: Flask,
    cast: Cast,
    joined: Browser,
    headers: dict[str, str],
    taken: bool,
    subtests: pytest.Subtests,
) -> None:
    """And only where the worker posts: no other view is opened by a request's origin."""
    posts = [rule for rule in rules(app) if "POST" in (rule.methods or ())]
    assert {rule.endpoint for rule in posts} > FROM_WORKER
    before = without_seen(cast.site.database)
    for rule in posts:
        with subtests.test(rule.endpoint):
            path = address(rule, cast.my_sheet, app)
            response = joined.client.post(path, json={}, headers=headers)
            free = taken and rule.endpoint in FROM_WORKER
            if is_for_staff(rule) and not is_open_to_all(rule):
                assert (response.status_code, response.location) == (303, "/staff/sign-in")
            elif rule.endpoint in TABLET:
                assert (response.status_code, response.location) == (302, "/")
            else:
                assert (response.status_code != 400) is free, response.text
    assert (without_seen(cast.site.database) != before) is taken, "the message was shown"


def test_the_worker_of_a_stranger_is_turned_away(app: Flask, cast: Cast) -> None:
    client = app.test_client()
    before = without_seen(cast.site.database)
    for path in (f"/r/{MESSAGE}/shown", f"/r/{MESSAGE}/opened", "/reminders/renewal"):
        response = client.post(path, headers={"Sec-Fetch-Site": "same-origin"})
        assert (response.status_code, response.location) == (302, "/join/")
    assert without_seen(cast.site.database) == before


def test_a_token_of_another_browser_is_refused(app: Flask, cast: Cast, joined: Browser) -> None:
    stranger = Browser(app)
    stranger.get("/join/")
    joined.get("/today")
    data = {"csrf_token": stranger.page.token(), "language": "ta"}
    assert joined.client.post("/settings", data=data).status_code == 400


def test_a_page_that_was_open_too_long_keeps_what_was_chosen(
    app: Flask, cast: Cast, joined: Browser
) -> None:
    """A token that is no longer good: the page offers to send the same again, with a fresh one."""
    path = f"/questionnaires/{cast.my_sheet.public_id}/items/2"
    data = {"csrf_token": "stale", "choice": "4", "action": "next"}
    joined.response = joined.client.post(path, data=data, headers=joined.accept)
    page = joined._see(400)
    carried = {one["name"]: one["value"] for one in page.all("input") if one["type"] == "hidden"}
    assert (carried["choice"], carried["action"]) == ("4", "next")
    forms = [one for one in page.all("form") if one["action"].startswith(path)]  # type: ignore[union-attr]
    assert len(forms) == 1
    joined.post(path, choice="4", action="next")
    assert joined.path.endswith("/items/3")


def test_a_json_request_without_a_good_token_gets_one_that_works(
    app: Flask, cast: Cast, joined: Browser
) -> None:
    path = f"/questionnaires/{cast.my_sheet.public_id}/answers"
    body = {"language": "en", "operations": []}
    refused = joined.send(path, body, token="stale")
    assert refused.status_code == 400
    assert refused.json is not None
    assert refused.json["error"] == "csrf"
    assert joined.send(path, body, token=refused.json["csrf"]).status_code == 200


# --- cookies and headers ------------------------------------------------------------------------


def cookies(response: TestResponse) -> dict[str, str]:
    """The cookies that an answer sets, by name."""
    found = response.headers.getlist("Set-Cookie")
    return {one.partition("=")[0]: one for one in found}


def join_by_hand(app: Flask, person: Enrolled) -> dict[str, str]:
    """Join, and collect every cookie that was set on the way."""
    client, found = app.test_client(), {}
    base = app.extensions["pro_app"].settings.public_url

    def step(path: str, **data: str) -> None:
        page = client.get(path, base_url=base, headers={"Accept-Language": "en"})
        token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        data["csrf_token"] = token
        response = client.post(path, data=data, base_url=base)
        assert response.status_code in {302, 303}
        found.update(cookies(page) | cookies(response))

    step("/join/?language=ms", code=person.code)
    step("/join/notice", accept="yes")
    step("/join/pin", pin=PIN, again=PIN)
    return found


def test_over_tls_every_cookie_is_bound_to_the_host(
    web_site: Site, sqlite_url: str, clock: TestClock
) -> None:
    app = make_app(sqlite_url, clock, "https://pro.example.org")
    found = join_by_hand(app, web_site.enrol())
    assert set(found) == {"__Host-session", "__Host-device", "language"}
    for cookie in found.values():
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= parts
        assert not any(part.startswith("domain") for part in parts)
    app.extensions["pro_app"].database.close()


def test_on_this_machine_cookies_are_plain(app: Flask, web_site: Site) -> None:
    found = join_by_hand(app, web_site.enrol())
    assert set(found) == {"session", "device", "language"}
    for cookie in found.values():
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "path=/", "samesite=lax"} <= parts
        assert "secure" not in parts


def test_the_phones_cookie_lives_as_long_as_browsers_allow_and_is_renewed(
    app: Flask, cast: Cast, joined: Browser
) -> None:
    joined.post("/lock")
    data = {"csrf_token": joined.page.token(), "pin": PIN}
    response = joined.client.post("/unlock", data=data)
    assert "Max-Age=34560000" in cookies(response)["device"]


def test_no_cookie_holds_what_the_database_keeps(cast: Cast, joined: Browser) -> None:
    kept = str(snapshot(cast.site.database))
    device = joined.client.get_cookie("device")
    assert device is not None
    assert len(device.value) == 43
    assert device.value not in kept


POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)


def test_every_page_carries_its_headers(
    app: Flask, cast: Cast, joined: Browser, subtests: pytest.Subtests
) -> None:
    for browser in (joined, Browser(app)):
        for rule in rules(app):
            if "GET" not in (rule.methods or ()):
                continue
            with subtests.test(rule.endpoint, joined=browser is joined):
                response = browser.client.get(address(rule, cast.my_sheet, app))
                headers = response.headers
                assert headers["X-Content-Type-Options"] == "nosniff"
                assert headers["Cache-Control"] == KEPT.get(rule.endpoint, "no-store")
                if response.mimetype == "text/html":
                    assert headers["Referrer-Policy"] == "no-referrer"
                    assert headers.getlist("Content-Security-Policy") == [POLICY]
                    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
                    assert "camera=()" in headers["Permissions-Policy"]
                    assert "Strict-Transport-Security" not in headers, "plain HTTP has none"


def test_errors_carry_their_headers_too(app: Flask, joined: Browser) -> None:
    for path, status in (("/nothing", 404), ("/lock", 405)):
        response = joined.client.get(path)
        assert response.status_code == status
        assert response.headers["Content-Security-Policy"] == POLICY
        assert response.headers["Cache-Control"] == "no-store"


def test_over_tls_browsers_are_told_to_stay_there(
    web_site: Site, sqlite_url: str, clock: TestClock
) -> None:
    app = make_app(sqlite_url, clock, "https://pro.example.org")
    headers = app.test_client().get("/join/", base_url="https://pro.example.org").headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    app.extensions["pro_app"].database.close()


def test_sheets_are_kept_and_belong_to_nobody(app: Flask, cast: Cast, joined: Browser) -> None:
    page = joined.get(f"/questionnaires/{cast.my_sheet.public_id}/items/1")
    (form,) = [one for one in page.all("form") if "data-sheet" in one]
    path = str(form["data-sheet"])
    answers = [browser.client.get(path) for browser in (joined, Browser(app))]
    assert answers[0].data == answers[1].data
    for response in answers:
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.headers.get("Vary", "")
        assert "checked" not in response.text
        assert [word for word in cast.secrets_of(cast.mine) if word in response.text] == []


def test_a_sheets_address_tells_nothing_and_outlives_a_restart(
    app: Flask, joined: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = joined.get(f"/questionnaires/{cast.my_sheet.public_id}/items/1")
    (path,) = [str(one["data-sheet"]) for one in page.all("form") if "data-sheet" in one]
    assert re.fullmatch("/sheets/[0-9a-f]{12}", path)
    before = app.test_client().get(path)
    monkeypatch.setattr(sheets, "_rendered", {})
    after = app.test_client().get(path)
    assert (after.status_code, after.data) == (200, before.data)


def test_a_sheet_that_never_was_is_not_there(app: Flask) -> None:
    client = app.test_client()
    for path in ("000000000000", "lupusqol", "lupusqol/en/000000000000"):
        assert client.get(f"/sheets/{path}").status_code == 404


def test_static_files_stay_inside_their_folder(app: Flask) -> None:
    prefix = f"/static/{release(app)}/"
    client = app.test_client()
    assert client.get(f"{prefix}css/look.css").status_code == 200
    for path in ("../pyproject.toml", "..%2fpyproject.toml", "css/../../wsgi.py", "none.css"):
        assert client.get(f"{prefix}{path}").status_code == 404


# --- sessions -----------------------------------------------------------------------------------


def test_a_session_that_was_locked_is_dead_even_with_its_old_cookie(
    app: Flask, cast: Cast, joined: Browser
) -> None:
    old = joined.client.get_cookie("session")
    assert old is not None
    joined.get("/today")
    joined.post("/lock")
    thief = app.test_client()
    thief.set_cookie("session", old.value)
    assert thief.get("/today").location == "/join/"


def test_a_session_ends_by_itself_and_the_phone_asks_for_the_pin(
    cast: Cast, joined: Browser
) -> None:
    cast.site.clock.forward(minutes=31)
    page = joined.get(f"/questionnaires/{cast.my_sheet.public_id}/items/7")
    assert joined.path == "/unlock"
    assert "01-101" not in page.text
    joined.unlock()
    assert joined.path.endswith("/items/7"), "and goes on to where the person was going"


def test_a_session_in_use_does_not_end(cast: Cast, joined: Browser) -> None:
    for _ in range(5):
        cast.site.clock.forward(minutes=29)
        joined.get("/today")
        assert joined.path == "/today"


def test_a_cookie_signed_by_the_previous_key_still_opens(
    cast: Cast, joined: Browser, sqlite_url: str, clock: TestClock
) -> None:
    new = "another-key-0123456789abcdefghijk"
    values = [(one, joined.client.get_cookie(one)) for one in ("session", "device")]
    for previous, expected in (((KEY,), 200), ((), 302)):
        app = make_app(sqlite_url, clock, secret_key=new, previous_secret_keys=previous)
        client = app.test_client()
        for name, cookie in values:
            assert cookie is not None
            client.set_cookie(name, cookie.value)
        assert client.get("/today").status_code == expected
        app.extensions["pro_app"].database.close()


def test_a_withdrawn_persons_phone_opens_nothing(cast: Cast, joined: Browser) -> None:
    with cast.site.database.writing() as session:
        enrolment.withdraw(session, cast.mine.id, cast.site.clock())
    joined.get("/today")
    assert joined.path == "/join/"


def test_one_persons_page_is_never_anothers(app: Flask, cast: Cast, joined: Browser) -> None:
    """Pages are made from shared pieces: what is one person's stays that person's."""
    other = Browser(app)
    other.join(cast.other)
    for _ in range(2):
        for browser, sheet, chosen in (
            (joined, cast.my_sheet, "1"),
            (other, cast.other_sheet, "3"),
        ):
            page = browser.get(f"/questionnaires/{sheet.public_id}/items/1")
            checked = [one["value"] for one in page.all("input") if "checked" in one]
            assert checked == [chosen]
            strange = cast.other_sheet if sheet is cast.my_sheet else cast.my_sheet
            assert strange.public_id not in page.text
            assert f'"LQ01": ["answered", {chosen}]' in page.text.replace("&#34;", '"')
            assert browser.page.token() in page.text
    assert joined.page.token() != other.page.token()


# --- behind a proxy -----------------------------------------------------------------------------


@pytest.mark.parametrize(("proxies", "blocked"), [(0, True), (1, False)])
def test_a_forwarded_address_counts_only_behind_our_own_proxy(
    web_site: Site,
    sqlite_url: str,
    clock: TestClock,
    monkeypatch: pytest.MonkeyPatch,
    proxies: int,
    blocked: bool,
) -> None:
    """Somebody who makes up a new X-Forwarded-For for every try must not escape the count."""
    monkeypatch.setattr(enrolment, "TRIES", 5)
    app = make_app(sqlite_url, clock, trusted_proxies=proxies)
    browser = Browser(app)
    browser.get("/join/")
    statuses = [
        browser.client.post(
            "/join/",
            data={"csrf_token": browser.page.token(), "code": "AAAAAAAA"},
            headers={"X-Forwarded-For": f"192.0.2.{n}"},
        ).status_code
        for n in range(enrolment.TRIES + 1)
    ]
    assert statuses[:-1] == [422] * enrolment.TRIES
    assert (statuses[-1] == 429) is blocked
    app.extensions["pro_app"].database.close()


def test_the_forwarded_scheme_counts_only_behind_our_own_proxy(app: Flask) -> None:
    @app.get("/seen")
    def seen() -> str:
        return f"{request.scheme} {request.host}"

    seen.audience = "public"  # type: ignore[attr-defined]
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    assert app.test_client().get("/seen", headers=headers).text == "http localhost"


# --- ways out of the house ----------------------------------------------------------------------


ELSEWHERE = (
    "https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)",
    "evil.example", "/\t/evil.example/", "/\n/evil.example", "\\\\evil.example", "",
)  # fmt: skip


def test_no_form_leads_elsewhere(cast: Cast, joined: Browser, subtests: pytest.Subtests) -> None:
    for elsewhere in ELSEWHERE:
        with subtests.test(elsewhere):
            joined.get("/today")
            data = {"csrf_token": joined.page.token(), "back": elsewhere, "text_size": "1"}
            assert is_here(joined.client.post("/settings", data=data))
            joined.get("/today")
            joined.post("/lock")
            data = {"csrf_token": joined.page.token(), "carry_to": elsewhere, "pin": PIN}
            assert is_here(joined.client.post("/unlock", data=data))


def is_here(response: TestResponse) -> bool:
    """Whether a browser that follows the answer stays on this site."""
    location = response.location.translate(dict.fromkeys(map(ord, "\t\r\n")))
    return location.startswith("/") and not location.startswith(("//", "/\\"))
