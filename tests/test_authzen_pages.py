"""Pages of search results (AuthZEN section 8.2): limits, tokens, and which token leads where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conformance import Client, ask, names, pages, service

SEARCH = "/access/v1/search/"
SUBJECTS, RESOURCES, ACTIONS = SEARCH + "subject", SEARCH + "resource", SEARCH + "action"
RECORD = {"type": "record"}
ALICE, ERIN = {"type": "user", "id": "alice"}, {"type": "user", "id": "erin"}
ALL = {"subject": ALICE, "action": {"name": "view"}, "resource": RECORD}
ERINS = {"subject": ERIN, "action": {"name": "view"}, "resource": RECORD}
RECORDS = [str(number) for number in range(101, 121)]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """The records of the search demo: twenty that Alice may view, four of them Erin, too."""
    with service("interop/search", entities="interop") as client:
        yield client


@pytest.fixture(scope="module")
def narrow() -> Iterator[Client]:
    """The same where a page holds three results at most."""
    with service("interop/search", entities="interop", max_page=3) as client:
        yield client


def page(client: Client, search: dict[str, Any], path: str = RESOURCES, **asked: Any) -> Any:
    """The answer to a search for a page."""
    return ask(client, path, {**search, "page": asked})


def first_token(client: Client, **asked: Any) -> str:
    """The token of the first page of everything, of four results unless told otherwise."""
    token = page(client, ALL, **({"limit": 4} | asked)).json()["page"]["next_token"]
    assert isinstance(token, str)
    assert token
    return token


# --- what a page is ---

WRONG_PAGES: list[Any] = [
    {"limit": True}, {"limit": False}, {"limit": -1}, {"limit": 1.5}, {"limit": "1"}, {"limit": [1]}, {"limit": {}},
    {"token": 5}, {"token": True}, {"token": []}, {"token": {}}, [], [1], "1", 1, True, False,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_PAGES, ids=repr)
@pytest.mark.parametrize("path", [SUBJECTS, RESOURCES, ACTIONS])
def test_a_page_of_the_wrong_form_is_refused(client: Client, path: str, wrong: Any) -> None:
    """A limit is a whole number, 0 or more, and `true` is no number; a token is text."""
    search = {**ALL, "subject": ALICE, "resource": {"type": "record", "id": "101"}}

    answer = ask(client, path, {**search, "page": wrong})

    assert answer.status_code == 400
    assert "`page" in answer.json()["detail"]


@pytest.mark.parametrize("limit", range(1, 22))
def test_every_limit_finds_everything_once(client: Client, limit: int) -> None:
    """The pages are full but for the last, in one order, without gap or repeat."""
    found = pages(client, RESOURCES, {**ALL, "page": {"limit": limit}})

    assert [RECORDS[start : start + limit] for start in range(0, 20, limit)] == found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_the_last_page_says_that_it_is_the_last(client: Client, limit: int) -> None:
    """Where no result is left no token is given, even if there are candidates left that are none."""
    hers = ["105", "111", "115", "117"]

    assert [hers[start : start + limit] for start in range(0, 4, limit)] == pages(
        client, RESOURCES, {**ERINS, "page": {"limit": limit}}
    )


@pytest.mark.parametrize("limit", [20, 21, 1000, 1001, 10**15, 10**30])
def test_a_limit_beyond_the_results_gives_all_of_them(client: Client, limit: int) -> None:
    """A large limit is no mistake."""
    answer = page(client, ALL, limit=limit).json()

    assert RECORDS == names(answer)
    assert {"next_token": "", "count": 20} == answer["page"]


def test_a_limit_may_be_written_with_a_point(client: Client) -> None:
    """2.0 is the whole number 2, as everywhere here; a token goes on with either."""
    first = page(client, ALL, limit=2.0).json()

    assert RECORDS[:2] == names(first)
    assert RECORDS[2:4] == names(page(client, ALL, limit=2, token=first["page"]["next_token"]).json())


def test_a_page_of_no_results_says_whether_there_are_any(client: Client) -> None:
    """The limit 0 gives no results, and a token if there would be some."""
    some = page(client, ALL, limit=0).json()
    none = page(client, {**ALL, "resource": {"type": "spaceship"}}, limit=0).json()

    assert some["results"] == none["results"] == []
    assert some["page"]["next_token"]
    assert none["page"]["next_token"] == ""
    assert RECORDS[:2] == names(page(client, ALL, token=some["page"]["next_token"], limit=2).json())


@pytest.mark.parametrize("asked", [{}, {"properties": {"sort": "desc"}}, {"customAttr": "ignored", "size": -1}, {"limit": None, "token": None}])  # fmt: skip
def test_other_members_of_a_page_are_ignored(client: Client, asked: dict[str, Any]) -> None:
    """Members that nobody knows, and null, change nothing."""
    answer = page(client, ALL, **asked).json()

    assert RECORDS == names(answer)
    assert answer["page"]["next_token"] == ""


def test_who_does_not_speak_of_pages_gets_none(client: Client) -> None:
    """Without `page` in the request, and with nothing cut, there is none in the answer."""
    assert list(ask(client, RESOURCES, ALL).json()) == ["results"]
    assert list(ask(client, RESOURCES, {**ALL, "page": None}).json()) == ["results"]


def test_what_is_cut_says_so_even_if_nobody_asked_for_pages(narrow: Client) -> None:
    """Whoever gets less than everything gets a token for the rest."""
    first = ask(narrow, RESOURCES, ALL).json()

    assert list(first) == ["page", "results"]
    assert [RECORDS[start : start + 3] for start in range(0, 20, 3)] == pages(narrow, RESOURCES, ALL)


def test_a_service_gives_no_larger_pages_than_it_wants(narrow: Client) -> None:
    """A limit above the service's own is cut to it, and the token goes on all the same."""
    first = page(narrow, ALL, limit=10).json()
    second = page(narrow, ALL, limit=10, token=first["page"]["next_token"]).json()

    assert RECORDS[:6] == names(first) + names(second)
    assert first["page"]["count"] == 3


