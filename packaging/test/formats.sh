# shellcheck shell=bash
# The commands of the two formats. Sourced, with the directory of the packages as its argument.
packages=$1

# deb ACTION [VERSION], rpm_ ACTION [VERSION]: install, remove, purge. They print what the scripts of the package print.
deb() {
    case $1 in
    install) dpkg -i "$packages"/sluice_"$2"_*.deb ;;
    remove) dpkg -r sluice ;;
    purge) dpkg -P sluice ;;
    esac 2>&1 | grep -vE '^(Selecting|\(Reading|Preparing|Unpacking|Setting up|Removing|Purging|Processing triggers|Not building database|dpkg: warning: downgrading)'
    return "${PIPESTATUS[0]}"
}

rpm_() {
    case $1 in
    install) rpm --upgrade --oldpackage "$packages"/sluice-"$2".*.rpm ;;
    remove) rpm --erase sluice ;;
    esac 2>&1 | grep -v '^rpm: ' # Debian's advice against it
    return "${PIPESTATUS[0]}"
}
