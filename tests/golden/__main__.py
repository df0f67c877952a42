"""`python -m tests.golden`: records what the declared versions make of the corpus; never over what is recorded."""

import argparse
import sys

from common.algebra.versions import logic_version
from common.log.events import validation_version
from common.log.normalizing import Rules
from tests.golden.guard import RULES, histories, record, records
from tests.golden.histories import LOGIC
from tests.golden.outcomes import reckoned, validated
from tests.golden.sections import VALIDATION

OUT = sys.stdout


def main() -> int:
    """The command; 1 if it refused."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    sections = sorted((*LOGIC, *VALIDATION))
    parser.add_argument("--show", choices=sections, metavar="SECTION", help="print its outcomes: compare two releases")
    asked = parser.parse_args()
    if asked.show:
        OUT.writelines(f"{line}\n" for line in lines(asked.show, RULES[0]))
        return 0
    refusals = record()
    OUT.writelines(f"refused: {text}\n" for text in refusals)
    if not refusals:
        OUT.write(f"recorded: LOGIC {logic_version()}, VALIDATION {', '.join(map(validation_version, RULES))}\n")
    return 1 if refusals else 0


def lines(section: str, rules: Rules) -> list[str]:
    """Each record of a section, and what the code makes of it."""
    if section in LOGIC:
        return list(reckoned(histories(section)))
    corpus = records(section)
    return [f"{outcome} <- {raw.text()[:300]}" for raw, outcome in zip(corpus, validated(corpus, rules), strict=True)]


if __name__ == "__main__":
    sys.exit(main())
