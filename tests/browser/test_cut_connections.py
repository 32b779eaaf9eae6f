"""Connections break at every byte that matters: each tap is in the record once all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pro_app.models import Assessment
from tests.browser import proxy as network
from tests.browser import record
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.faults import (
    RECEIPT,
    SAVED,
    answering,
    comes_through,
    nothing_waits,
    presses,
    rows,
    trail,
)
from tests.browser.proxy import PLACES, Fault, Hold, Proxy
from tests.conftest import Enrolled, Site, TestClock

# for phones whose answers the test reads on the way
READABLE: dict[str, Any] = {"extra_http_headers": {"Accept-Encoding": "identity"}}
ANSWERS = r"POST /questionnaires/.*/answers"
REQUESTS = {f"request {place}": network.cut_request(place) for place in PLACES}
RESPONSES = {f"response {place}": network.cut_response(place) for place in PLACES}
CUTS = {**REQUESTS, **RESPONSES, "reset": network.reset}
WHOLE_REQUEST, WHOLE_RESPONSE = f"request {PLACES[-1]}", f"response {PLACES[-1]}"
REACHES = {WHOLE_REQUEST, *RESPONSES}  # the faults in which the server gets to know


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    found = Proxy()
    yield found
    found.close()


@pytest.fixture
def server(server: Server, proxy: Proxy) -> Server:
    """The server, as the phones find it behind the proxy."""
    proxy.port, server.url = server.port, proxy.url
    return server


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol()


def test_each_answer_is_in_the_record_once_wherever_the_connection_breaks(
    phones: Phones, web_site: Site, person: Enrolled, proxy: Proxy, watch: Watch, clock: TestClock
) -> None:
    watch.expect("net::ERR_")
    lupusqol, _ = web_site.open(person)
    phone = answering(phones, lupusqol, person)
    expected: list[tuple[str, str, int | None]] = []
    for n, (name, fault) in enumerate(CUTS.items(), start=1):
        phone.at(n)
        proxy.befall(ANSWERS, fault)
        phone.choose(n % 5)
        tap = (f"LQ{n:02}", "answered", n % 5)
        came = proxy.wait()
        assert came.path.endswith(f"/{lupusqol.public_id}/answers")
        check_cut(came, name)
        if name != WHOLE_RESPONSE:
            phone.waiting(1)
        if name in REACHES:
            record.eventually(lambda: rows(web_site, lupusqol)[-1:], [tap])
        assert rows(web_site, lupusqol) == [*expected, *([tap] if name in REACHES else [])], name
        proxy.heal()
        expected.append(tap)
        if name == WHOLE_RESPONSE:
            phone.saved()
        else:
            comes_through(phone, clock, SAVED)
        assert rows(web_site, lupusqol) == expected, name
        phone.next()
    assert len(CUTS) == 21
    assert trail(web_site, lupusqol, "answer") == len(CUTS)
    assert record.values(web_site, lupusqol) == {item: code for item, _, code in expected}


def check_cut(passage: network.Passage, name: str) -> None:
    """As much has come through as the fault's name says."""
    way, _, place = name.partition(" ")
    if way == "request":
        assert passage.to_server == [network.places(passage.request)[place]]
        assert passage.to_browser == 0
    elif way == "response":
        assert passage.to_server == [len(passage.request)]
        assert passage.to_browser == network.places(passage.responses[0])[place]
    else:
        assert (passage.to_server, passage.to_browser) == ([], 0)


def test_each_questionnaire_is_submitted_once_wherever_the_connection_breaks(
    phones: Phones, web_site: Site, person: Enrolled, proxy: Proxy, watch: Watch, clock: TestClock
) -> None:
    watch.expect("net::ERR_")
    first = phones.of(person, own_time=True)
    first.open("/today")
    first.is_prepared()
    for occurrence, (name, fault) in enumerate(CUTS.items(), start=1):
        (assessment,) = web_site.open(person, "month_3", occurrence=occurrence)
        web_site.answer_all(assessment)
        phone = first.another_window()
        phone.open(f"/questionnaires/{assessment.public_id}/review")
        phone.is_prepared()
        proxy.befall(ANSWERS, fault)
        phone.submit()
        proxy.wait()
        if name in REACHES:
            record.eventually(lambda: presses(web_site, assessment), ["submitted"])  # noqa: B023
        assert len(record.submissions(web_site, assessment)) == int(name in REACHES), name
        proxy.heal()
        comes_through(phone, clock, RECEIPT)
        (submission,) = record.submissions(web_site, assessment)
        assert phone.receipt().replace("-", "").lower() == submission.receipt[:12]
        assert presses(web_site, assessment) == ["submitted"], name
        assert trail(web_site, assessment, "submit") == 1
        assert trail(web_site, assessment, "press_submit") == 1
        phone.page.close()


def told(passage: network.Passage) -> list[dict[str, object]]:
    """What the server said each time it got the request."""
    said = []
    for response in passage.responses:
        head, _, body = response.partition(network.END_OF_HEAD)
        assert head.startswith(b"HTTP/1.1 200 ")
        said.append(json.loads(body))
    return said


