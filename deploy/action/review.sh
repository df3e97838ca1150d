#!/usr/bin/env bash
# What the action runs: PULL is the pull request's address; FAIL_ON a severity or nothing; POST `true` or not.
# Every value comes through the environment, so that none of it is ever read as a command.
set -euo pipefail

if [ -z "${PULL:-}" ]; then
  echo "::error::This action reviews pull requests: let it run on pull_request."
  exit 2
fi
arguments=("$PULL")
if [ "${POST:-}" = true ]; then
  arguments+=(--post)
fi
if [ -n "${FAIL_ON:-}" ]; then
  arguments+=(--fail-on "$FAIL_ON")
fi
PATH="${RUNNER_TEMP:-}/principal/bin:$PATH" principal review "${arguments[@]}"
