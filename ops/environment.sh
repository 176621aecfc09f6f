#!/bin/sh
# Makes .venv from a locked list of requirements, or brings it up to date: sh ops/environment.sh requirements.lock
# It is made anew where it cannot be used: its Python is gone or was replaced, or somebody killed this in the middle.
set -eu
list=$1
: "${PYTHON:=}"

cannot() {
    echo "$1" >&2
    exit 1
}

pick() { # the first Python that is new enough; a name on the path may be a shim that starts nothing
    for python in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    cannot "Yinling needs Python 3.11 to 3.14: install one, or name it with PYTHON=/path/to/python3"
}

case $PWD in
*:*) cannot "Python makes no environment below a path with a colon: move this checkout" ;;
esac
if [ -e .venv ] && [ ! -w .venv ]; then
    cannot "This checkout's .venv belongs to another user: have it removed, or work in a copy of your own"
fi
[ -w . ] || cannot "This checkout belongs to another user: work in a copy of your own"

if [ -e .venv ] || [ -L .venv ]; then
    if [ -e .venv/unfinished ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        echo "The environment in .venv cannot be used any more: making it anew ..."
        rm -rf .venv
    fi
fi
if [ ! -e .venv ]; then
    python=$(pick)
    mkdir .venv
    touch .venv/unfinished
    "$python" -m venv .venv || cannot "No environment could be made; on Debian this needs: apt install python3-venv"
fi
touch .venv/unfinished
echo "Installing $list (once, under a minute) ..."
PIP_USER=0 .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r "$list" ||
    cannot "The packages could not be installed: see above why, then start again"

# finds its checkout from where it lies, so that both may be moved
cat >.venv/bin/yinling <<'COMMAND'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
if [ ! -x "$here/python" ]; then
    echo "The Python of this environment is gone: run make demo in ${here%/.venv/bin}" >&2
    exit 1
fi
PYTHONPATH=${here%/.venv/bin} exec "$here/python" -P -m backend "$@"
COMMAND
chmod +x .venv/bin/yinling
rm .venv/unfinished
