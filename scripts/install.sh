#!/bin/sh
# Installs the packages in the given directories. One that is installed is skipped until its lockfile changes.
set -e
for directory in "$@"; do
  test "$directory/node_modules/.package-lock.json" -nt "$directory/package-lock.json" ||
    npm ci --prefix "$directory" --no-audit --no-fund
done
