"""What a well-meaning client gets: every way to send a page, and every form of the answer."""

from __future__ import annotations

import base64
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from PIL import Image, ImageOps

from tests.conftest import SAMPLES
from tests.service.http.conftest import Close, assert_problem, close
from tests.service.http.files import encoded, stack
from text_recognizer import TextRecognizer
from text_recognizer.images import open_document
from text_recognizer.page import Page

WORDS = "My dear Watson"


@pytest.fixture(scope="module")
def read_directly(recognizer, page_png) -> Page:
    return recognizer.read(page_png)


def _json(data: bytes, **options: object) -> dict[str, object]:
    return {"image": base64.b64encode(data).decode(), **options}


def test_a_page_is_read_as_text_recognizer_reads_it(server, page_png, read_directly):
    answer = server.predict(page_png).json()
    assert answer["page"] == close(read_directly), "with every coordinate and confidence"
    assert answer["pred"] == read_directly.text
    assert WORDS in answer["pred"]
    assert answer["conf"] == pytest.approx(read_directly.confidence, abs=0.002)
    assert set(answer["model"]) == {"detector", "lines", "language"}
    assert answer["milliseconds"] > 0
    assert answer["stored"] is False
    assert len(answer["id"]) == 32


def test_the_language_model_can_be_left_out(server, page_png):
    answer = server.predict(page_png, language_model="false").json()
    assert answer["page"] == close(TextRecognizer(language=None).read(page_png))
    assert set(answer["model"]) == set(answer["page"]["models"]) == {"detector", "lines"}


