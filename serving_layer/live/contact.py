"""Reports when Kafka stops answering, and when it answers again."""

from collections.abc import Callable

from confluent_kafka import KafkaError


class Contact:
    """Reports once that Kafka does not answer, and once that it answers again.

    The client retries by itself. It reports the loss of its brokers only to its `error_cb`, which must be `failed`.
    """

    def __init__(self, servers: str, report: Callable[[str], None], what: str = "the watch") -> None:
        """`what` goes on where it was once Kafka answers again, as the report says."""
        self._servers = servers
        self._what = what
        self._report = report
        self._is_lost = False
        self._is_reported = False

    @property
    def is_away(self) -> bool:
        """Whether Kafka was reported as not answering, and not yet as answering again."""
        return self._is_reported

    def failed(self, error: KafkaError) -> None:
        """Keeps in mind that all brokers are lost. Ignores other errors: one broker of several may be down."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 # the client's name of the error
            self._is_lost = True

    def check(self, answers: Callable[[], bool]) -> None:
        """Reports a change. Calls `answers`, which asks Kafka, only after a loss was reported."""
        # Messages prove nothing: some that were fetched before the loss arrive after it, and where nothing was
        # appended none arrives, and no end of a partition either.
        if not self._is_lost:
            return
        if not self._is_reported:
            self._is_reported = True
            self._report(f"Kafka at {self._servers} does not answer; {self._what} goes on where it was once it does")
        elif answers():
            self._is_lost = False
            self._is_reported = False
            self._report(f"Kafka at {self._servers} answers again")
