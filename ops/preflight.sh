#!/bin/sh
# Says which part of the ground is missing, and the line that mends it.
python=${1:-python3}
missing=""
command -v g++ >/dev/null 2>&1 || missing="$missing g++"
command -v git >/dev/null 2>&1 || missing="$missing git"
if command -v "$python" >/dev/null 2>&1; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "Python 3.11 or newer is needed, and $python is $("$python" --version 2>&1). Try: make PYTHON=python3.11" >&2
        exit 2
    }
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || missing="$missing python3-venv"
    header=$("$python" -c 'import sysconfig, pathlib; print(pathlib.Path(sysconfig.get_path("include"), "Python.h"))')
    test -f "$header" || missing="$missing python3-dev"
else
    missing="$missing python3 python3-venv python3-dev"
fi
test -z "$missing" && exit 0
echo "Missing:$missing. On Debian or Ubuntu: sudo apt-get install -y$missing" >&2
exit 2
