#!/usr/bin/env bash
# Makes a throw-away virtual environment with the packages of requirements.txt.
#
#   benches/peers/setup.sh [FOLDER] [PIP OPTION]...
#
# FOLDER is target/peers-venv unless given. Whatever follows it goes to `pip install`, for example the index of a
# torch build without GPU libraries. To start over, delete the folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
folder="${1:-$(cd "$here/../.." && pwd)/target/peers-venv}"
shift $(($# > 0 ? 1 : 0))

refuse() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 2
}

[[ "$folder" != -* ]] || refuse "expected a folder as the first argument, found \`$folder\`" \
    "name the folder before any option of pip"
command -v python3 >/dev/null || refuse "expected \`python3\` on the path, found none" \
    "install Python 3.11 or newer, for example with \`apt-get install python3 python3-venv\`"
version="$(python3 -c 'import platform; print(platform.python_version())')"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    refuse "expected Python 3.11 or newer, found $version" "put a newer python3 first on the path"
python3 -c 'import ensurepip, venv' 2>/dev/null ||
    refuse "expected Python's modules venv and ensurepip, Python $version lacks one" \
        "install them, on Debian with \`apt-get install python3-venv\`"
# Anything else at that place belongs to somebody.
[[ ! -e "$folder" || -f "$folder/pyvenv.cfg" ]] ||
    refuse "expected no \`$folder\` or a virtual environment, found something else" "name another folder"

python3 -m venv "$folder"
"$folder/bin/python" -m pip install --disable-pip-version-check -r "$here/requirements.txt" "$@" ||
    refuse "pip could not install the requirements" "its message stands above; running this again goes on"
"$folder/bin/python" -W ignore -c 'import torch, flash_pytorch; print("ready: torch", torch.__version__)'
