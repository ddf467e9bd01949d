"""Plots as plain SVG: bars for sides, and points for what grows. No library is worth its weight for these two."""

from collections.abc import Sequence
from html import escape
from math import log10

from bench.values import Table

WIDTH, LEFT, LINE = 760, 300, 18
COLOURS = ("#1f5fa8", "#c8781e", "#5b8c3a", "#8a8a8a", "#7a4fa3")


def text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{escape(words)}</text>'


def document(height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" font-family="sans-serif"'
    return "\n".join([f'{head} font-size="12">', '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"])


def bars(title: str, tables: Sequence[Table]) -> str:
    """A group of bars for each table, as long as the medians are, each group by a scale of its own."""
    parts, y = [text(10, 20, title, 'font-weight="bold"')], 46.0
    for table in tables:
        parts.append(text(10, y, f"{table.name}  {table.title}", 'font-weight="bold"'))
        longest = max((table.median(name) for name in table.series), default=0) or 1
        for number, name in enumerate(table.series):
            y += LINE
            value = table.median(name)
            long = (WIDTH - LEFT - 80) * value / longest
            colour = COLOURS[number % len(COLOURS)]
            parts.append(text(LEFT - 8, y, name, 'text-anchor="end"'))
            parts.append(f'<rect x="{LEFT}" y="{y - 11:.0f}" width="{max(long, 1):.1f}" height="13" fill="{colour}"/>')
            parts.append(text(LEFT + long + 6, y, f"{value:.3g} {table.unit}"))
        y += 1.6 * LINE
    return document(y, parts)


def growth(title: str, table: Table) -> str:
    """Medians over sizes, both on logarithmic scales, with a dashed line for what grows as fast as its size."""
    points = [(float(name), table.median(name)) for name in table.series]
    points = [(size, value) for size, value in points if size > 0 and value > 0]
    height, top, bottom, left, right = 340.0, 40.0, 290.0, 70.0, WIDTH - 30.0
    parts = [text(10, 20, title, 'font-weight="bold"')]
    if not points:
        return document(height, parts)
    low_x, high_x = log10(min(size for size, _ in points)), log10(max(size for size, _ in points))
    straight = [(size, points[-1][1] * size / points[-1][0]) for size, _ in points]
    values = [value for _, value in points + straight]
    low_y, high_y = log10(min(values)), log10(max(values))

    def x(size: float) -> float:
        return left + (right - left) * (log10(size) - low_x) / ((high_x - low_x) or 1)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (log10(value) - low_y) / ((high_y - low_y) or 1)

    def line(of: Sequence[tuple[float, float]], more: str) -> str:
        corners = " ".join(f"{x(size):.1f},{y(value):.1f}" for size, value in of)
        return f'<polyline points="{corners}" fill="none" {more}/>'

    parts.append(f'<path d="M{left} {top} V{bottom} H{right}" fill="none" stroke="black"/>')
    parts.append(line(straight, 'stroke="#8a8a8a" stroke-dasharray="5 4"'))
    parts.append(line(points, f'stroke="{COLOURS[0]}" stroke-width="2"'))
    for size, value in points:
        parts.append(f'<circle cx="{x(size):.1f}" cy="{y(value):.1f}" r="4" fill="{COLOURS[0]}"/>')
        parts.append(text(x(size), y(value) - 10, f"{value:.3g}", 'text-anchor="middle"'))
        parts.append(text(x(size), bottom + 18, f"{size:g}", 'text-anchor="middle"'))
    parts.append(text((left + right) / 2, bottom + 38, table.growing or "", 'text-anchor="middle"'))
    return document(height, parts)
