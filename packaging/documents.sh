#!/usr/bin/env bash
# Copies into the directory DIR, of documents, what is to be configured beside the commands: the alerts, the dashboard and
# the configurations of monitoring/, and of examples/ those for container runtimes.
#
#   packaging/documents.sh DIR
set -euo pipefail
to=${1:?a directory is missing; see the head of this file}
cd "$(dirname "$0")/.."
for file in monitoring/prometheus/*.yml monitoring/grafana/*.json monitoring/opentelemetry/*.yml examples/compose/* examples/kubernetes/*; do
    # install, because the files of a clone have the modes of its umask.
    install -D -m 644 "$file" "$to/$file"
done
