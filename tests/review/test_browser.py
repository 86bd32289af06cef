"""The page in a real browser: by keyboard, with the server killed, in two windows, on a narrow screen."""

import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from reviewed_study import COUNT, make_study
from spinome.review.answers import Answers, standing
from spinome.review.extent import read_extent

REPOSITORY = Path(__file__).parents[2]
BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
pytestmark = [
    pytest.mark.skipif(not BROWSER, reason="needs Chromium on the path (apt-get install chromium)"),
    pytest.mark.slow,
]
KINDS = ("spine", "same spine", "track", "synapse", "link", "segment", "label", "patch", "one spine")
# Chromium without a graphics card draws by software where it is told that it may
DRAWN_BY_SOFTWARE = ("--enable-unsafe-swiftshader", "--use-angle=swiftshader")


class Server:
    """`spinome review` as a process that can be killed and started again at the same port."""

    def __init__(self, config):
        self.config, self.port, self.process = config, 0, None

    def start(self):
        command = [sys.executable, "-m", "spinome.workflow.command", "review", self.config, "--no-browser"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")},
        )
        address = re.search(r"http://\S+", self.process.stdout.readline())[0]
        self.port = int(re.search(r":(\d+)/", address)[1])
        return address

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def made(tmp_path_factory, sphere):
    return make_study(tmp_path_factory.mktemp("study"), sphere)


@pytest.fixture
def server(made):
    shutil.rmtree(made.parent / "answers.parquet", ignore_errors=True)
    server = Server(made)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def driver():
    with playwright.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def chromium(driver):
    browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", *DRAWN_BY_SOFTWARE])
    yield browser
    browser.close()


def answers(server):
    return standing(Answers(server.config.parent / "answers.parquet").read())


def opened(context, address, who="ann", movable=False):
    page = context.new_page()
    if not movable:
        page.add_init_script("localStorage.setItem('spinome-movable', 'off')")
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(address)
    if page.input_value("#who") != who:
        page.fill("#who", who)
        page.press("#who", "Enter")
    ready(page)
    return page


