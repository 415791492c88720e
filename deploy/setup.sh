#!/bin/sh
# Creates the secrets of compose.yaml in secrets/. It changes none that exists, so it may run again.
set -eu
cd "$(dirname "$0")/.."

# Containers get each file, not the directory, which keeps others on this machine out.
mkdir -p secrets
chmod 700 secrets

# Writes standard input to a file that does not exist, whole or not at all.
create() {
  if [ -e "secrets/$1" ]; then
    echo "secrets/$1 exists"
    return
  fi
  cat > "secrets/.$1"
  ln "secrets/.$1" "secrets/$1"
  rm "secrets/.$1"
  echo "secrets/$1 created"
}

random() { od -An -v -N32 -tx1 /dev/urandom | tr -d ' \n'; }

random | create jwt_secret
random | create admin_tokens
random | create postgresql_password
printf 'postgresql://sessions:%s@postgresql/sessions' "$(cat secrets/postgresql_password)" | create database_url
random | create grafana_password

# The containers' users read these files, also if a umask of 077 has created them.
chmod a+r secrets/* deploy/haproxy.cfg monitoring/*
