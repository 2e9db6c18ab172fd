"""Make the zip of the AWS Lambda function from nothing, and prove that it reads.

    python3.13 deploy/lambda/build_zip.py

Lambda takes at most 250 MiB unzipped; the runtime as pip installs it has more. What goes: tests and headers, a second
copy of ONNX Runtime that Python does not load, and the video and AVIF codecs of OpenCV, which alone have 42 MB. OpenCV
is linked to the codecs, so libraries without content take their place (a C compiler and readelf make them); nothing
here opens videos, and images are decoded by Pillow. Whether enough is left is not argued but tried: the handler reads
samples/ from the finished tree, with nothing else on Python's path.

The Python that runs this (or --python) must be of the version and the processor that the function has.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 250 * 2**20  # bytes unzipped: Lambda's
GLIBC = 34  # Amazon Linux 2023 has 2.34: no wheel for a later one
REQUIREMENTS = ("numpy", "opencv-python-headless", "onnxruntime", "pillow", "httpx")
PARTS = (
    *("__init__.py", "alphabet.py", "page.py", "images", "recognition", "formats", "bundles", "service/__init__.py"),
    *(f"service/{name}.py" for name in ("aws_lambda", "lambda_events", "inputs", "results")),
    *(f"service/{name}.py" for name in ("fetching", "addresses", "pinned")),
)
SUPERFLUOUS = (
    *("bin", "**/tests", "**/__pycache__", "**/*.pyi", "**/*.h", "**/*.a", "**/*.pxd", "**/*.pyx"),
    *("numpy/f2py", "numpy/distutils"),
    *(f"onnxruntime/{name}" for name in ("backend", "datasets", "quantization", "tools", "transformers")),
    "onnxruntime/capi/libonnxruntime.so*",  # for programs in C; the Python module has its own copy inside
    *("flatbuffers*", "google", "protobuf*", "packaging*"),  # for the tools of ONNX Runtime
    *(f"PIL/{name}.*.so" for name in ("_avif", "_imagingft", "_imagingcms", "_imagingtk")),
)
#: Libraries that OpenCV is linked to and that reading never calls -> how their symbols are told from others.
CODECS = {
    "libavcodec": "@LIBAVCODEC_",
    "libavformat": "@LIBAVFORMAT_",
    "libavutil": "@LIBAVUTIL_",
    "libswscale": "@LIBSWSCALE_",
    "libavif": "avif",
}
CHECK = """
import sys; sys.path.insert(0, sys.argv[1])
import base64, json, pathlib
from text_recognizer.service.aws_lambda import handler
for path in sorted(pathlib.Path(sys.argv[2]).glob("*.jpg")):
    answer = handler({"image": base64.b64encode(path.read_bytes()).decode()}, None)
    print(json.dumps({"sample": path.name, "pred": answer["pred"], "conf": answer["conf"]}))
import io
from PIL import Image
for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP"):
    file = io.BytesIO()
    Image.new("RGB", (300, 100), "white").save(file, kind)
    assert handler({"image": base64.b64encode(file.getvalue()).decode()}, None)["pred"] == "", kind
from text_recognizer.service.fetching import FetchError, UrlPolicy, _tls_context, fetch_image
_tls_context()
try:
    fetch_image("http://169.254.169.254/", UrlPolicy.public, 1000, 5)
except FetchError as error:
    assert error.status == 400
outside = [m.__file__ for m in sys.modules.values() if "site-packages" in (getattr(m, "__file__", None) or "")]
assert not outside, outside
"""


def install(tree: Path, python: str) -> None:
    """The requirements as wheels for Lambda's C library, in the versions that the project is tested with."""
    version = _output(python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))").strip()
    platforms = [f"manylinux_2_{minor}_{platform.machine()}" for minor in range(17, GLIBC + 1)]
    platforms += [f"manylinux2014_{platform.machine()}"]
    abis = (f"cp{version.replace('.', '')}", "abi3", "none")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", tree, "--constraint", ROOT / "constraints.txt", "--only-binary=:all:"]
    command += ["--implementation=cp", f"--python-version={version}", *(f"--abi={abi}" for abi in abis)]
    subprocess.run([*command, *(f"--platform={name}" for name in platforms), *REQUIREMENTS], check=True)


