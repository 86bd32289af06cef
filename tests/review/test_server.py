"""Who may ask the server, and what it does with what it is told."""

import asyncio
import json
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import pandas as pd
import pytest

from reviewed_study import make_study
from spinome.configuration import complete
from spinome.configuration.files import read_settings
from spinome.io.tables import write_table
from spinome.review.answers import Answers, standing
from spinome.review.catalogue import Catalogue, Sources
from spinome.review.server import AHEAD, Review, movable_views, rate, serve
from spinome.workflow.reviewed import sources_of
from spinome.workflow.study import read_study

TOKEN = "a-token"


@pytest.fixture(scope="module")
def served(tmp_path_factory, sphere):
    """A server in a thread: its address, and its answers."""
    config = make_study(tmp_path_factory.mktemp("study"), sphere)
    study = read_study(complete(read_settings(config)), config.parent)
    answers = Answers(study.config["review"]["answers"])
    review = Review(Catalogue(sources_of(study)), answers, 0)
    addresses, loops, ready = [], [], threading.Event()

    def run():
        async def main():
            loops.append((asyncio.get_running_loop(), asyncio.current_task()))

            def say(address):
                addresses.append(address)
                ready.set()

            await serve(review, 0, say, TOKEN)

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(30)
    yield addresses[0].partition("/?")[0], answers
    loops[0][0].call_soon_threadsafe(loops[0][1].cancel)
    thread.join(30)


def ask(served, path, given=None, token=TOKEN, **headers):
    """Status and what was told."""
    address = served[0]
    port = address.rpartition(":")[2]
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        headers["Cookie"] = f"spinome-review-{port}={token}"
    body = None if given is None else given if isinstance(given, bytes) else json.dumps(given).encode()
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(address + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            text = reply.read()
            return reply.status, json.loads(text) if path.startswith("/api") else text.decode()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


ROW = {"kind": "missed spine", "unit": "m.f.0", "answer": "missed spine", "z_um": 1.0, "y_um": 2.0, "x_um": 3.0}
ROW |= {"who": "ann", "drawn": "by hand"}


@pytest.mark.parametrize(
    ("path", "more", "status", "words"),
    [
        ("/api/state", {"token": None}, 401, "open the address"),
        ("/api/state", {"token": "another"}, 401, "open the address"),
        ("/", {"token": None}, 401, "open the address"),
        ("/?token=stale", {"token": None}, 401, "stale"),
        ("/api/state", {"Host": "evil.example:80"}, 403, "host"),
        ("/api/state", {"Origin": "http://evil.example"}, 403, "origin"),
        ("/api/state", {"Origin": "null"}, 403, "origin"),
        ("/api/state", {"Sec_Fetch_Site": "cross-site"}, 403, "origin"),
        ("/page.py", {}, 404, "no such file"),
        ("/../answers.py", {}, 404, "nothing"),
        ("/api/question?id=none", {}, 410, "no longer"),
    ],
)
def test_what_is_not_the_page_is_refused(served, path, more, status, words):
    found, told = ask(served, path, **more)
    assert found == status and words in told


@pytest.mark.parametrize(
    ("given", "more", "status", "words"),
    [
        (ROW, {"token": None}, 401, "open the address"),
        (ROW, {"Origin": "http://evil.example"}, 403, "origin"),
        (ROW, {"Content_Type": "text/plain"}, 415, "JSON"),
        (b"{", {}, 400, "JSON"),
        ([1], {}, 400, "object"),
        (ROW | {"answer": "spine"}, {}, 400, "is no answer"),
        (ROW | {"x_um": "here"}, {}, 400, "here"),
        (ROW | {"colour": "red"}, {}, 400, "colour"),
        (ROW | {"unit": ["a"]}, {}, 400, "text"),
    ],
)
def test_a_wrong_answer_writes_nothing(served, given, more, status, words):
    before = len(served[1].read())
    found, told = ask(served, "/api/answer", given, **more)
    assert found == status and words in told
    assert len(served[1].read()) == before


def test_the_address_with_the_token_opens_the_page(served):
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(f"{served[0]}/?token={TOKEN}") as reply:
        assert reply.status == 200 and reply.url == f"{served[0]}/"
        assert "Spinome review" in reply.read().decode()
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "script-src 'self'" in reply.headers["Content-Security-Policy"]
    with opener.open(f"{served[0]}/page.js") as reply:
        assert "addEventListener" in reply.read().decode()


def test_an_answer_goes_to_the_disk_and_the_queue_moves_on(served):
    address = f"{served[0].removeprefix('http://')}"
    _, before = ask(served, "/api/queue?kind=link&who=bob")
    name = before[0]["id"]
    _, question = ask(served, f"/api/question?id={name}", Origin=f"http://{address}")
    chosen = question["answers"][1]
    row = {**question["row"], "id": name, "answer": "shaft", "chosen": chosen["chosen"], "who": "bob"}
    row |= {key: chosen[key] for key in ("next_z_um", "next_y_um", "next_x_um")}
    status, told = ask(served, "/api/answer", row | {"drawn": before[0]["drawn"], "answer_id": "a" * 32, "note": "é"})
    assert status == 200 and told["gone"] is False
    # sent again, as by a page that did not hear of it, it counts once
    ask(served, "/api/answer", row | {"drawn": "random", "answer_id": "a" * 32, "note": "é"})
    _, after = ask(served, "/api/queue?kind=link&who=bob")
    assert name not in [entry["id"] for entry in after]
    rows = standing(served[1].read())
    own = rows[rows["who"] == "bob"]
    assert own["answer"].tolist() == ["shaft"] and own["chosen"].tolist() == [2] and own["note"].tolist() == ["é"]
    _, state = ask(served, "/api/state?who=bob")
    link = next(one for one in state["kinds"] if one["kind"] == "link")
    # the first question is by lot: the run has shaft 1
    assert link["answered"] == 1 and link["random"] == 1 and link["accuracy"][0] == 0.0
    _, listed = ask(served, "/api/answers?who=bob")
    assert [one["id"] for one in listed] == [name] and listed[0]["chosen"] == "2"


def test_an_answer_to_a_question_that_is_gone_is_kept(served):
    row = ROW | {"kind": "spine", "answer": "spine", "x_um": 999.0, "id": "0" * 16, "who": "cid", "drawn": "active"}
    status, told = ask(served, "/api/answer", row)
    assert status == 200 and told["gone"] is True
    _, listed = ask(served, "/api/answers?who=cid")
    assert [(one["x_um"], one["id"]) for one in listed] == [(999.0, None)]


def test_a_view_is_shown_to_the_window_that_shows_its_question_now(served):
    pytest.importorskip("neuroglancer")
    _, queue = ask(served, "/api/queue?kind=link&who=eva")
    name, other = queue[0]["id"], queue[1]["id"]
    status, told = ask(served, f"/api/view?id={name}&window=w")
    assert status == 200 and told["address"].startswith("http://127.0.0.1:")
    assert ask(served, f"/api/view?id={other}&window=w")[1] == told
    assert ask(served, "/api/view?id=gone&window=w")[0] == 410
    _, spines = ask(served, "/api/queue?kind=spine&who=eva")
    assert ask(served, f"/api/view?id={spines[0]['id']}&window=w")[1] == {"address": None}
    assert ask(served, f"/api/view?id={name}&window=w", token=None)[0] == 401


def test_without_neuroglancer_there_are_the_pictures_alone(monkeypatch):
    monkeypatch.setattr("spinome.review.server.importlib.util.find_spec", lambda name: None)
    assert movable_views() is None
    review = Review(None, None, 0)
    assert review.view("a", "w") == {"address": None}


def test_a_neuroglancer_that_does_not_run_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "neuroglancer", None)
    monkeypatch.delitem(sys.modules, "spinome.review.movable", raising=False)
    monkeypatch.setattr("spinome.review.server.importlib.util.find_spec", lambda name: object())
    assert movable_views() is None
    assert "no movable views" in capsys.readouterr().out


