#!/usr/bin/env bash
# page.sh PAGE: runs the commands of a page on a temporary machine (test.sh), as root in a new home directory, in a copy of
# the repository called sluice.
set -euo pipefail
# shellcheck disable=SC1091 # written by test.sh
. /lab/environment
export HOME=/home/reader USER=root LANG=C.UTF-8
mkdir -p $HOME/sluice
tar -x -C $HOME/sluice -f /lab/tree.tar
cd $HOME/sluice
grep -q '^go build -o bin/' "$1" || cp -r /lab/bin bin # a page that does not build is for those who have
exec /lab/docs "$1"
