#!/bin/sh
# Makes the virtual environment that the image holds, in /opt/text-recognizer (or $PREFIX), from the working directory.
#
#     install.sh dependencies    from pyproject.toml and constraints.txt alone, so that other changes keep this layer
#     install.sh package         the project itself; then takes away what serving does not use, and compiles
#
# Needs Python 3.11 or newer with venv. Ends with an error where a version cannot be had as a wheel.
set -eu

prefix=${PREFIX:-/opt/text-recognizer}
pip="$prefix/bin/python -m pip --disable-pip-version-check"

dependencies() {
    python3 -m venv "$prefix"
    python3 - > /tmp/requirements.txt <<'PYTHON'
import tomllib
with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
print(*project["dependencies"], *extras["serve"], *extras["alerts"], *extras["postgres"], sep="\n")
PYTHON
    $pip install --quiet --no-cache-dir --no-compile --only-binary=:all: \
        --constraint constraints.txt --requirement /tmp/requirements.txt
    rm /tmp/requirements.txt
}

package() {
    $pip install --quiet --no-cache-dir --no-compile --no-deps .
    $pip check
    strip
    # Bytecode that never looks at its source: the root is read-only, and a copy may change the files' times.
    "$prefix/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$prefix/lib"
}

strip() {
    site=$(echo "$prefix"/lib/python3*/site-packages)
    # Installers: nothing is installed into a running container.
    rm -rf "$site"/pip "$site"/pip-* "$site"/setuptools "$site"/setuptools-* "$site"/pkg_resources \
        "$site"/_distutils_hack "$site"/distutils-precedence.pth "$prefix"/bin/pip*
    # Tests, and what only compilers and type checkers read.
    find "$site" -depth -type d \( -name tests -o -name __pycache__ \) -exec rm -rf {} +
    find "$site" -type f \( -name '*.h' -o -name '*.a' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.pyi' \) -delete
    rm -rf "$prefix/include" "$site/numpy/f2py"
    # Tools that convert models, and a second copy of ONNX Runtime for programs in C (Python's has its own inside).
    rm -rf "$site"/onnxruntime/backend "$site"/onnxruntime/datasets "$site"/onnxruntime/quantization \
        "$site"/onnxruntime/tools "$site"/onnxruntime/transformers "$site"/onnxruntime/capi/libonnxruntime.so*
}

case ${1:-} in
    dependencies | package) "$1" ;;
    *) echo "usage: install.sh dependencies|package" >&2; exit 2 ;;
esac
