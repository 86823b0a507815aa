"""The report's style sheet: one column, light or dark as the reader's system is set, no external files."""

STYLE = """
:root { color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --ink: #1d2126; --quiet: #626a73; --line: #e2e4e6; --soft: #f1f2f3;
  --kept: #2f7d6d; --main: #1f6fb2; --mtp: #c4681c; --rate: #7a5ea8; --warn: #9a5b00; --warn-soft: #fff5e2;
  --inside: #ffffff;
  --d0: #2f6fb5; --d1: #c8692b; --d2: #2f8f6f; --d3: #2a9aa8; --d4: #7f62b3; --d5: #8c7a4f; --d6: #b08a1e;
  --d7: #9a9a9a; --d8: #c05a80; --d9: #5d7f2e; --d10: #75797e;
  --r0: #b5483f; --r1: #d0745b; --r2: #e0a084; --r3: #a8646e; --r4: #c99aa0; --r5: #b9a9a2; }
@media (prefers-color-scheme: dark) { :root {
  --page: #15181b; --card: #1c2024; --ink: #e4e7ea; --quiet: #98a1aa; --line: #30363c; --soft: #252a2f;
  --kept: #4fae99; --main: #5aa6e6; --mtp: #e8964f; --rate: #ab90da; --warn: #e9b765; --warn-soft: #2f2718;
  --inside: #101316;
  --d0: #5b9be0; --d1: #e08a4e; --d2: #53b592; --d3: #4fbecb; --d4: #a78bdb; --d5: #b5a276; --d6: #d3b04b;
  --d7: #8a8a8a; --d8: #de7fa2; --d9: #88ab57; --d10: #6c7278;
  --r0: #d2685e; --r1: #c97f66; --r2: #b98a72; --r3: #b77a85; --r4: #96707a; --r5: #857a75; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 3.2rem; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 0 20px 60px; }
header { max-width: 1080px; margin: 0 auto; padding: 28px 20px 10px; }
h1 { font-size: 1.7rem; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 0 0 .3rem; }
h3 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
p { margin: .2rem 0 .8rem; max-width: 48rem; }
.quiet { color: var(--quiet); }
nav { position: sticky; top: 0; z-index: 2; background: var(--page); border-bottom: 1px solid var(--line); }
nav div { max-width: 1080px; margin: 0 auto; padding: .55rem 20px;
  display: flex; gap: 1.3rem; flex-wrap: wrap; }
nav a { color: var(--quiet); text-decoration: none; } nav a:hover { color: var(--ink); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 18px 22px;
  margin-top: 18px; overflow-x: auto; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin-top: 16px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 11px 15px; }
.tile b { display: block; font-size: 1.15rem; white-space: nowrap;
  font-variant-numeric: tabular-nums; font-weight: 600; }
.tile span { color: var(--quiet); font-size: .86rem; }
.missing { background: var(--warn-soft); border-left: 3px solid var(--warn); border-radius: 4px;
  padding: .55rem .9rem; margin: .8rem 0 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--quiet); font-weight: 500; font-size: .86rem; }
th, td { padding: .32rem .8rem .32rem 0; border-bottom: 1px solid var(--line); vertical-align: middle; }
tr:last-child td { border-bottom: 0; }
table.reasons { table-layout: fixed; } .reasons th:nth-child(1) { width: 32%; }
.reasons th:nth-child(n+3) { width: 12%; } .reasons td { overflow-wrap: anywhere; }
.num { text-align: right; } td.num { white-space: nowrap; }
.step { margin: 2px 0; } .wide { width: 40%; } .most { width: 58%; } .third { width: 26%; }
svg { display: block; } svg.lines { width: 100%; height: auto; } svg.histogram { width: 100%; height: 46px; }
svg.bar { border-radius: 3px; }
svg text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--quiet); }
svg text.inside { fill: var(--inside); font-size: 11.5px; pointer-events: none; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: var(--line); } .axis { stroke: var(--quiet); stroke-width: .6; }
.mean { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 2 2; vector-effect: non-scaling-stroke; }
.boundary { stroke: var(--quiet); stroke-dasharray: 4 3; }
polyline { fill: none; stroke-width: 1.9; stroke-linejoin: round; }
polyline.main { stroke: var(--main); } polyline.mtp { stroke: var(--mtp); }
polyline.rate { stroke: var(--rate); }
rect.empty { fill: var(--soft); } rect.kept { fill: var(--kept); } rect.main { fill: var(--main); }
rect.mtp { fill: var(--mtp); } rect.rate { fill: var(--rate); }
.key { display: inline-flex; align-items: center; gap: .4rem; margin-right: 1.1rem; color: var(--quiet);
  font-size: .88rem; }
.key i { width: .75rem; height: .75rem; border-radius: 2px; display: inline-block; background: currentColor; }
summary { cursor: pointer; padding: .3rem 0; }
.sample { border-top: 1px solid var(--line); padding: .6rem 0 .8rem; }
.facts { color: var(--quiet); font-size: .86rem; overflow-wrap: anywhere; margin-bottom: .35rem; }
.facts b { color: var(--ink); font-weight: 600; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow: auto;
  background: var(--soft); border-radius: 5px; padding: .7rem .9rem;
  font-size: .93rem; position: relative; contain: content; }
.text pre, .text code { font: .86rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
.text pre { margin: .4rem 0; padding: .5rem .7rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 4px; white-space: pre; overflow-x: auto; }
.text code { background: var(--card); border-radius: 3px; padding: 0 .2rem; }
math { font-size: 1.06em; } math[display=block] { margin: .35rem 0; }
@media print { nav { position: static; } .text { max-height: none; } }
"""


def classes() -> str:
    """Return the CSS rules for the colours of the eleven domains (`d0`...) and reject reasons (`r0`...)."""
    names = [f"d{index}" for index in range(11)] + [f"r{index}" for index in range(6)]
    return "".join(
        f"rect.{name} {{ fill: var(--{name}); }} i.{name} {{ color: var(--{name}); }}\n" for name in names
    ) + (
        "i.main { color: var(--main); } i.mtp { color: var(--mtp); } i.rate { color: var(--rate); }\n"
        "i.kept { color: var(--kept); }\n"
    )