def add_package(tree: Path) -> None:
    """The parts of text_recognizer that read and answer, without training and web."""
    for part in PARTS:
        source, target = ROOT / "text_recognizer" / part, tree / "text_recognizer" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    shutil.copy(ROOT / "LICENSE", tree / "text_recognizer")


def prune(tree: Path) -> None:
    """Take away what reading does not use."""
    for pattern in SUPERFLUOUS:
        for path in list(tree.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    module = next((tree / "cv2").glob("cv2*.so"))
    for name, mark in CODECS.items():
        for library in tree.glob(f"opencv_python_headless.libs/{name}-*.so*"):
            hollow(library, module, mark)
    remove_orphans(tree)


def hollow(library: Path, user: Path, mark: str) -> None:
    """Replace a library by one that only has the names `user` wants of it; calling any of them ends the program."""
    table = _output("readelf", "--dyn-syms", "--wide", user)
    wanted = {line.split()[7] for line in table.splitlines() if " UND " in line and mark in line}
    versions = {name.partition("@")[2].lstrip("@") for name in wanted} - {""}
    functions = "".join(f"void {name.partition('@')[0]}(void) {{ __builtin_trap(); }}\n" for name in sorted(wanted))
    with tempfile.TemporaryDirectory() as folder:
        source, script = Path(folder) / "hollow.c", Path(folder) / "versions"
        source.write_text(functions, encoding="utf-8")
        script.write_text("".join(f"{version} {{ global: *; }};\n" for version in sorted(versions)), encoding="utf-8")
        link = ["-shared", "-nostdlib", "-fno-builtin", "-w", "-s", f"-Wl,-soname,{library.name}"]
        link += [f"-Wl,--version-script={script}"] if versions else []
        subprocess.run(["cc", *link, "-o", library, source], check=True)


def remove_orphans(tree: Path) -> None:
    """Remove bundled libraries that no Python module needs, directly or through others."""
    bundled = {path.name: path for path in tree.glob("*.libs/*.so*")}
    waiting = [path for path in tree.rglob("*.so*") if path.name not in bundled]
    needed: set[str] = set()
    while waiting:
        names = set(re.findall(r"\(NEEDED\).*\[(.+)\]", _output("readelf", "-dW", waiting.pop())))
        waiting += [bundled[name] for name in names & bundled.keys() - needed]
        needed |= names
    for name in bundled.keys() - needed:
        bundled[name].unlink()


def compile_all(tree: Path, python: str) -> None:
    """Bytecode beside the sources: Lambda's file system is read-only, so a cold start would compile every time."""
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-s", tree, tree]
    subprocess.run(command, check=True)


def check(tree: Path, python: str) -> None:
    """Read samples/ from the tree alone, and compare with what is written there."""
    isolated = [python, "-I", "-S", "-B", "-c", CHECK, tree, ROOT / "samples"]
    for line in _output(*isolated).splitlines():
        answer = json.loads(line)
        if "sample" not in answer:
            continue
        truth = (ROOT / "samples" / answer["sample"]).with_suffix(".txt").read_text(encoding="utf-8")
        found, known = set(answer["pred"].split()), set(truth.split())
        share = len(found & known) / len(known)
        print(f"{answer['sample']}: {share:.0%} of the words, confidence {answer['conf']}")
        if share < 0.25:  # the hardest sample has a third
            raise SystemExit(f"{answer['sample']} is not read: {answer['pred']!r}")


def pack(tree: Path, target: Path) -> None:
    """The zip, the same for the same content: names in order, one date."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), (2020, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, path.read_bytes())


def size(tree: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())


def main() -> None:
    """Build, check, measure and pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "lambda", help="folder of tree/ and the zip")
    parser.add_argument("--python", default=sys.executable, help="the Python whose version the function has")
    options = parser.parse_args()
    tree = options.output.resolve() / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    install(tree, options.python)
    add_package(tree)
    print(f"as installed: {size(tree) / 1e6:.1f} MB")
    prune(tree)
    compile_all(tree, options.python)
    check(tree, options.python)
    for folder in sorted(tree.iterdir(), key=size, reverse=True)[:8]:
        print(f"{size(folder) / 1e6:8.1f} MB  {folder.name}")
    total = size(tree)
    print(f"unzipped: {total / 1e6:.1f} MB of the {LIMIT / 1e6:.1f} MB that Lambda allows")
    if total > LIMIT:
        raise SystemExit("too large for Lambda")
    target = tree.parent / "text-recognizer.zip"
    pack(tree, target)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