def test_a_study_without_results_has_no_questions_and_takes_answers(tmp_path):
    review = Review(Catalogue(Sources(tmp_path / "none", {"m.f": ["m.f.0"]})), Answers(tmp_path / "answers.parquet"), 0)
    told = review.state("ann")
    assert told["kinds"] == [] and told["faults"] == [] and review.queue("spine", "ann") == []
    assert review.answer(ROW | {"who": "ann"})["gone"] is False and len(review.rows()) == 1


def test_of_thousands_of_questions_the_next_ones_are_told(tmp_path):
    # an order over 20,000 questions, of which each page load asks for the first ones
    judged = pd.DataFrame({"specimen": "m", "field": "f", "timepoint": "0", "candidate": range(20_000)})
    place = np.random.default_rng(0).uniform(0, 300, (20_000, 3))
    judged = judged.assign(**dict(zip(["z_um", "y_um", "x_um"], place.T)), score=np.linspace(0.1, 1, 20_000))
    write_table(judged.assign(accepted=True), tmp_path / "twophoton" / "judge" / "m.f.parquet")
    review = Review(Catalogue(Sources(tmp_path, {"m.f": ["m.f.0"]})), Answers(tmp_path / "answers.parquet"), 0)
    queue = review.queue("spine", "ann")
    assert len(queue) == AHEAD and len({one["id"] for one in queue}) == AHEAD
    assert {one["drawn"] for one in queue} == {"active", "random"}
    assert review.state("ann")["kinds"][0]["questions"] == 20_000


def test_a_full_disk_is_told_and_the_server_goes_on(served, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("spinome.review.answers.os.fsync", full)
        status, told = ask(served, "/api/answer", ROW | {"who": "dan"})
        assert status == 507 and "No space left" in told
    assert ask(served, "/api/answer", ROW | {"who": "dan"})[0] == 200


def test_a_port_that_is_taken_is_named(served):
    port = int(served[0].rpartition(":")[2])
    with pytest.raises(OSError, match=f"port {port} .*choose another by --port"):
        asyncio.run(serve(None, port, print))


def test_the_rate_leaves_pauses_out():
    seconds = [0, 3, 6, 600, 603]
    rows = pd.DataFrame({"time": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(seconds, "s")})
    assert rate(rows) == 20.0
    assert rate(rows[:1]) is None
    # two rows at once are one answer
    seconds = [0, 0.01, 3, 3.01, 6, 6.01]
    rows = pd.DataFrame({"time": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(seconds, "s")})
    assert rate(rows) == pytest.approx(20, rel=0.01)
