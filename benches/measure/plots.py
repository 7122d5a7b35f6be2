"""Bars as SVG, written by hand: no library, and the same text for the same figures."""

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 320, 56, 64, 40
COLOURS = {"direct": "#9a9a9a", "nginx": "#3b8f5a", "HAProxy": "#4472b8", "Envoy": "#8a63b5"}
OURS = ["#d1603d", "#e0a030", "#7a3b2e", "#c98bb9"]


@dataclass
class Bar:
    """A value, and its spread if it has one."""

    value: float
    least: float = None
    most: float = None

    @property
    def top(self):
        return self.most or self.value


def colours(names):
    ours = iter(OURS * 9)
    return {name: COLOURS.get(name) or next(ours) for name in names}


def short(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def step(most):
    """The distance of the lines, so that there are four to eight of them."""
    size = 10 ** (len(str(int(most))) - 1) if most >= 1 else 0.1
    return next(size * factor for factor in (0.2, 0.25, 0.5, 1, 2, 5) if most / (size * factor) <= 8)


def bars(title, groups, names, reference=None):
    """Groups of bars: `groups` has, for each label, a `Bar` or None by name. `reference` is a line across."""
    most = max(bar.top for _, members in groups for bar in members.values() if bar) * 1.12
    height = HEIGHT - TOP - BOTTOM
    y = lambda value: round(TOP + height * (1 - max(value, 0) / most), 1)
    colour = colours(names)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="22" font-size="14" font-weight="bold" fill="#222222">{escape(title)}</text>',
    ]
    at = LEFT
    for name in names:
        out.append(f'<rect x="{at}" y="34" width="10" height="10" fill="{colour[name]}"/>')
        out.append(f'<text x="{at + 15}" y="43" fill="#222222">{escape(name)}</text>')
        at += 40 + 6.5 * len(name)
    distance, line = step(most), 0
    while line * distance <= most:
        value = line * distance
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y(value)}" y2="{y(value)}" stroke="#e2e2e2"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y(value) + 4}" text-anchor="end" fill="#666666">{value:g}</text>')
        line += 1
    room = (WIDTH - 12 - LEFT) / len(groups)
    for position, (label, members) in enumerate(groups):
        left = LEFT + room * position
        out.append(f'<text x="{left + room / 2:.1f}" y="{HEIGHT - 16}" text-anchor="middle" fill="#222222">{escape(label)}</text>')
        present = [name for name in names if members.get(name)]
        width = min(46.0, room * 0.84 / max(1, len(present)))
        x = left + (room - width * len(present)) / 2
        for name in present:
            out += one(members[name], x, width, y, colour[name])
            x += width
    if reference is not None:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - 12}" y1="{y(reference)}" y2="{y(reference)}" stroke="#222222" stroke-dasharray="4 3"/>')
    return "\n".join([*out, "</svg>"]) + "\n"


def one(bar, x, width, y, colour):
    """A bar, its spread, its value."""
    middle = x + width / 2
    yield f'<rect x="{x + 1:.1f}" y="{y(bar.value)}" width="{width - 2:.1f}" height="{round(y(0) - y(bar.value), 1)}" fill="{colour}"/>'
    if bar.least is not None:
        yield f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{y(bar.least)}" y2="{y(bar.most)}" stroke="#222222"/>'
    yield f'<text x="{middle:.1f}" y="{y(bar.top) - 4:.1f}" text-anchor="middle" fill="#222222">{short(bar.value)}</text>'
