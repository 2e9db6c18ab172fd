"""Label Studio: its JSON, whole and damaged, and a real server that shows our tasks and gives them back."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import SAMPLES
from tests.helpers.label_folders import FIRST, SECOND, SIZE, box, make_folder, run, said
from tests.helpers.label_studio_server import LabelStudio, find_label_studio
from text_recognizer.labeling.folder import LabelingFolder
from text_recognizer.labeling.labels import Label, now
from text_recognizer.page import Line, Page


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_folder(tmp_path / "pages")


def region(name: str, place, text: str = "", kind: str = "Line", **more) -> list[dict]:
    """A rectangle as Label Studio writes it; place: in pixels of a picture of 400 x 300."""
    x, y, w, h = place
    value = {"x": x / 4, "y": y / 3, "width": w / 4, "height": h / 3, "rotation": more.pop("rotation", 0)}
    common = {"id": name, "to_name": "image", "original_width": 400, "original_height": 300, "image_rotation": 0} | more
    found = [common | {"from_name": "rectangle", "type": "rectangle", "value": value}]
    found.append(common | {"from_name": "kind", "type": "labels", "value": value | {"labels": [kind]}})
    if text:
        found.append(common | {"from_name": "text", "type": "textarea", "value": value | {"text": [text]}})
    return found


def polygon(name: str, points, text: str) -> list[dict]:
    value = {"points": [[x / 4, y / 3] for x, y in points], "polygonlabels": ["Handwriting"], "closed": True}
    common = {"id": name, "original_width": 800, "original_height": 600}
    written = {"points": value["points"], "text": text}
    return [common | {"type": "polygonlabels", "value": value}, common | {"type": "textarea", "value": written}]


def annotation(results: list[dict], who, time: str = "2026-11-20T10:00:00.5Z", **more) -> dict:
    return {"id": 1, "completed_by": who, "result": results, "was_cancelled": False, "updated_at": time} | more


def task(data: dict, *annotations: dict, **more) -> dict:
    return {"id": 7, "data": data, "annotations": list(annotations), "predictions": [3]} | more


def imported(folder: Path, tasks: object, *more: object) -> tuple[int, str]:
    path = folder.parent / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    return run("import", path, "--into", folder, *more)


@pytest.fixture
def tasks(folder) -> dict:
    """The task of the page b.png, in which the model has read three lines, as it is exported."""
    lines = tuple(Line(f"read {n}", box(20, 20 + 60 * n, 300, 40), 0.5, ((20, 50), (300, 50))) for n in range(3))
    LabelingFolder(folder).store_reading("b.png", Page(lines, *SIZE, models={"lines": "lines 4 (abc)"}))
    output = folder.parent / "tasks.json"
    code, said = run("export-tasks", folder, "--output", output, "--no-read", "--images", "local-files")
    assert (code, "4 tasks, 3 lines" in said) == (0, True)
    config = (folder.parent / "labeling-config.xml").read_text(encoding="utf-8")
    found = {task["data"]["page"]: task for task in json.loads(output.read_text(encoding="utf-8"))}
    for result in found["b.png"]["predictions"][0]["result"]:
        assert f'name="{result["from_name"]}"' in config
        assert f'name="{result["to_name"]}"' in config
    assert found["letter one.jpg"]["data"]["image"] == "/data/local-files/?d=pages/letter%20one.jpg"
    return found["b.png"]


def test_label_studio_several_annotators_deleted_and_new_regions(folder, tasks):
    results = tasks["predictions"][0]["result"]
    edited = [result | {"value": dict(result["value"])} for result in results if result["id"] != "l0002"]
    next(result for result in edited if result["type"] == "textarea")["value"]["text"] = ["What is written"]
    new = region("Xy_1-z", (200, 250, 100, 30), "new", rotation=90)
    export = [
        task(
            tasks["data"],
            annotation(edited + new, {"id": 1, "email": "ada@example.org", "first_name": "A"}),
            annotation(region("Qq", (20, 20, 300, 40), kind="Illegible"), 2),
            annotation(results, "cyd@example.org", was_cancelled=True),
        )
    ]
    code, output = imported(folder, export, "--annotator", "2=Ben")
    assert code == 0, output
    assert "1 annotations were skipped" in output
    labels = {(one.annotator, one.line): one for one in LabelingFolder(folder).labels()}
    made = next(name for who, name in labels if name not in ("l0001", "l0002", "l0003"))
    assert {key: (one.status, one.text) for key, one in labels.items()} == {
        ("ada@example.org", "l0001"): ("labeled", "What is written"),
        ("ada@example.org", "l0002"): ("no-line", ""),
        ("ada@example.org", "l0003"): ("labeled", "read 2"),
        ("ada@example.org", made): ("labeled", "new"),
        ("Ben", "l0001"): ("illegible", ""),
        ("Ben", "l0002"): ("no-line", ""),
        ("Ben", "l0003"): ("no-line", ""),
    }
    # It was turned around its left upper corner by a quarter to the right, and would reach below the page.
    turned = np.array(labels["ada@example.org", made].polygon)
    assert turned.min(axis=0) == pytest.approx((170, 250))
    assert turned.max(axis=0) == pytest.approx((200, 300))
    assert labels["ada@example.org", "l0001"].polygon == box(20, 20, 300, 40)
    assert labels["ada@example.org", "l0001"].baseline == ((20, 50), (300, 50))
    assert labels["ada@example.org", "l0001"].time == "2026-11-20T10:00:00.500+00:00"

    count = len(labels)
    assert "added 0 labels" in imported(folder, export, "--annotator", "2=Ben")[1]
    # Said later in the queue: an export of what was said before changes nothing; one of what was said since does.
    mine = labels["ada@example.org", "l0001"]
    later = Label("b.png", "l0001", mine.annotator, now(), "labeled", "in the queue", mine.polygon)
    LabelingFolder(folder).add([later])
    assert "added 0 labels" in imported(folder, export, "--annotator", "2=Ben")[1]
    edited[2]["value"]["text"] = ["in between"]
    assert "1 are older" in imported(folder, export, "--annotator", "2=Ben")[1]
    export[0]["annotations"][0]["updated_at"] = "2100-01-01T00:00:00Z"
    assert "added 1 labels" in imported(folder, export, "--annotator", "2=Ben")[1]
    assert [one.text for one in LabelingFolder(folder).labels()[count:]] == ["in the queue", "in between"]


@pytest.mark.parametrize(
    "named",
    [
        {"data": {"ocr": "/data/upload/3/0a1b2c3d-letter_one.jpg"}, "file_upload": "0a1b2c3d-letter_one.jpg"},
        {"data": {"image": "http://127.0.0.1:8080/data/local-files/?d=scans/letter%20one.jpg"}},
        {"data": {"image": "https://bucket.example/scans/letter%20one.jpg?X-Amz-Signature=ab"}},
        {"data": {"image": "s3://bucket/pages/letter one.jpg", "other": 3}},
    ],
)
def test_label_studio_tasks_of_others_find_their_pages(folder, named):
    sloping = ((10, 10), (200, 20), (200, 60), (10, 50))
    export = [named | {"id": 3, "annotations": [annotation(polygon("a", sloping, " été "), 1)]}]
    code, output = imported(folder, export)
    (label,) = LabelingFolder(folder).labels()
    assert (code, label.page, label.text, label.annotator) == (0, "letter one.jpg", "été", "user 1"), output
    assert np.array(label.polygon) == pytest.approx(np.array(sloping))


def brush(name: str) -> list[dict]:
    return [{"id": name, "type": "brush", "value": {"format": "rle", "rle": [0, 1]}}]


TWO_TEXTS = region("a", FIRST, "a")
TWO_TEXTS[2]["value"]["text"] = ["a", "b"]
BROKEN = region("a", FIRST, "a")
BROKEN[0]["value"] = {"x": "left", "y": 1, "width": 2, "height": 3}


@pytest.mark.parametrize(
    ("results", "message", "whole"),
    [
        (brush("a"), "region a is left out: it was drawn as 'brush', and lines are rectangles or polygons", False),
        (
            region("a", FIRST),
            "region a is left out: it has no text: type one, or mark it as Illegible, or delete it",
            False,
        ),
        (TWO_TEXTS, "it has 2 texts, and a line has one", False),
        (BROKEN, "its place is damaged", False),
        (region("a", (500, 400, 10, 10), "a"), "its outline is empty, or lies outside of the picture", False),
        (region("a", FIRST, "one\ntwo"), "line a is left out: the text holds a line break", False),
        (region("a", FIRST, "a", image_rotation=90), "the picture was turned by 90 degrees in Label Studio", True),
        (region("a", FIRST, "a", original_height=900), "its picture has 400 x 900 pixels, the page 400 x 300", True),
        ([], "user 1 submitted it without a single region", True),
    ],
)
def test_label_studio_what_is_refused_is_named_and_all_else_is_imported(folder, results, message, whole):
    good = annotation(region("g", SECOND, "good"), 2)
    bad = annotation(results + region("h", (40, 200, 300, 30), "beside") * bool(results), 1)
    code, output = imported(folder, [task({"image": "b.png"}, bad, good), task({"image": "gone.png"}, good)])
    assert code == 2
    assert message in output
    assert "task 7: there is no image 'gone.png' in the folder" in output
    whole = (
        "is left out" not in message and "outline" not in message and "texts" not in message and "place" not in message
    )
    assert {text for _, _, _, text in said(folder)} == ({"good"} if whole else {"good", "beside"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{]", "this is not JSON"),
        ("[]", "this export holds no tasks"),
        ('[{"annotation_id": 1, "image": "b.png", "text": "a"}]', "this is JSON-MIN"),
        ('[{"data": {"image": "b.png"}, "predictions": []}]', "there are no annotations in this file"),
        ("[1]", "this is no export of Label Studio"),
        ('[{"annotations": [{}]}]', "this is no export of Label Studio: KeyError 'data'"),
        ("PK\x03\x04", "it is a ZIP archive: unpack it"),
    ],
)
def test_label_studio_files_that_are_no_export_are_explained(folder, tmp_path, content, message):
    path = tmp_path / "export.json"
    path.write_text(content, encoding="utf-8")
    code, output = run("import", path, tmp_path / "missing.json", tmp_path, "--into", folder)
    assert code == 2
    for expected in (message, "missing.json", "is a folder: name the files in it"):
        assert expected in output
    assert run("import", path, "--into", tmp_path / "nowhere")[0] == 2
    assert "is no annotator" in run("import", path, "--into", folder, "--annotator", "=Ben")[1]


def test_pages_that_browsers_do_not_show_are_embedded(folder):
    pages = [Image.new("L", (3000, 100 + n), 200) for n in range(2)]
    pages[0].save(folder / "scan.tif", save_all=True, append_images=pages[1:])
    output = folder.parent / "tasks.json"
    where = ("--images", "https://host.example/my pages/")
    assert "neither embedded nor local-files" in run("export-tasks", folder, "--no-read", "--images", "ftp://x")[1]
    assert run("export-tasks", folder, "--output", output, "--no-read", *where)[0] == 0
    tasks = json.loads(output.read_text(encoding="utf-8"))
    images = {found["data"]["page"]: found["data"]["image"] for found in tasks}
    assert images["letter one.jpg"] == "https://host.example/my pages/letter%20one.jpg"
    for page, height in (("scan.tif#page=1", 80), ("scan.tif#page=2", 81)):
        kind, _, data = images[page].partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
            assert shown.size == (2400, height)
    second = next(found["data"] for found in tasks if found["data"]["page"] == "scan.tif#page=2")
    code, output = imported(folder, [task(second, annotation(region("a", (0, 0, 400, 300), "a"), 1))])
    assert (code, "its picture has 400 x 300 pixels, the page 3000 x 101" in output) == (2, True)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Label Studio of our own."""
    program = find_label_studio()
    if program is None:
        pytest.skip("Label Studio is not installed: make label-studio, or name its environment in LABEL_STUDIO")
    with LabelStudio(program, tmp_path_factory.mktemp("label-studio")) as started:
        yield started


