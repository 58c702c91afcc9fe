"""How all charts look, in light, in dark and on paper."""

import re

# Hues after Okabe and Ito (2008), told apart by the colour-blind; darker on white, lighter on black. The last three are
# for pages that set many runs beside each other.
LIGHT = (
    "--ink: #1c2024; --paper: #ffffff; --muted: #5b646d; --rule: #dfe3e8; "
    "--blue: #0067a5; --orange: #c55300; --green: #008060; --purple: #a6507f; --grey: #7c858e; "
    "--gold: #8a7400; --violet: #5b49c4; --red: #c0322f;"
)
DARK = (
    "--ink: #e8eaed; --paper: #14171a; --muted: #a3acb5; --rule: #343a41; "
    "--blue: #5eb8f0; --orange: #f0953a; --green: #35c39a; --purple: #dd9cc0; --grey: #8f99a3; "
    "--gold: #e3cf57; --violet: #a597f5; --red: #ef7b76;"
)
EDGE = 12
HUES = ("blue", "orange", "green", "purple", "grey", "gold", "violet", "red")
STYLE = "\n".join(
    [
        f":root {{ color-scheme: light dark; {LIGHT} }}",
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}",
        ".chart { display: block; width: 100%; height: auto; }",
        '.chart { font: 12px/1 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }',
        ".chart text { fill: var(--ink); }",
        ".chart .title { font-weight: 600; font-size: 13px; }",
        ".chart .heading { fill: var(--muted); font-weight: 600; }",
        ".chart .muted { fill: var(--muted); }",
        ".chart .end { text-anchor: end; }",
        ".chart .middle { text-anchor: middle; }",
        ".chart .grid { stroke: var(--rule); }",
        ".chart .zero { stroke: var(--muted); }",
        ".chart .line { fill: none; stroke: var(--hue); stroke-width: 2; stroke-linejoin: round; }",
        ".chart .dashed { stroke-dasharray: 2 5; }",
        ".chart .mark { fill: var(--hue); }",
        ".chart .backdrop { fill: var(--paper); }",
        ".chart .letter { fill: var(--hue); font-weight: 600; }",
        ".chart .count { fill: var(--rule); }",
        ".chart .hit { fill: transparent; }",
        ".chart .board { visibility: hidden; pointer-events: none; }",
        ".chart .spot:hover .board { visibility: visible; }",
        ".chart .ground { fill: var(--paper); stroke: var(--muted); }",
        *(f".{hue} {{ --hue: var(--{hue}); }}" for hue in HUES),
    ]
)


def standalone(chart: str) -> str:
    """A chart as a file of its own: with its style, and on a ground with a margin, since it may be shown on any."""
    head, body = chart.split(">", 1)
    width, height = re.findall(r'viewBox="0 0 (\S+) (\S+)"', head)[0]
    box = f'x="-{EDGE}" y="-{EDGE}" width="{float(width) + 2 * EDGE:g}" height="{float(height) + 2 * EDGE:g}"'
    view = " ".join(re.findall(r'"(\S+)"', box))
    head = head.replace(f'"0 0 {width} {height}"', f'"{view}"')
    return f'{head}>\n<style>\n{STYLE}\n</style>\n<rect class="backdrop" {box}/>{body}\n'
