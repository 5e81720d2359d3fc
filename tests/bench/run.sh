#!/bin/bash
# run.sh [PART...]   `make bench`: builds the release and the floor, gets the peers from the Python package index, measures.
set -euo pipefail
cd "$(dirname "$0")/../.."
export BENCH_VENV=${BENCH_VENV:-$PWD/target/bench/venv}
cargo build --release -p ci-bootstrap -p bench-floor
[ -x "$BENCH_VENV/bin/pyinfra" ] || { python3 -m venv "$BENCH_VENV" && "$BENCH_VENV/bin/pip" install -q ansible-core==2.19.14 pyinfra==3.10.0; }
exec python3 tests/bench/bench.py "$@"