def test_all_ways_to_send_an_image_give_the_same(server, page_png, read_directly):
    b64 = base64.b64encode(page_png).decode()
    predict = lambda **given: server.client.post("/v1/predict", **given)  # noqa: E731
    answers = [
        predict(json={"image": b64}),
        predict(json={"image": f"data:image/png;base64,{b64}"}),
        predict(content=json.dumps(_json(page_png)), headers={"Content-Type": "application/merge-patch+json"}),
        predict(files={"file": ("page.png", page_png, "image/png")}),
        predict(files={"anything": ("p", page_png)}, data={"unit": "page", "store": "false"}),
        predict(data={"image": b64}, files={"ignored": (None, b"")}),
        predict(content=page_png, headers={"Content-Type": "image/png"}),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.json()["page"] == close(read_directly)


def test_a_pdf_of_several_pages_is_read_page_by_page(server, letter_page, recognizer):
    data = stack([letter_page, Image.new("L", (400, 300), 255)], "PDF", resolution=150)
    answer = server.predict(data, pictures=True).json()
    with open_document(data) as document:
        wanted = [recognizer.read(page) for page in document]
    assert [page["page"] for page in answer["pages"]] == [close(page) for page in wanted]
    assert answer["pred"] == "\n\n".join(page.text for page in wanted)
    assert "page" not in answer
    assert "picture" not in answer
    for page in answer["pages"]:
        head, _, picture = page["picture"].partition(",")
        assert head == "data:image/jpeg;base64"
        shown = Image.open(io.BytesIO(base64.b64decode(picture)))
        assert shown.size == (page["page"]["width"], page["page"]["height"]), "so that outlines fit"


def test_a_tiff_stack_is_read_page_by_page(server, letter_page, read_directly):
    data = stack([letter_page, letter_page.rotate(180), letter_page], "TIFF", compression="tiff_lzw")
    pages = server.predict(data).json()["pages"]
    assert [page["page"] for page in pages[::2]] == [close(read_directly)] * 2
    assert len(pages) == 3
    assert pages[1]["pred"] != pages[0]["pred"]


def test_a_picture_is_sent_only_where_browsers_do_not_show_the_file(server, line_png):
    assert "picture" not in server.predict(line_png, unit="line", pictures=True).json()


def test_a_cropped_line_is_read_as_one(server, line_png, recognizer):
    answer = server.predict(line_png, unit="line").json()
    line = recognizer.read_lines([line_png])[0]
    assert [found["text"] for found in answer["page"]["lines"]] == [line.text]
    assert answer["page"]["lines"][0] == Close(line.to_dict())
    assert set(answer["page"]["models"]) == {"lines", "language"}


def test_text_alone_is_answered_as_text(server, page_png, read_directly):
    answer = server.predict(page_png, format="txt")
    assert answer.text == read_directly.text + "\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert len(answer.headers["X-Reading-ID"]) == 32


def test_a_photograph_is_turned_upright_first(server, letter_page, read_directly):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    lying = encoded(letter_page.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    assert ImageOps.exif_transpose(Image.open(io.BytesIO(lying))).size == letter_page.size
    assert server.predict(lying).json()["page"] == close(read_directly)


def test_a_blank_page_has_no_lines(server):
    for unit in ("page", "line"):
        answer = server.predict(encoded(Image.new("RGB", (300, 200), "white"), "JPEG"), unit=unit).json()
        assert [answer["pred"], answer["conf"], answer["page"]["lines"]] == ["", 1.0, []]


def test_addresses_are_not_fetched_unless_the_server_is_told_to(server):
    assert_problem(server.client.get("/v1/predict", params={"image_url": "http://127.0.0.1:1/"}), 403)
    assert_problem(server.client.post("/v1/predict", json={"image_url": "http://127.0.0.1:1/"}), 403)


@pytest.fixture(scope="module")
def site(line_png):
    """The address of a web server that serves an image, and errors."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/line.png" else 404)
            self.end_headers()
            self.wfile.write(line_png)

        def log_message(self, *_):
            pass

    web = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}"
    web.shutdown()
    web.server_close()


def test_addresses_are_fetched_where_that_is_allowed(open_server, site, line_png, recognizer):
    wanted = recognizer.read_lines([line_png])[0].text
    query = {"image_url": f"{site}/line.png", "unit": "line"}
    got = open_server.client.get("/v1/predict", params=query)
    assert got.json()["pred"] == wanted
    assert open_server.client.post("/v1/predict", json=query).json()["pred"] == wanted
    assert open_server.client.get("/v1/predict", params=query | {"format": "txt"}).text == wanted + "\n"
    assert open_server.client.post("/v1/predict", data=query, files={"x": (None, b"")}).json()["pred"] == wanted
    problem = assert_problem(open_server.client.get("/v1/predict", params={"image_url": f"{site}/none"}), 502)
    assert "404" in problem["detail"]
    assert_problem(open_server.client.get("/v1/predict", params={"image_url": "ftp://127.0.0.1/"}), 400)
    assert_problem(open_server.client.get("/v1/predict"), 422)


def test_a_page_that_was_corrected_can_be_written_in_every_format(server, read_directly):
    page = read_directly.to_dict()
    formats = server.client.get("/v1/settings").json()["formats"]
    assert {"txt", "json"} <= set(formats)
    for name in formats:
        assert server.client.post("/v1/format", json={"pages": [page], "format": name}).status_code == 200
    back = server.client.post("/v1/format", json={"pages": [page], "format": "json"}).json()
    assert back == page
    page["lines"][0]["text"] = "Baker Street €"
    text = server.client.post("/v1/format", json={"pages": [page, page], "format": "txt"})
    assert text.text.count("Baker Street €\n") == 2
    assert text.text.count("\f") == 1
    both = server.client.post("/v1/format", json={"pages": [page, page], "format": "json"}).json()
    assert [Page.from_dict(each).lines[0].text for each in both] == ["Baker Street €"] * 2


def test_models_are_described_with_their_scores(server):
    models = {model["task"]: model for model in server.client.get("/v1/models").json()["models"]}
    assert set(models) == {"detector", "lines", "language-model"}
    for model in models.values():
        assert len(model["sha256"]) == 64
        assert model["scores"]


def test_users_who_ask_at_the_same_time_get_what_they_would_get_alone(server, recognizer):
    """Lines of all of them go through the network together, so they could be mixed up."""
    letter = Image.open(SAMPLES / "letter.jpg").convert("L")
    tops = (60, 215, 360, 435, 505, 575, 645, 720)
    images = [encoded(letter.crop((60, top, 760, top + 150 + 3 * k)), "PNG") for k, top in enumerate(tops)]
    wanted = [close(recognizer.read(image)) for image in images]
    assert len({repr(page) for page in wanted}) == len(images)
    with ThreadPoolExecutor(len(images)) as pool:
        answers = list(pool.map(server.predict, images))
    assert [answer.json()["page"] for answer in answers] == wanted
