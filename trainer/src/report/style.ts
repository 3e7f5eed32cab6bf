// How the report looks, light and dark.
export const style = `
:root{--ground:#fbfaf8;--panel:#fff;--ink:#1d1d1f;--soft:#6b6b70;--line:#e4e1dc;--s0:#c2571a;--s1:#1f6f8b;--s2:#6a8f2f;--s3:#8c4a9e}
@media(prefers-color-scheme:dark){:root{--ground:#16171a;--panel:#1e2024;--ink:#ececef;--soft:#9a9ba3;--line:#30333a;--s0:#f08a4b;--s1:#5fb8d6;--s2:#a5cf5f;--s3:#cc8fdd}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
header,main,footer{max-width:72rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2.5rem}
h1{margin:0;font-size:1.9rem;letter-spacing:-.02em}
h2{font-size:1.05rem;margin:0 0 .75rem}
header p{margin:.25rem 0 0;color:var(--soft)}
.state{margin-left:.75rem;padding:.1rem .6rem;border-radius:1rem;font-size:.8rem;border:1px solid currentColor}
.state.finished{color:var(--s2)}.state.unfinished{color:var(--s0)}
.figures{list-style:none;display:flex;flex-wrap:wrap;gap:1px;padding:0;margin:1.75rem 0;background:var(--line);border:1px solid var(--line);border-radius:.6rem;overflow:hidden}
.figures li{flex:1 1 9rem;background:var(--panel);padding:.9rem 1.1rem;color:var(--soft);font-size:.82rem}
.figures b{display:block;color:var(--ink);font-size:1.5rem;font-weight:600;font-variant-numeric:tabular-nums}
aside{border-left:3px solid var(--s0);padding:.1rem 1rem;margin:1rem 0;color:var(--soft)}
section{margin:2.25rem 0}
.charts{display:grid;grid-template-columns:repeat(6,1fr);gap:1.25rem}
figure.wide{grid-column:1/-1}figure.half{grid-column:span 3}figure.third{grid-column:span 2}
@media(max-width:56rem){.charts figure{grid-column:1/-1}}
figure{margin:0}
.charts figure{background:var(--panel);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1rem .4rem}
figcaption{font-size:.85rem;color:var(--soft);display:flex;flex-wrap:wrap;justify-content:space-between;gap:.25rem 1rem}
.legend span{margin-left:1rem}.legend i{display:inline-block;width:.7rem;height:.2rem;margin-right:.4rem;vertical-align:middle;background:var(--c)}
.legend b{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}
svg{display:block;width:100%;height:auto;font-size:11px}
svg text{fill:var(--soft)}.grid{stroke:var(--line)}
.series polyline{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}.series circle{fill:var(--c)}
img{display:block;width:100%;height:auto;image-rendering:pixelated;border-radius:.4rem}
.samples{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));gap:1.5rem;align-items:start}.newest figcaption,.strip figcaption{padding-top:.3rem}
.strip{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:1rem}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(20rem,100%),1fr));gap:2rem}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .5rem .3rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th{font-weight:400;color:var(--soft);white-space:nowrap;padding-right:1rem}
div.wide{overflow-x:auto}div.wide td{white-space:nowrap;font-variant-numeric:tabular-nums}
code{font:inherit}
footer{padding:1rem 1.5rem 3rem;color:var(--soft);font:12px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
`;
