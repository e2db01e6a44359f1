import { seriesCss } from './series-style.ts';

/** The page's only style sheet: light or dark as the reader's system is, narrow or wide, and fit for paper. */
export const styleSheet = (series: number): string => `
:root{color-scheme:light dark;--paper:light-dark(#fff,#15181c);--panel:light-dark(#f6f7f9,#1d2126);--ink:light-dark(#1b1f24,#e6e9ed);
--soft:light-dark(#5a6470,#a3adb8);--rule:light-dark(#d9dee4,#343b44);--best:light-dark(#dcf3e4,#123d2a);--warn:light-dark(#fff5dc,#3a3113);--alarm:light-dark(#b3261e,#ff8a80)}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header,main,footer{max-width:1320px;margin:0 auto;padding:0 20px}
h1{font-size:1.6rem;line-height:1.25;margin:28px 0 6px;text-wrap:balance}
h2{font-size:1.25rem;margin:40px 0 6px}
h3{font-size:1rem;margin:28px 0 8px}
h4{font-size:.9rem;margin:0 0 2px;display:flex;align-items:center;gap:8px}
p{margin:6px 0 12px;max-width:110ch}
.soft{color:var(--soft)}
code{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{background:var(--panel);border:1px solid var(--rule);border-radius:6px;padding:10px 12px;white-space:pre-wrap;overflow-wrap:anywhere;margin:8px 0}
.legend{position:sticky;top:0;z-index:2;background:var(--paper);border-bottom:1px solid var(--rule)}
.legend>div{max-width:1320px;margin:0 auto;padding:8px 20px;display:flex;flex-wrap:wrap;gap:4px 18px}
.legend label{display:flex;align-items:center;gap:6px;cursor:pointer;white-space:nowrap}
.legend label:has(:not(:checked)){color:var(--soft)}
.swatch{width:30px;height:8px;flex:none;margin-right:6px}
.trust{background:var(--warn);border-radius:6px;padding:10px 14px;max-width:none}
.grid-2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),520px));gap:18px 28px}
.grid-3{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:18px 28px}
.grid-4{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,280px),1fr));gap:18px 28px}
figure{margin:0;min-width:0}
figcaption{font-weight:600;font-size:.9rem;margin-bottom:2px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--soft)}
svg text.axis{fill:var(--ink)}
svg text.value{fill:var(--ink);font-variant-numeric:tabular-nums}
.grid{stroke:var(--rule);stroke-width:1}
.frame{fill:none;stroke:var(--soft);stroke-width:1}
.line{fill:none;stroke:var(--c);stroke-width:2.2;stroke-linejoin:round}
.band{fill:var(--c);fill-opacity:${series > 5 ? 0.06 : 0.14};stroke:none}
g:hover>.line{stroke-width:4}
.dot{fill:var(--c);stroke:var(--paper);stroke-width:1}
.bar{fill:var(--c);fill-opacity:.55}
.bar~circle,.whisker{fill:var(--ink);stroke:var(--ink)}
.bar~circle{stroke:none}
.whisker{stroke-width:1.6}
.guide{fill:none;stroke:var(--soft);stroke-width:1.4;stroke-dasharray:2 4}
.even{stroke:var(--ink);stroke-width:1;stroke-dasharray:4 3}
.engine{fill:none;stroke:var(--c);stroke-width:1;stroke-opacity:.5}
.engine:hover{stroke-width:3;stroke-opacity:1}
.warm-up{fill:var(--soft);fill-opacity:.1}
.kill,.return{stroke:var(--alarm);stroke-width:1.6}
.return{stroke-dasharray:4 3}
.scroll{width:fit-content;max-width:100%;overflow-x:auto;border:1px solid var(--rule);border-radius:6px;margin:10px 0}
table{border-collapse:collapse;font-size:12.5px;font-variant-numeric:tabular-nums;}
th,td{padding:4px 6px;text-align:right;white-space:nowrap}
thead th{color:var(--soft);font-weight:600;background:var(--panel)}
thead th[colspan]{text-align:center}
tbody tr{border-top:1px solid var(--rule)}
th:first-child{text-align:left}
tbody th,thead th[rowspan]{position:sticky;left:0;z-index:1;background:var(--paper);font-weight:600}
thead th[rowspan]{background:var(--panel)}
tbody th svg{display:inline-block;vertical-align:middle}
td small{display:block;color:var(--soft);font-size:11px}
td.opens,thead th[colspan]{border-left:1px solid var(--rule)}
td.best{background:var(--best);font-weight:700}
td.best small{font-weight:400}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 18px;margin:10px 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
details{border-top:1px solid var(--rule);margin-top:22px}
summary{cursor:pointer;padding:12px 0;font-size:1.25rem;font-weight:600}
footer{margin:48px auto 32px;color:var(--soft);font-size:13px}
@media (max-width:600px){header,main,footer{padding:0 14px}.legend>div{padding:8px 14px;flex-wrap:nowrap;overflow-x:auto}
svg text{font-size:14px}h1{font-size:1.3rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}tbody th svg{display:none}}
@media print{.legend{position:static}details::details-content{content-visibility:visible}}
${seriesCss(series)}`;