def until(page, expression, given=None, seconds=60):
    """Wait until the page says so; asked from here, since the page's policy lets nothing be evaluated within it."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression, given):
        assert time.monotonic() < end, f"not within {seconds} s: {expression}"
        time.sleep(0.02)


def ready(page):
    until(page, "state.current && document.querySelectorAll('#views canvas').length")


def choose(page, kind):
    page.locator("#kinds button").filter(has_text=re.compile(rf"^{kind} \d")).click()
    until(page, "kind => state.current && state.current.kind === kind", kind)
    page.evaluate("document.activeElement.blur()")


def press(page, key):
    """Answer by a key, and wait for the next question."""
    before = page.evaluate("state.current.id")
    page.keyboard.press(key)
    until(page, "before => state.current && state.current.id !== before", before)


def sent(page):
    until(page, "!unsent().length")


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_answers_by_keyboard_alone(server, chromium, kind):
    context = chromium.new_context()
    page = opened(context, server.start())
    choose(page, kind)
    for number in range(100):
        if number == 50:
            # in the midst of it the page is loaded anew
            sent(page)
            page.reload()
            ready(page)
            assert page.evaluate("state.kind") == kind
        press(page, " " if number % 2 else "12"[number % 4 // 2])
    sent(page)
    rows = answers(server)
    if kind == "track":
        # an answer about a track says something of one or of two links of its spine
        assert set(rows["kind"]) == {"same spine"} and rows["subject"].nunique() == 100
        rows = rows.drop_duplicates("subject")
    else:
        assert set(rows["kind"]) == {kind}
    assert len(rows) == 100 and set(rows["who"]) == {"ann"}
    assert not rows.duplicated(["unit", "z_um", "y_um", "x_um"]).any()
    assert 20 <= (rows["drawn"] == "random").sum() <= 60
    assert (rows["seconds"] > 0).all()
    until(page, "document.getElementById('progress').textContent.includes('100 of ')")
    # the links of tracks have their accuracy
    assert ("random answers" in page.inner_text("#progress")) == (kind != "track")
    assert page.faults == []
    context.close()


def test_who_answers_faster_than_a_server_writes_is_asked_on(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    choose(page, "track")
    held, writes = [], threading.Event()
    page.route("**/api/answer", lambda route: route.continue_() if writes.is_set() else held.append(route))
    # as many as the server names at once, whose answers it has not got
    while page.inner_text("#text") != "One moment …":
        before = page.evaluate("state.current.id")
        page.keyboard.press("1")
        asked = "state.current && state.current.id !== before"
        until(page, f"before => ({asked}) || find('text').textContent === 'One moment …'", before)
    assert len(held) == 1
    writes.set()
    held[0].continue_()
    ready(page)
    press(page, "1")
    sent(page)
    assert answers(server)["subject"].nunique() > 40
    assert page.faults == []
    context.close()


def test_a_track_is_answered_changed_in_a_sheet_and_taken_back(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    choose(page, "track")
    press(page, "1")
    sent(page)
    assert answers(server)["answer"].tolist() == ["same", "same"]
    page.keyboard.press("u")
    sent(page)
    assert answers(server).empty
    page.get_by_role("button", name="Sheet").click()
    until(page, "state.tiles.length === 24 && state.tiles.every((tile) => tile.question)")
    tile = page.locator(".tile").first
    for expected in (["different"], ["same", "different"], ["same", "same"], ["different"]):
        tile.click()
        sent(page)
        # what an earlier answer said of another link does not stay
        assert answers(server)["answer"].tolist() == expected
    assert page.faults == []
    context.close()


@pytest.mark.parametrize("kind", ["link", "segment", "label", "one spine"])
def test_a_movable_view_comes_beside_the_pictures_and_takes_no_keys(server, chromium, kind):
    pytest.importorskip("neuroglancer")
    context = chromium.new_context()
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page = opened(context, server.start(), movable=True)
    choose(page, kind)
    until(page, "document.getElementById('frame').src && document.getElementById('frame').className === ''")
    end = time.monotonic() + 60
    while not (views := [frame for frame in page.frames if "/v/" in frame.url]):
        assert time.monotonic() < end, "the view was not opened"
        page.wait_for_timeout(100)
    until(views[0], "document.querySelectorAll('canvas').length > 0")
    # the objects are meshed and drawn: what Neuroglancer asks for their surfaces
    end = time.monotonic() + 60
    while not any("/neuroglancer/mesh/" in url for url in asked):
        assert time.monotonic() < end, "no mesh was asked for"
        page.wait_for_timeout(100)
    assert all(url.startswith(("http://127.0.0.1:", "data:", "blob:")) for url in asked)
    # the pointer turns the view and leaves it: keys answer again
    box = page.locator("#frame").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 150)
    assert page.evaluate("document.activeElement.id") == "frame"
    page.mouse.move(5, 5)
    until(page, "document.activeElement.id !== 'frame'")
    address = page.evaluate("document.getElementById('frame').src")
    press(page, "1")
    # the next question is there before its view, and what was seen before is hidden
    assert page.evaluate("document.getElementById('frame').className") == "waiting"
    until(page, "document.getElementById('frame').className === ''")
    assert page.evaluate("document.getElementById('frame').src") == address
    page.keyboard.press("v")
    assert page.locator("#movable").is_hidden() and page.locator("#views canvas").first.is_visible()
    assert page.faults == []
    context.close()


def test_without_webgl_the_pictures_are_all_there_is(server, driver):
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-3d-apis", "--disable-software-rasterizer"]
    browser = driver.chromium.launch(executable_path=BROWSER, args=arguments)
    page = opened(browser.new_context(), server.start(), movable=True)
    choose(page, "label")
    assert page.evaluate("webgl") is False
    page.wait_for_timeout(1000)
    assert page.locator("#movable").is_hidden()
    press(page, "1")
    sent(page)
    assert page.faults == [] and len(answers(server)) == 1
    browser.close()


def test_undo_skip_note_change_and_take_back(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    first = page.evaluate("state.current.id")
    press(page, "1")
    page.keyboard.press("u")
    until(page, "first => state.current.id === first", first)
    sent(page)
    assert answers(server).empty
    page.keyboard.press("n")
    page.keyboard.type("dim 12")
    page.keyboard.press("Enter")
    press(page, "2")
    skipped = page.evaluate("state.current.id")
    press(page, "s")
    press(page, "1")
    assert page.evaluate("state.current.id") != skipped
    sent(page)
    rows = answers(server)
    assert rows["answer"].tolist() == ["no spine", "spine"] and rows["note"].tolist() == ["dim 12", ""]
    page.get_by_role("button", name="Answers").click()
    page.get_by_role("button", name="Change").last.click()
    assert page.input_value("#note") == "dim 12"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("3")
    until(page, "!document.getElementById('list').hidden && document.querySelector('#rows tr td:nth-child(3)')")
    until(page, "document.querySelector('#rows tr td:nth-child(3)').textContent === 'unsure'")
    sent(page)
    assert answers(server)["answer"].tolist() == ["spine", "unsure"]
    page.get_by_role("button", name="Take back").first.click()
    sent(page)
    assert answers(server)["answer"].tolist() == ["spine"]
    assert page.faults == []
    context.close()


def test_missed_ones_are_marked_by_click_and_by_keyboard(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    place = page.evaluate("[state.current.row.z_um, state.current.row.y_um, state.current.row.x_um]")
    slices, projected = page.locator("#views canvas").nth(0), page.locator("#views canvas").nth(1)
    box = slices.bounding_box()
    # a quarter of 7 um to the right and down, a slice deeper
    page.keyboard.press("ArrowDown")
    slices.click(position={"x": box["width"] * 0.75, "y": box["height"] * 0.75})
    sent(page)
    mark = answers(server).iloc[0]
    assert mark["kind"] == "missed spine" and mark["drawn"] == "by hand"
    assert [mark["z_um"] - place[0], mark["y_um"] - place[1], mark["x_um"] - place[2]] == pytest.approx(
        [1.0, 1.75, 1.75], abs=0.05
    )
    page.keyboard.press("u")
    sent(page)
    assert answers(server).empty
    # into the projection: the depth is that of the brightest slice, and blocks lie in slices 5 to 7
    box = projected.bounding_box()
    projected.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    sent(page)
    assert 5 <= answers(server).iloc[0]["z_um"] <= 7
    page.keyboard.press("u")
    page.keyboard.press("m")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    sent(page)
    mark = answers(server).iloc[0]
    assert mark["x_um"] - place[2] == pytest.approx(40 * 7.0 / 300, abs=0.05)
    assert page.evaluate("state.current.kind") == "spine"
    choose(page, "synapse")
    page.locator("#views canvas").first.click(position={"x": 10, "y": 10})
    sent(page)
    assert answers(server)["kind"].tolist() == ["missed spine", "missed synapse"]
    assert page.faults == []
    context.close()


def test_a_spine_is_seen_in_the_slice_that_was_moved_to(server, chromium):
    page = opened(chromium.new_context(), server.start())
    choose(page, "spine")
    press(page, "1")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    there = page.evaluate(
        "state.current.views[0].z_um + slideOf(state.current.views[0]) * state.current.views[0].step_um"
    )
    press(page, "1")
    page.keyboard.press("ArrowDown")
    # what is none has no depth
    press(page, "2")
    sent(page)
    rows = answers(server).sort_values("time")
    assert rows["answer"].tolist() == ["spine", "spine", "no spine"]
    assert rows["seen_z_um"].isna().tolist() == [True, False, True]
    assert rows["seen_z_um"].iloc[1] == pytest.approx(there)
    # who changes a word in the list keeps the slice, and who changes the answer does not
    for said, kept in (("1", True), ("2", False)):
        page.get_by_role("button", name="Answers").click()
        page.get_by_role("button", name="Change").nth(1 if said == "1" else 0).click()
        until(page, "state.editing")
        page.evaluate("document.getElementById('note').value = 'seen well'")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(said)
        word = "spine" if said == "1" else "no spine"
        until(page, f"(document.querySelector('#rows tr td:nth-child(3)') || {{}}).textContent === '{word}'")
        sent(page)
        last = answers(server).sort_values("time").iloc[-1]
        assert last["note"] == "seen well" and last["answer"] == word
        assert last["seen_z_um"] == pytest.approx(there) if kept else math.isnan(last["seen_z_um"])
    assert not page.faults


def test_the_extent_of_a_synapse_is_painted_by_pointer_and_by_keyboard(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    choose(page, "synapse")
    place = page.evaluate("[state.current.row.z_um, state.current.row.y_um, state.current.row.x_um]")
    box = page.locator("#views canvas").first.bounding_box()
    at = lambda x, y: (box["x"] + box["width"] * x, box["y"] + box["height"] * y)  # noqa: E731
    page.keyboard.press("b")
    for depth in range(2):
        page.mouse.move(*at(0.5, 0.5))
        page.mouse.down()
        page.mouse.move(*at(0.75, 0.5), steps=8)
        page.mouse.up()
        if not depth:
            page.keyboard.press("ArrowDown")
    # what is painted by mistake goes with undo, and no answer with it
    assert page.evaluate("state.strokes.length") == 2
    page.keyboard.press("u")
    assert page.evaluate("state.strokes.length") == 1
    page.keyboard.press("m")
    for _ in range(10):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("state.strokes.length") == 2 and answers(server).empty
    press(page, "1")
    sent(page)
    row = answers(server).iloc[0]
    first, second = read_extent(row["extent"])
    assert row["answer"] == "synapse" and row["kind"] == "synapse"
    assert first.way_um[0] == pytest.approx(place[1:], abs=0.02)
    assert first.way_um[-1] - first.way_um[0] == pytest.approx([0, 0.4], abs=0.03)
    assert second.z_um - first.z_um == pytest.approx(0.04) and len(second.way_um) == 1
    # 40 pixels of 380 over 1.6 um
    assert place[1] - second.way_um[0, 0] == pytest.approx(40 * 1.6 / 380, abs=0.02)
    # nothing is painted where there is none, and what was painted can be changed and taken back
    assert page.evaluate("state.strokes.length") == 0
    press(page, "2")
    sent(page)
    assert answers(server)["extent"].iloc[1] == ""
    page.get_by_role("button", name="Answers").click()
    page.get_by_role("button", name="Change").last.click()
    until(page, "state.editing")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("1")
    # the list is made anew, with the changed answer on top
    until(page, "(document.querySelector('#rows tr td:nth-child(3)') || {}).textContent === 'synapse'")
    sent(page)
    assert read_extent(answers(server)["extent"].iloc[-1])[0].z_um == first.z_um
    page.get_by_role("button", name="Take back").first.click()
    sent(page)
    assert answers(server)["extent"].tolist() == [""]
    assert page.faults == []
    context.close()


def test_nothing_is_lost_when_the_server_is_killed(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    for _ in range(3):
        press(page, "1")
    sent(page)
    until(page, "state.cache.size > 4")
    page.wait_for_timeout(3000)
    server.kill()
    # the next questions are in the page already
    for _ in range(3):
        press(page, "2")
    # the message counts anew at each try to send
    until(page, "document.getElementById('banner').textContent.includes('3 answer(s) kept in this browser')")
    assert len(answers(server)) == 3
    page.close()
    address = server.start()
    # the token of the server that was killed is stale
    stale = context.new_page()
    assert stale.goto(address.partition("?")[0]).status == 401
    assert "open the address" in stale.inner_text("body")
    page = opened(context, address)
    sent(page)
    assert sorted(answers(server)["answer"]) == ["no spine"] * 3 + ["spine"] * 3
    assert page.faults == []
    context.close()


def test_nothing_is_lost_when_the_disk_is_full(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    press(page, "1")
    sent(page)
    # no file of more than 100 bytes can be written
    free = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (100, free[1]))
    for _ in range(2):
        press(page, "2")
    told = "document.getElementById('banner').textContent"
    until(page, f"{told}.includes('2 answer(s) kept in this browser') && {told}.includes('could not be written')")
    assert answers(server)["answer"].tolist() == ["spine"]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, free)
    sent(page)
    assert sorted(answers(server)["answer"]) == ["no spine", "no spine", "spine"]
    until(page, "document.getElementById('banner').hidden")
    assert page.faults == []
    context.close()


def test_two_windows_and_two_people_at_once(server, chromium):
    address = server.start()
    one, other = chromium.new_context(), chromium.new_context()
    windows = [opened(one, address), opened(one, address), opened(other, address, "bob")]
    for _ in range(10):
        for page in windows:
            press(page, "1")
    for page in windows:
        sent(page)
    rows = Answers(server.config.parent / "answers.parquet").read()
    assert len(rows) == 30
    held = standing(rows)
    # windows of one person may ask the same question, of which the later answer counts
    assert (held["who"] == "bob").sum() == 10 and 10 <= (held["who"] == "ann").sum() <= 20
    windows[0].reload()
    until(windows[0], "document.getElementById('progress').textContent.includes('alike')")
    assert "ann and bob: 10 of 10 alike" in windows[0].inner_text("#progress")
    one.close()
    other.close()


def test_a_sheet_of_many(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    choose(page, "synapse")
    page.get_by_role("button", name="Sheet").click()
    until(page, "state.tiles.length === 24 && state.tiles.every((tile) => tile.question)")
    page.keyboard.press("2")
    page.keyboard.press(" ")
    page.get_by_role("button", name="The others are as the run says").click()
    sent(page)
    assert sorted(answers(server)["answer"]) == ["no synapse"] + ["synapse"] * 23
    # a click gives the next answer, which replaces the one before
    page.locator(".tile").nth(5).click()
    sent(page)
    assert sorted(answers(server)["answer"]) == ["no synapse"] * 2 + ["synapse"] * 22
    page.get_by_role("button", name="Next sheet").click()
    until(page, "state.tiles.length === 24 && state.tiles.every((tile) => !tile.sent && tile.question)")
    assert page.faults == []
    context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_narrow_screen_shows_all(server, chromium, kind):
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    page = opened(context, server.start())
    choose(page, kind)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for place in range(page.locator("#answers button").count()):
        box = page.locator("#answers button").nth(place).bounding_box()
        assert box["height"] >= 44 and box["x"] + box["width"] <= 390
    for mode in ("Sheet", "Answers"):
        page.get_by_role("button", name=mode).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_page_of_another_origin_reads_and_writes_nothing(server, chromium):
    address = server.start()
    context = chromium.new_context()
    opened(context, address)
    body = b"<title>other</title>"

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    other = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{other.server_port}/")
    target = address.partition("/?")[0]
    tried = page.evaluate(
        """async (target) => {
          const row = {kind: "missed spine", unit: "m.f.0", answer: "missed spine", z_um: 1, y_um: 1, x_um: 1,
            who: "eve", drawn: "by hand"};
          const ways = [
            fetch(`${target}/api/state?who=ann`, {credentials: "include"}).then((reply) => reply.text()),
            fetch(`${target}/api/answer`, {method: "POST", credentials: "include", body: JSON.stringify(row),
              headers: {"Content-Type": "application/json"}}).then((reply) => reply.text()),
            fetch(`${target}/api/answer`, {method: "POST", mode: "no-cors", credentials: "include",
              body: JSON.stringify(row)}).then((reply) => reply.text()),
          ];
          return (await Promise.allSettled(ways)).map((one) => one.value || "");
        }""",
        target,
    )
    assert tried == ["", "", ""]
    frame = page.evaluate(
        """(target) => new Promise((done) => {
          const frame = document.createElement("iframe");
          frame.src = target;
          frame.onload = () => { try { done(frame.contentDocument ? "seen" : "closed"); } catch { done("closed"); } };
          document.body.append(frame);
        })""",
        target,
    )
    assert frame == "closed"
    time.sleep(0.5)
    assert answers(server).empty
    other.shutdown()
    context.close()


def test_the_next_question_is_there_at_once(server, chromium):
    context = chromium.new_context()
    page = opened(context, server.start())
    # what is measured is work that is done in advance, and no time: the pictures of the next questions are in the page
    until(page, "state.queue.length >= AHEAD && state.queue.slice(0, AHEAD).every((o) => state.cache.has(o.id))")
    assert page.evaluate("Promise.all(state.queue.slice(0, AHEAD).map((o) => load(o.id))).then((a) => a.length)") == 8
    context.close()
    assert COUNT >= 100