# --- where a token leads ---


def test_a_token_goes_on_with_or_without_the_limit(client: Client) -> None:
    """The scenario's follow-up drops the limit, others repeat it; both get the same page."""
    token = first_token(client)

    assert RECORDS[4:8] == names(page(client, ALL, token=token).json())
    assert RECORDS[4:8] == names(page(client, ALL, token=token, limit=4).json())


def test_a_token_can_be_used_again(client: Client) -> None:
    """A page that is asked for twice is the same twice; so is its token."""
    token = first_token(client)

    assert page(client, ALL, token=token).content == page(client, ALL, token=token).content
    assert token == first_token(client)


@pytest.mark.parametrize("limit", [0, 1, 3, 5, 20])
def test_a_token_does_not_go_with_another_limit(client: Client, limit: int) -> None:
    """Who changes the limit on the way asks for something else."""
    assert page(client, ALL, token=first_token(client), limit=limit).status_code == 400


OTHERS: dict[str, dict[str, Any]] = {
    "another subject": {"subject": ERIN},
    "a subject with properties": {"subject": {**ALICE, "properties": {"role": "manager"}}},
    "another action": {"action": {"name": "edit"}},
    "an action with properties": {"action": {"name": "view", "properties": {"a": 1}}},
    "another type of resource": {"resource": {"type": "todo"}},
    "a resource with properties": {"resource": {**RECORD, "properties": {"department": "Legal"}}},
    "a context": {"context": {"a": 1}},
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_token_leads_on_in_its_own_search_only(client: Client, name: str) -> None:
    """When anything but the token changes, the token is refused."""
    assert page(client, {**ALL, **OTHERS[name]}, token=first_token(client)).status_code == 400


def test_a_token_leads_on_however_the_search_is_written(client: Client) -> None:
    """The order of members does not count, nor members that nobody knows, nor null."""
    written = {
        "foo": 1,
        "context": None,
        **{name: ALL[name] for name in reversed(ALL)},
        "subject": {"id": "alice", "type": "user"},
    }

    assert RECORDS[4:8] == names(page(client, written, token=first_token(client)).json())


def test_a_token_of_one_endpoint_is_none_of_another(client: Client) -> None:
    """A token for records leads nowhere among users and actions."""
    token = first_token(client)
    whole = {**ALL, "resource": {"type": "record", "id": "101"}}

    for path in (SUBJECTS, ACTIONS):
        assert page(client, whole, path, token=token).status_code == 400


@pytest.mark.parametrize(
    "token", ["x", "AAAA", "%%%", "null", "e30", "W10", "WzEsMiwzXQ", "ä", "\u0000", " ", "a" * 100_000]
)
def test_what_is_no_token_is_refused(client: Client, token: str) -> None:
    """Only what this service has given leads on."""
    assert page(client, ALL, token=token).status_code == 400


def test_a_token_that_was_changed_is_refused(client: Client) -> None:
    """Whichever character is changed, the token is not recognized."""
    token = first_token(client)
    accepted = []
    for place in range(len(token) - 1):  # bits at the very end may carry nothing
        for other in {"A", "Z", "5"} - {token[place]}:
            changed = token[:place] + other + token[place + 1 :]
            if page(client, ALL, token=changed).status_code != 400:
                accepted.append((place, other))

    assert accepted == []


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 10, 40])
def test_half_a_token_is_refused(client: Client, cut: int) -> None:
    """What breaks off is not recognized, nor what goes on."""
    token = first_token(client)

    assert page(client, ALL, token=token[:-cut]).status_code == 400
    assert page(client, ALL, token=token + "A" * cut).status_code == 400


def test_an_empty_token_is_the_beginning(client: Client) -> None:
    """`next_token` of a last page, sent back, asks for the first again."""
    assert RECORDS[:4] == names(page(client, ALL, token="", limit=4).json())


def test_a_limit_that_came_later_is_taken(narrow: Client) -> None:
    """A first page that was asked for without a limit may go on with one."""
    token = ask(narrow, RESOURCES, ALL).json()["page"]["next_token"]

    assert RECORDS[3:5] == names(page(narrow, ALL, token=token, limit=2).json())
