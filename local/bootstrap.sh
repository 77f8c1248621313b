#!/bin/sh
# Find a Python that can make our virtual environment, then let local/bootstrap.py make it.
# Runs before there is anything, so: POSIX sh, and no other program than the Pythons it looks for.
#
#   local/bootstrap.sh                      .venv from requirements.lock
#   local/bootstrap.sh tool NAME PACKAGE    .tools/NAME with one package in it
#
# PYTHON=/path/to/python make ...           chooses the Python.
set -u

here=${0%/*}
[ "$here" = "$0" ] && here=.
tried=

# Prints nothing and succeeds, or says in $reason why this Python will not do.
usable() {
    # A pyenv shim is found on PATH and fails when it is run: only running it tells.
    answer=$("$1" -I -c '
import sys
version = sys.version_info
if version < (3, 11) or version >= (3, 15):
    print("is Python %d.%d" % version[:2])
elif sys.argv[1] == "uv":
    print("good")
else:
    try:
        import ensurepip, venv
        print("good")
    except ImportError:
        print("cannot make environments (Debian and Ubuntu: apt-get install python3-venv)")
' "$2" 2>/dev/null </dev/null) || {
        # -I is newer than some Pythons that we still want to name.
        answer=$("$1" -c 'import sys; print("is Python %d.%d" % sys.version_info[:2])' \
            2>/dev/null </dev/null) || answer="does not run"
    }
    reason=$answer
    [ "$answer" = good ]
}

if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
    installer=uv
else
    installer=pip
fi

for python in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.14 python3.11 python3 python; do
    command -v "$python" >/dev/null 2>&1 || {
        [ "$python" = "${PYTHON:-}" ] && tried="$tried
  $python (from PYTHON) is not there"
        continue
    }
    if usable "$python" "$installer"; then
        [ -n "${PYTHON:-}" ] && [ "$python" != "$PYTHON" ] &&
            echo "bootstrap: PYTHON=$PYTHON will not do, using $python instead:$tried" >&2
        exec "$python" -I "$here/bootstrap.py" "$installer" "$@"
    fi
    tried="$tried
  $python $reason"
done

{
    echo "bootstrap: StudyPack needs Python 3.11, 3.12, 3.13 or 3.14, and found none that works."
    if [ -n "$tried" ]; then echo "Tried:$tried"; else echo "There is no python on PATH."; fi
    echo "Install one, or name it: PYTHON=/path/to/python3.13 make"
} >&2
exit 1
