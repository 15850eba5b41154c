"""What a process counts, in Prometheus's text format. Counting is plain arithmetic on the loop's thread; shaping waits for a scrape."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from ocean.context import Ocean

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds


class Meter:
    """One process's numbers. `ready` counts answers that were given without Sanic."""

    def __init__(self, process: str, log_requests: bool = False) -> None:
        self.process = process
        self.log_requests = log_requests
        self.ready = 0
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets = [0] * (len(_BOUNDS) + 1)
        self._seconds = 0.0
        self._position = 0
        self._ocean: Ocean | None = None
        self._gauges: dict[str, tuple[str, Any]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request; `route` is the pattern that it met, so that the names stay few."""
        self._requests[method if method in _METHODS else "OTHER", route, status] += 1
        if not route.startswith("stream/"):  # a stream lasts as long as its reader stays
            self._buckets[bisect_left(_BOUNDS, seconds)] += 1
            self._seconds += seconds

    def watch(self, ocean: Ocean) -> None:
        self._ocean = ocean

    def gauge(self, name: str, about: str, value: Any) -> None:
        """A number that is asked for at each scrape: `value()`."""
        self._gauges[name] = (about, value)

    async def text(self) -> bytes:
        if self._ocean is not None:
            self._position, _ = await self._ocean.reader.head()
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Any]:
        """Called by the registry."""
        requests = CounterMetricFamily("ocean_requests", "Requests answered.", labels=("process", "method", "route", "status"))
        for (method, route, status), number in self._requests.items():
            requests.add_metric((self.process, method, "/" + route, str(status)), number)
        yield requests
        yield CounterMetricFamily("ocean_ready_answers", "Pages answered from what was kept ready.", value=self.ready)
        total, buckets = 0, []
        for bound, number in zip((*map(str, _BOUNDS), "+Inf"), self._buckets, strict=True):
            total += number
            buckets.append((bound, total))
        yield HistogramMetricFamily("ocean_request_seconds", "How long requests took.", buckets=buckets, sum_value=self._seconds)
        if self._ocean is not None:
            log = self._ocean.log
            yield GaugeMetricFamily("ocean_log_position", "The newest place of the log.", value=self._position)
            yield GaugeMetricFamily("ocean_writes_waiting", "Writes that wait for a commit.", value=log.waiting)
            yield CounterMetricFamily("ocean_commits", "Commits of this process.", value=log.commits)
            yield CounterMetricFamily("ocean_writes", "Writes of this process, several a commit.", value=log.committed)
        for name, (about, value) in self._gauges.items():
            yield GaugeMetricFamily(name, about, value=value())
