"""Whether Kafka answers, told at each change."""

from collections.abc import Callable

from confluent_kafka import KafkaError


class Contact:
    """Tells once that Kafka does not answer, and once that it does again.

    The client keeps trying by itself, and says that it lost its brokers to its `error_cb` alone: `failed`.
    """

    def __init__(self, servers: str, tell: Callable[[str], None]) -> None:
        self._servers, self._tell = servers, tell
        self._is_lost = self._is_told = False

    def failed(self, error: KafkaError) -> None:
        """Note an error of the client; one broker of several that is away is none that matters here."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 # the client's name of the error
            self._is_lost = True

    def check(self, answers: Callable[[], bool]) -> None:
        """Tell what changed. `answers` asks Kafka, and only while it is lost.

        What arrives says nothing: messages fetched before the loss come after it, and no end of a partition is
        reported again where nothing was appended.
        """
        if not self._is_lost:
            return
        if not self._is_told:
            self._is_told = True
            self._tell(f"Kafka at {self._servers} does not answer; the watch goes on where it was once it does")
        elif answers():
            self._is_lost = self._is_told = False
            self._tell(f"Kafka at {self._servers} answers again")
