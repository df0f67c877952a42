#!/usr/bin/env bash
# Fetches the jars of infra/local/setup/*/pom.xml, and no others, into .jars/{kafka,cassandra,spark}. Maven verifies them.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

infra/local/setup/prerequisites.sh
say "fetching the jars of Kafka, Cassandra and Spark's connectors with Maven"
rm -rf .jars/.new
JAVA_HOME=$(dirname "$(dirname "$(readlink -f "$(find_java)")")") \
    mvn --batch-mode --quiet --strict-checksums -T 2 -f infra/local/setup/pom.xml dependency:copy-dependencies -Djars="$PWD/.jars/.new" 2>&1 |
    sed $'s/\x1b\\[[0-9;]*m//g' >&2
for part in kafka cassandra spark; do
    rm -rf ".jars/$part"
    mv ".jars/.new/$part" ".jars/$part"
done
rmdir .jars/.new
touch .jars/.done
