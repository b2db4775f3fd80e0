#!/usr/bin/env bash
# Runs the Python example against a demo of its own, with the right partitioner and with librdkafka's default one.
set -euo pipefail
cd "$(dirname "$0")/../../.."
work=$(mktemp -d)
demo=
trap 'if [ -n "$demo" ]; then kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check -r docs/examples/python/requirements.txt
go build -o "$work/crmstream" ./cmd/crmstream
"$work/crmstream" demo --data "$work/data" --ports auto --rate 1 >"$work/demo.log" 2>&1 &
demo=$!
for _ in $(seq 150); do
  [ -s "$work/data/demo.json" ] && grep -q '1 in' "$work/demo.log" && break
  sleep 0.2
done
field() { python3 -c "import json,sys; print(json.load(open('$work/data/demo.json'))['$1'])"; }
broker=$(field broker) registry=http://$(field registry) api=http://$(field api)
number='(415) 555-1000'
"$work/venv/bin/python" docs/examples/python/dialer.py "$broker" "$registry" acme "$number" 20
"$work/venv/bin/python" docs/examples/python/dialer.py "$broker" "$registry" acme "$number" 20 consistent_random
python3 - "$api" <<'P'
import json, sys, urllib.request
forwarded = json.load(urllib.request.urlopen(sys.argv[1] + "/api/status"))["forwarded"]
print(f"{forwarded} records were forwarded to the right partition")
P
