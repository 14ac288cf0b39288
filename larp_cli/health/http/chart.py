"""The response times of the database, as a small chart and as a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import median

from larp_cli.health.http.formatting import format_duration, format_latency
from larp_cli.health.monitor import Sample

WIDTH, HEIGHT = 600.0, 100.0
_GAP = 3.5
"""A pause of this many usual intervals is drawn as a gap: no check ran."""
_ROOM = 0.92
"""Share of the height that the highest point reaches."""


def chart(samples: Sequence[Sample]) -> str:
    """Draw the response times as an HTML figure; empty with fewer than two checks.

    Only the line is SVG, stretched to the width of the page. The labels are HTML, so that they
    stay readable on a phone.
    """
    if len(samples) < 2:
        return ""
    top = _round_up(max((sample.seconds or 0.0 for sample in samples), default=0.0))
    places = _find_positions(samples)
    lines = "".join(
        f'<path class="line" d="{line}"/>' for line in _draw_lines(samples, places, top)
    )
    bars = "".join(_draw_bars(samples, places))
    description = _describe(samples)
    return (
        '<figure class="chart"><div class="plot">'
        f'<div class="scale"><span>{top * 1000:g} ms</span><span>0</span></div>'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" role="img"'
        f' aria-label="{description}">{bars}{lines}</svg>'
        f'<div class="scale"><span>{format_duration(_measure_span(samples))} earlier</span>'
        "<span>last check</span></div></div>"
        f"<figcaption>{description}</figcaption></figure>"
    )


def _measure_span(samples: Sequence[Sample]) -> float:
    return max((samples[-1].at - samples[0].at).total_seconds(), 0.0)


def _find_positions(samples: Sequence[Sample]) -> list[float]:
    """Place each check between left and right; the clock may have been set back."""
    whole = _measure_span(samples)
    if whole == 0:
        return [WIDTH * number / (len(samples) - 1) for number in range(len(samples))]
    passed = ((sample.at - samples[0].at).total_seconds() for sample in samples)
    return [WIDTH * min(max(seconds / whole, 0.0), 1.0) for seconds in passed]


def _usual_step(places: Sequence[float]) -> float:
    return median(after - before for before, after in zip(places, places[1:], strict=False))


def _draw_lines(samples: Sequence[Sample], places: Sequence[float], top: float) -> Iterator[str]:
    """Yield the path of each stretch without a gap; a single point becomes a dot."""
    longest = _usual_step(places) * _GAP
    points: list[str] = []
    before = 0.0
    for sample, place in zip(samples, places, strict=True):
        if points and (sample.seconds is None or place - before > longest):
            yield _path(points)
            points = []
        if sample.seconds is not None:
            points.append(f"{place:.1f} {HEIGHT * (1 - _ROOM * sample.seconds / top):.1f}")
        before = place
    if points:
        yield _path(points)


def _path(points: Sequence[str]) -> str:
    return f"M{points[0]}h0" if len(points) == 1 else "M" + "L".join(points)


def _draw_bars(samples: Sequence[Sample], places: Sequence[float]) -> Iterator[str]:
    """Mark the checks without an answer with bars of the full height."""
    half = max(_usual_step(places), 3.0) / 2
    points_in_time = zip(samples, places, strict=True)
    for missed, group in groupby(points_in_time, key=lambda point: point[0].seconds is None):
        if missed:
            run = [place for _, place in group]
            left, right = max(run[0] - half, 0.0), min(run[-1] + half, WIDTH)
            size = f'width="{right - left:.1f}" height="{HEIGHT:g}"'
            yield f'<rect class="miss" x="{left:.1f}" y="0" {size}/>'


def _round_up(seconds: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten, at least one millisecond."""
    if seconds <= 0.001:
        return 0.001
    power = 10.0 ** math.floor(math.log10(seconds))
    return next((step * power for step in (1, 2, 5) if seconds <= step * power), 10 * power)


def _describe(samples: Sequence[Sample]) -> str:
    answers = [sample.seconds for sample in samples if sample.seconds is not None]
    missed = len(samples) - len(answers)
    span, checks = format_duration(_measure_span(samples)), len(samples)
    if not answers:
        return f"In the last {span} the database answered none of {checks} checks."
    usual = (
        f"usually within {format_latency(median(answers))}, at most {format_latency(max(answers))}"
    )
    if not missed:
        return f"In the last {span} the database answered all {checks} checks, {usual}."
    return (
        f"In the last {span} the database answered {len(answers)} of {checks} checks, {usual}."
        " Bars mark checks without an answer."
    )