def test_a_server_shows_the_pre_annotations_and_gives_labels_back(server, tmp_path):
    folder, output = tmp_path / "pages", tmp_path / "tasks.json"
    folder.mkdir()
    with Image.open(SAMPLES / "copiste-1.jpg") as sample:
        sample.crop((0, 125, 1391, 425)).save(folder / "a letter.jpg")
    assert run("export-tasks", folder, "--output", output)[0] == 0
    (exported,) = json.loads(output.read_text(encoding="utf-8"))
    lines = LabelingFolder(folder).lines("a letter.jpg")
    assert 3 < len(lines) < 9  # as many as the list in the browser shows at once

    config = (tmp_path / "labeling-config.xml").read_text(encoding="utf-8")
    project = server.post("projects/", {"title": "pages", "label_config": config})["id"]
    assert server.post(f"projects/{project}/import", [exported])["prediction_count"] == 1
    task = server.get(f"tasks/?project={project}")["tasks"][0]["id"]
    (prediction,) = server.get(f"tasks/{task}/")["predictions"]
    assert len(prediction["result"]) == 3 * len(lines)
    assert server.get(f"projects/{project}/")["model_version"] == prediction["model_version"]

    # In the browser: each line with its text. The first is corrected there, and the page is submitted.
    pytest.importorskip("playwright", reason="there is no browser")
    with server.page(f"projects/{project}/data?task={task}") as page:
        texts = page.get_by_test_id("textarea-region-input")
        texts.nth(len(lines) - 1).wait_for()
        page.wait_for_load_state("networkidle")  # it shows the list once before all is loaded, and then anew
        texts.nth(len(lines) - 1).wait_for()
        assert [texts.nth(n).input_value() for n in range(len(lines))] == [line.text for line in lines]
        page.wait_for_timeout(2000)  # until the regions are drawn
        page.screenshot(path=tmp_path / "label-studio.png")
        texts.first.fill("corrected in the browser")
        texts.first.press("Enter")
        page.get_by_role("button", name="submit").click()
        page.get_by_text("Update", exact=True).wait_for()

    # Through the API, by somebody else: another text, a line less, and one drawn anew.
    ben = server.post("users/", {"email": "ben@example.org", "username": "ben"})["id"]
    results = [result for result in prediction["result"] if result["id"] != lines[2].id]
    next(r for r in results if r["id"] == lines[1].id and r["type"] == "textarea")["value"]["text"] = ["by Ben"]
    results += region("drawn", (2, 2, 30, 120), "drawn by Ben", original_width=1391, original_height=300)
    server.post(f"tasks/{task}/annotations/", {"result": results, "completed_by": ben, "lead_time": 12.5})

    export = tmp_path / "export.json"
    export.write_bytes(server.bytes(f"projects/{project}/export?exportType=JSON"))
    code, said_of = run("import", export, "--into", folder, "--annotator", "1=Ada", "--annotator", f"{ben}=Ben")
    assert code == 0, said_of
    labels = LabelingFolder(folder).labels()
    ada, other = ({one.line: one for one in labels if one.annotator == who} for who in ("Ada", "Ben"))
    assert {name: one.text for name, one in ada.items()} == {line.id: line.text for line in lines} | {
        lines[0].id: "corrected in the browser"
    }
    assert (other[lines[1].id].text, other[lines[2].id].status) == ("by Ben", "no-line")
    assert [one.text for name, one in other.items() if name not in ada] == ["drawn by Ben"]
    assert all(np.abs(np.array(ada[line.id].polygon) - np.array(line.polygon)).max() < 0.1 for line in lines)
    again = run("import", export, "--into", folder, "--annotator", "1=Ada", "--annotator", f"{ben}=Ben")
    assert "added 0 labels" in again[1]


def test_a_server_shows_files_from_its_own_disk(server, tmp_path):
    folder = make_folder(server.files / "pages")
    output = tmp_path / "tasks.json"
    said_of = run("export-tasks", folder, "--output", output, "--no-read", "--images", "local-files")[1]
    assert f"LOCAL_FILES_DOCUMENT_ROOT={server.files}" in said_of
    config = (tmp_path / "labeling-config.xml").read_text(encoding="utf-8")
    project = server.post("projects/", {"title": "local files", "label_config": config})["id"]
    server.post("storages/localfiles/", {"project": project, "path": str(folder), "use_blob_urls": True})
    server.post(f"projects/{project}/import", json.loads(output.read_text(encoding="utf-8")))
    for task in server.get(f"tasks/?project={project}")["tasks"]:
        shown = server.client.get(task["data"]["image"])
        assert shown.content == (folder / task["data"]["page"]).read_bytes()
