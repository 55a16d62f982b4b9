#include "bench/html_tables.hpp"

namespace abuzz::bench {
namespace {

// Series colours by system, the same in every chart; Abuzz is the first.
constexpr const char* style = R"(
:root{--ground:#fff;--ink:#1b1f24;--soft:#5d6670;--line:#d9dee3;--s0:#0b62d6;--s1:#c4461c;
--s2:#1f8a4c;--s3:#8a4fbf;--s4:#b07a00;--s5:#0f8b8d;--s6:#c2307a;--s7:#5d6670}
@media (prefers-color-scheme:dark){:root{--ground:#14181d;--ink:#e8ecf0;--soft:#9aa5b0;
--line:#2c343c;--s0:#5aa2ff;--s1:#ff8a5c;--s2:#5fd08f;--s3:#c08bf0;--s4:#e3b341;--s5:#4fd0d2;
--s6:#ff7ab8;--s7:#9aa5b0}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1540px;padding:24px;background:var(--ground);
color:var(--ink);font:15px/1.45 system-ui,sans-serif}h1{font-size:1.5em;margin:0 0 4px}
h2{font-size:1.15em;margin:32px 0 8px}code,pre{font-family:ui-monospace,monospace;font-size:.9em}
p.soft,li{color:var(--soft)}.charts{display:grid;gap:20px;
grid-template-columns:repeat(auto-fit,minmax(min(520px,100%),1fr))}
figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:10px}svg{width:100%;
height:auto;display:block}.axis{stroke:var(--soft)}.grid{stroke:var(--line)}
.label{fill:var(--soft);font-size:11px}.title{fill:var(--ink);font-size:14px;font-weight:600}
.line{fill:none!important;stroke-width:1.8}.whisker{stroke:var(--ink);stroke-width:1.5}
.legend{margin:4px 0 0;font-size:.85em}.legend span{margin-right:12px;white-space:nowrap}
.legend i{display:inline-block;width:12px;height:12px;border-radius:2px;margin-right:4px;
vertical-align:-1px}table{border-collapse:collapse;width:100%;font-size:.9em;
font-variant-numeric:tabular-nums}div.wide{overflow-x:auto}th,td{padding:4px 8px;text-align:right;
border-bottom:1px solid var(--line);white-space:nowrap}th:first-child,td:first-child{
text-align:left}th{color:var(--soft);font-weight:600}.bad{color:var(--s1);font-weight:600}
details{margin:8px 0}pre{overflow:auto;max-height:420px;border:1px solid var(--line);padding:10px}
)";

}  // namespace

std::string page_style() {
  std::string out = style;
  for (int index = 0; index < 8; ++index) {
    const std::string name = "s" + std::to_string(index);
    out += "." + name + "{fill:var(--" + name + ");stroke:var(--" + name + ");background:var(--" +
           name + ")}\n.bar." + name + ",.dot." + name + "{stroke:none}\n";
  }
  return out;
}

}  // namespace abuzz::bench
