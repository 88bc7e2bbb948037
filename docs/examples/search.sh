#!/bin/sh
# Search a workspace, and read the document of the best hit: search.sh WORKSPACE QUERY
# ARCANA_URL is where `arcana serve` answers, ARCANA_KEY a key with the scopes search and read. Needs curl and jq.
set -eu
[ $# -eq 2 ] || { echo "Usage: search.sh WORKSPACE QUERY" >&2; exit 2; }
url="${ARCANA_URL:-http://127.0.0.1:8000}/v1/workspaces/$1"

ask() { # with --fail-with-body curl fails where the answer is a problem, and the problem says what to do
  answer=$(curl --silent --show-error --fail-with-body --header "Authorization: Bearer $ARCANA_KEY" "$@") || {
    printf '%s' "$answer" | jq --raw-output '"\(.status) \(.title): \(.detail) (request \(.request_id))"' >&2
    exit 1
  }
  printf '%s' "$answer"
}

wanted=$(jq --null-input --arg query "$2" '{query: $query, k: 3}')
hits=$(ask --header "Content-Type: application/json" --data-binary "$wanted" "$url/search")
printf '%s' "$hits" | jq --raw-output '.hits[] | "\(.score)  \(.title)  \(.link // .url // "")"'

best=$(printf '%s' "$hits" | jq --raw-output '.hits[0].document_id // empty')
if [ -n "$best" ]; then
  document=$(ask "$url/documents/$best")
  printf '%s' "$document" | jq --raw-output .text
else
  printf '%s' "$hits" | jq --raw-output '"Nothing was found. Nearest: \([.nearest[]?.title] | join(", "))"'
fi
