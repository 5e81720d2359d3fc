# shellcheck shell=bash
# What the lab's own tests say it with. The first broken promise ends the test.

check() { # what command...: must succeed
  local what=$1 out; shift
  out=$("$@" 2>&1) && { echo "ok    $what"; return; }
  echo "FAIL  $what"; echo "      $*: ${out:-(no output)}"; exit 1
}
refused() { # what pattern command...: must fail, with an explanation that matches
  local what=$1 pattern=$2 out; shift 2
  if out=$("$@" 2>&1); then echo "FAIL  $what: it succeeded"; exit 1; fi
  grep -q "$pattern" <<<"$out" || { echo "FAIL  $what: no '$pattern' in: $out"; exit 1; }
  echo "ok    $what"
}
