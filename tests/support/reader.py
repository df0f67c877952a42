"""What stands in for the worker behind the Faust seam."""

from speed_layer.apply.lanes import Lanes, Start


class Reader:
    """Stands in for the worker."""

    lanes, backlog_bytes, paused, leaves, fetch_wait_seconds = Lanes(), 1, False, True, 0.02

    async def starts(self, partitions: object) -> dict[int, Start]:
        return {}

    def forget(self) -> None: ...

    def fail(self, error: BaseException) -> None: ...