def test_a_network_that_sends_everything_twice_changes_nothing(
    phones: Phones, web_site: Site, person: Enrolled, proxy: Proxy
) -> None:
    (assessment,) = web_site.open(person, "month_3")
    web_site.answer_all(assessment)
    before = rows(web_site, assessment)
    phone = phones.of(person, **READABLE)
    phone.open(f"/questionnaires/{assessment.public_id}/items/30")
    proxy.befall(ANSWERS, network.twice)
    places = (1, 2, 1, 3)
    for count, place in enumerate(places, start=1):
        phone.at(30)
        phone.choose(place)
        for said in told(proxy.wait(count)):
            assert said.keys() == {"at", "seen"}  # all taken, nothing refused
        phone.saved()
    item = web_site.library.instruments["sf36v2"].items[29]
    expected = [(item.code, "answered", item.options.codes[place]) for place in places]
    assert rows(web_site, assessment) == before + expected
    assert trail(web_site, assessment, "answer") == len(before + expected)
    phone.open(f"/questionnaires/{assessment.public_id}/review")
    phone.is_prepared()
    phone.submit()
    receipt = phone.receipt()
    first, second = told(proxy.wait(len(places) + 1))
    assert first["receipt"] == second["receipt"]
    assert first["receipt"]["code"] == receipt  # type: ignore[index]
    assert presses(web_site, assessment) == ["submitted"]
    assert trail(web_site, assessment, "submit") == 1
    assert all(len(passage.to_server) == 2 for passage in proxy.met)


def test_what_takes_longer_than_a_phone_waits_is_sent_again_and_taken_once(
    phones: Phones, web_site: Site, proxy: Proxy, clock: TestClock
) -> None:
    """Dropped; answered too late; arriving after what was tapped later; submitted meanwhile."""
    people = [web_site.enrol(f"01-00{n}") for n in range(1, 5)]
    dropped, unheard, overtaken = (web_site.open(one)[0] for one in people[:3])
    (pressed,) = web_site.open(people[3], "month_3")
    web_site.answer_all(pressed)
    late, early, press = Hold(answered=True), Hold(), Hold()
    faults: dict[Assessment, Fault] = {
        dropped: network.drop, unheard: late, overtaken: early, pressed: press,
    }  # fmt: skip
    for assessment, fault in faults.items():
        proxy.befall(f"POST .*{assessment.public_id}/answers", fault)
    by_phone = {
        one: answering(phones, one, person)
        for one, person in zip((dropped, unheard, overtaken), people, strict=False)
    }
    by_phone[pressed] = phones.of(people[3], own_time=True, **READABLE)
    by_phone[pressed].open(f"/questionnaires/{pressed.public_id}/review")
    by_phone[pressed].is_prepared()
    by_phone[pressed].submit()
    for one in (dropped, unheard, overtaken):
        by_phone[one].choose(1)
    for hold in (late, early, press):
        hold.wait()
    by_phone[overtaken].choose(3)

    by_phone[dropped].waiting(1)  # each phone has given up by itself
    by_phone[unheard].waiting(1)
    by_phone[overtaken].saved()  # with a second tap there, it tries again at once
    proxy.heal()
    for one in (dropped, unheard):
        comes_through(by_phone[one], clock, SAVED)
    comes_through(by_phone[pressed], clock, RECEIPT)
    receipt = by_phone[pressed].receipt()
    for hold in (late, early, press):  # and only now goes on what the phones have given up
        (said,) = told(hold.release())
        assert "refused" not in said
    assert said["receipt"]["code"] == receipt  # type: ignore[index]
    first, second = ("LQ01", "answered", 1), ("LQ01", "answered", 3)
    assert rows(web_site, dropped) == rows(web_site, unheard) == [first]
    assert rows(web_site, overtaken) == [first, second]
    assert record.values(web_site, overtaken) == {"LQ01": 3}
    assert trail(web_site, overtaken, "answer") == 2
    assert presses(web_site, pressed) == ["submitted"]
    for one in (dropped, unheard):
        assert trail(web_site, one, "answer") == 1


def test_a_page_made_before_another_sender_submitted_goes_on_to_the_receipt(
    phones: Phones, web_site: Site, person: Enrolled, proxy: Proxy, watch: Watch
) -> None:
    """The other sender is another window here; it can be the service worker as well."""
    watch.expect("net::ERR_")
    (assessment,) = web_site.open(person, "month_3")
    web_site.answer_all(assessment)
    other = phones.of(person)
    other.open("/today")
    other.is_prepared()
    pressing, phone = other.another_window(), other.another_window()
    review = f"/questionnaires/{assessment.public_id}/review"
    pressing.open(review)
    pressing.is_prepared()
    proxy.befall(ANSWERS, network.cut_request(PLACES[0]))
    pressing.submit()
    proxy.wait()
    pressing.page.close()
    phone.open("/today")
    phone.is_prepared()
    made = Hold(answered=True)
    proxy.befall(f"GET {review}", made)
    phone.page.evaluate("(address) => { location.href = address; }", review)
    made.wait()  # the page is made, and nothing is submitted yet
    proxy.heal()
    other.page.evaluate("dispatchEvent(new Event('online'))")
    record.eventually(lambda: presses(web_site, assessment), ["submitted"])
    nothing_waits(other)
    made.release()
    assert phone.receipt()
    assert presses(web_site, assessment) == ["submitted"]
