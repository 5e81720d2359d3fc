#!/bin/bash
# tally.sh [FAILED]   What `make test` ran, counted from what tests recorded as skipped in the file SKIPPED, and from the logs
# beside it. Cases of a lab file count, not the test around them. The last line is `N passed, N failed, N skipped`.
# FAILED, when not empty, says that something has failed, even if no test did.
# With SKIPS_ALLOWED, a file of lines `NAME<tab>why`, any other test that was skipped is a failure.
set -euo pipefail
records=$SKIPPED logs=$(dirname "$SKIPPED")
passed=0 failed=0 skipped=0
fail() { failed=$((failed + 1)); echo "failed: $1"; }

count() { # log: passed and failed, and how many programs ran without telling how they ended
  awk '
    function number(word) { return match($0, "[0-9]+ " word) ? substr($0, RSTART, RLENGTH) + 0 : 0 }
    / Running (unittests )?[A-Za-z0-9_/.-]+[.]rs \(/ { programs++ }
    /test result: / { ended++; passed += number("passed"); failed += number("failed") }
    / \.\.\. ok \([0-9]/ { cases++; cases_passed++ }
    / \.\.\. FAILED \([0-9]/ { cases++; cases_failed++ }
    /^selftest: ok / { cases++; cases_passed++ }
    /^selftest: FAIL / { cases++; cases_failed++ }
    /^selftest: the lab keeps its promises/ { promised = 1 }
    /^selftest: / { programs = 1; ended = promised || cases_failed }
    END {
      if (cases) { passed = cases_passed; failed = cases_failed > failed ? cases_failed : failed }
      print passed + 0, failed + 0, programs ? programs - ended : 1
    }' "$1"
}

for log in "$logs"/*.log; do
  [ -e "$log" ] || break
  read -r ok bad silent < <(count "$log")
  passed=$((passed + ok)) failed=$((failed + bad))
  grep -hoE 'test [^ ].* \.\.\. FAILED|selftest: FAIL .*|failed: .*' "$log" | sed -E 's/^(failed: )?/failed: /' || true
  [ "$silent" = 0 ] || fail "$log: $silent of its programs did not run to the end"
done

skip() { # name why
  skipped=$((skipped + 1)); echo "skipped: $1: $2"
  [ -z "${SKIPS_ALLOWED:-}" ] || cut -f1 "$SKIPS_ALLOWED" | grep -qxF -e "$1" || fail "$1 was skipped, which $SKIPS_ALLOWED does not allow"
}
while IFS=$'\t' read -r _ name why; do
  [[ $name == *": "* ]] || passed=$((passed - 1))   # the runner of Rust's tests counted it as passed
  skip "$name" "$why"
done < <(cat "$records" 2>/dev/null)
while IFS=$'\t' read -r name why; do skip "$name" "$why"; done \
  < <(cat "$logs"/*.log 2>/dev/null | sed -nE 's/^.*test ([^ ]+) \.\.\. ignored(, (.*))?$/\1\t\3/p')

[ -z "${1:-}" ] || [ "$failed" != 0 ] || fail "something besides the tests: see above"
[ $((passed + failed + skipped)) != 0 ] || fail "nothing ran"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
