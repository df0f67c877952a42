#!/usr/bin/env bash
# Fetches the jars of infra/local/setup/PART/pom.xml, and no others, into .jars/PART. Maven verifies them.
# Without arguments: kafka, cassandra and spark, which every user needs. `jars.sh s3`: the client of an object store.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

parts=(kafka cassandra spark)
[ $# -eq 0 ] || parts=("$@")
infra/local/setup/prerequisites.sh
say "fetching jars with Maven: ${parts[*]}"
new=.jars/.new-$$
trap 'rm -rf "$new"' EXIT
JAVA_HOME=$(dirname "$(dirname "$(readlink -f "$(find_java)")")") \
    mvn --batch-mode --quiet --strict-checksums -T 2 -f infra/local/setup/pom.xml -pl "$(IFS=,; printf '%s' "${parts[*]}")" \
    dependency:copy-dependencies -Djars="$PWD/$new" 2>&1 |
    sed $'s/\x1b\\[[0-9;]*m//g' >&2
for part in "${parts[@]}"; do
    rm -rf ".jars/$part"
    mv "$new/$part" ".jars/$part"
    [ $# -eq 0 ] || touch ".jars/$part/.done"
done
[ $# -gt 0 ] || touch .jars/.done
