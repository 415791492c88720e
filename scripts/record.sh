#!/usr/bin/env bash
# Runs all contract tests, unless the last run of each was of the code and the tests as they are: test/support/record.ts keeps
# what they exchange.
set -euo pipefail
cd "$(dirname "$0")/.."

sources=(src openapi.yaml prisma package-lock.json test)
for test in test/operations/*.test.ts; do
  record=node_modules/.cache/recorded/${test##*/}.exchanges
  if [ ! -f "$record" ] ||
    [ -n "$(find "${sources[@]}" -path src/generated -prune -o -type f -newer "$record" -print -quit)" ]; then
    npm run --silent tap -- --timeout=600 'test/operations/*.test.ts'
    exit
  fi
done
