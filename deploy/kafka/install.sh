#!/usr/bin/env bash
# Puts a Java runtime and Maven on a Debian machine, for `make test-kafka`. It does
# nothing where both are there, and says in one line what is missing where it can't.
set -euo pipefail

have() { command -v "$1" >/dev/null 2>&1; }

install_kafka_parts() {
  if have java && have mvn; then
    return 0
  fi
  if [ "$(id -u)" != 0 ] || ! have apt-get; then
    echo "java (17 or later) and mvn are needed to run Apache Kafka: install a JRE and Maven" >&2
    return 3
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends default-jre-headless maven
}

# Sourced, it only defines the function.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  install_kafka_parts
fi
