#!/bin/sh
# Installs packages of Debian that are not there: debian.sh PACKAGE...
set -eu
for package; do
    dpkg -s "$package" >/dev/null 2>&1 && continue
    apt-get install -y -q --no-install-recommends "$package" >/dev/null
done
