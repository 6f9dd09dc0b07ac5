#!/usr/bin/env bash
# Runs the scenarios as root on a temporary machine (boot.sh). /lab/repo has scripts/systemd and docs of this
# repository, /lab/bin the built commands. Scenarios run in parallel.
# shellcheck disable=SC1091,SC2154 # tools.sh and its neighbours are not followed
set -uo pipefail
cd /lab/repo/scripts/systemd/test || exit
. ./tools.sh
. ./pair.sh
. ./death.sh
. ./refusals.sh
. ./bridge.sh

inventory >/lab/before
"$repo/scripts/systemd/install.sh" >/dev/null || exit 1
printf 'u reader - "" /\nu stranger - "" /\nm reader sluice\n' | systemd-sysusers - 2>/dev/null

together unitsAreSound aRingRuns aTransferRuns eitherOrder aCrashLoopEnds wrongFlagsFail theJournalHasOneTime aPackageCanBeMade
together slowIsHealthy aStoppedSideIsRestarted aHungLoopIsRestarted socketActivation aBridgeRuns
together aRingSurvivesKills aTransferSurvivesKills aKilledConsumerLosesNothingThatWasSent stopDrains restartKeepsUnread
together anotherUsersRing anotherUsersTransfer anotherUsersProducer groupByHand aDynamicUserWouldLoseItsSegment theGaugeServes aFileGoesThrough \
    aBridgeWithSecrets aBridgeWithoutItsFlags
together uninstallLeavesNothing
verdict
