"""The statements that write the speed tables and dead letters, for workers and for a rebuild. Knows no driver.

Each write and each delete carries the log offset of its record as its timestamp, and there are no others (R11).
"""

from typing import Final

from common.tables import Tables

MARKER: Final = ("", "")
"""Kind and entity id of the reset marker's row among the facts."""


def insert_fact(tables: Tables) -> str:
    """Values: customer, kind, entity id, cell, offset. The reset marker is written by it, too."""
    return f"INSERT INTO {tables.facts} (customer_id, kind, entity_id, value) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"


def insert_delta(tables: Tables) -> str:
    """Values: customer, offset, cell, offset, seconds to live."""
    return f"{insert_reset(tables)} AND TTL ?"


def insert_reset(tables: Tables) -> str:
    """Values: customer, offset, cell, offset. A reset's delta never expires (R24)."""
    return f"INSERT INTO {tables.deltas} (customer_id, kafka_offset, value) VALUES (?, ?, ?) USING TIMESTAMP ?"


def delete_all(table: str) -> str:
    """Values: an offset, customer. Deletes the customer's rows that were written at or below the offset."""
    return f"DELETE FROM {table} USING TIMESTAMP ? WHERE customer_id = ?"


def insert_letter() -> str:
    """Values: offset, the cells of a dead letter's row (`common.log.dead_letters.letter_cells`)."""
    return (
        f"UPDATE {Tables.dead_letters} USING TIMESTAMP ? SET appended_at = ?, key = ?, value = ?, key_bytes = ?, "
        "value_bytes = ?, rejections[?] = ? WHERE day = ? AND kafka_partition = ? AND kafka_offset = ?"
    )
