#include "bench/html_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "bench/groups.hpp"
#include "bench/report.hpp"
#include "bench/svg.hpp"
#include "bench/timeline.hpp"

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

std::string number(double value, int digits = 4) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%.*g", digits, value);
  return buffer;
}

double us(std::uint64_t ns) {
  return static_cast<double>(ns) / 1e3;
}

class Page {
 public:
  explicit Page(const BenchReport& report) : report_(report), groups_(groups_of(report)) {
    for (const std::string& name : report.options.systems)
      colours_.emplace(name, static_cast<unsigned>(colours_.size() % 8));
  }

  std::string text() {
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>abuzz bench</title>\n<style>";
    out += style;
    for (int index = 0; index < 8; ++index) {
      const std::string name = "s" + std::to_string(index);
      out += "." + name + "{fill:var(--" + name + ");stroke:var(--" + name + ");background:var(--" +
             name + ")}\n.bar." + name + ",.dot." + name + "{stroke:none}\n";
    }
    out += "</style></head><body>\n" + heading();
    out += "<h2>Throughput</h2>\n" + charts(throughput());
    out += "<h2>Latency</h2>\n" + charts(latency());
    out += "<h2>CPU</h2>\n" + charts(cpu());
    out += "<h2>Every figure</h2>\n" + table() + ratios() + raw();
    return out + "</body></html>\n";
  }

 private:
  unsigned colour(const RunPlan& plan) const { return colours_.at(plan.system->name); }

  std::string heading() const {
    std::string out = "<h1>abuzz bench</h1>\n<p><code>" + escape_html(report_.options.command) +
                      "</code></p>\n<p class=\"soft\">" + escape_html(report_.environment.line()) +
                      "</p>\n<ul>\n";
    for (const std::string& name : report_.options.systems) {
      const System& system = *find_system(name);
      out += "<li><b>" + name + "</b>: " + escape_html(system.route) +
             "; waits: " + escape_html(system.waiting) + "</li>\n";
    }
    return out +
           "</ul>\n<p class=\"soft\">Every message carries its sequence and a checksum and was "
           "checked by its receiver; a run in which one was lost, doubled, reordered or "
           "corrupt has no rate. Bars end at the median, whiskers span all runs. Without a "
           "rate the load is closed: throughput, which says nothing about latency.</p>\n";
  }
  static std::string charts(const std::vector<std::string>& items) {
    std::string out = "<div class=\"charts\">\n";
    for (const std::string& item : items) out += item;
    return out + "</div>\n";
  }
  // "pubsub, 64 B" -> its groups
  template <class Pick>
  std::map<std::string, std::vector<const RunGroup*>> by_kind(Pick&& pick) const {
    std::map<std::string, std::vector<const RunGroup*>> kinds;
    for (const RunGroup& group : groups_)
      if (group.verified_count() > 0 && pick(group.plan()))
        kinds[group.plan().title() + ", " + std::to_string(group.plan().bytes) + " B"].push_back(
            &group);
    return kinds;
  }
  template <class Figure>
  std::vector<Bar> bars(const std::vector<const RunGroup*>& groups, Figure&& figure) const {
    std::vector<Bar> made;
    for (const RunGroup* group : groups) {
      const Spread spread = group->spread(figure);
      made.push_back({group->name(), colour(group->plan()), spread.min, spread.median, spread.max,
                      number(spread.median, 3)});
    }
    return made;
  }

  std::vector<std::string> throughput() const {
    std::vector<std::string> out;
    const auto is_closed = [](const RunPlan& plan) { return !is_about_latency(plan); };
    for (const auto& [kind, groups] : by_kind(is_closed))
      out.push_back(bar_chart(kind, "million messages received a second",
                              bars(groups, [](const RunResult& run) { return run.rate() / 1e6; })));
    out.push_back(size_sweep());
    return out;
  }
  std::string size_sweep() const {
    if (report_.options.sizes.size() < 2) return {};
    std::map<std::string, Series> series;
    for (const RunGroup& group : groups_) {
      const RunPlan& plan = group.plan();
      if (is_about_latency(plan) || plan.scenario != "pubsub" || group.verified_count() == 0)
        continue;
      Series& one = series[plan.system->name];
      one.name = plan.system->name;
      one.colour = colour(plan);
      const double rate = group.spread([](const RunResult& run) { return run.rate(); }).median;
      one.points.emplace_back(plan.bytes, rate * static_cast<double>(plan.bytes) / 1e6);
    }
    return line_chart("pubsub over payload size", {"payload bytes", Scale::logarithmic},
                      {"MB a second", Scale::logarithmic}, values_of(series));
  }
  static std::vector<Series> values_of(const std::map<std::string, Series>& series) {
    std::vector<Series> values;
    for (const auto& [name, one] : series) values.push_back(one);
    return values;
  }

  std::vector<std::string> latency() const {
    std::vector<std::string> out;
    for (const auto& [kind, groups] : by_kind(is_about_latency)) {
      std::vector<Series> curves, times;
      for (const RunGroup* group : groups) {
        curves.push_back(percentile_curve(*group));
        times.push_back(worst_over_time(*group));
      }
      out.push_back(line_chart(kind + ": latency by percentile", {"percentile", Scale::nines},
                               {"us", Scale::logarithmic}, curves));
      out.push_back(line_chart(kind + ": worst latency over time", {"seconds", Scale::linear},
                               {"us", Scale::logarithmic}, times));
    }
    out.push_back(against_load());
    return out;
  }
  Series percentile_curve(const RunGroup& group) const {
    Series series{group.name(), colour(group.plan()), {}, false};
    const Histogram histogram = group.latency();
    for (double place = 0; place <= 5.0001; place += 0.05) {
      const double share = 1 - std::pow(10, -place);
      if (static_cast<double>(histogram.count()) * (1 - share) < 1) break;
      series.points.emplace_back(share, us(histogram.at(share)));
    }
    return series;
  }
  Series worst_over_time(const RunGroup& group) const {
    Series series{group.name(), colour(group.plan()), {}, false};
    const auto& worst = group.runs.back()->figures.worst_ns;
    for (std::size_t slot = 0; slot < worst.size(); ++slot)
      series.points.emplace_back(static_cast<double>(slot) * Timeline::slot_ns / 1e9,
                                 us(worst[slot]));
    return series;
  }
  std::string against_load() const {
    std::map<std::string, Series> series;
    for (const RunGroup& group : groups_) {
      const RunPlan& plan = group.plan();
      if (plan.rate <= 0 || group.verified_count() == 0) continue;
      const std::string name =
          std::string(plan.system->name) + ", " + std::to_string(plan.bytes) + " B, p99";
      Series& one = series[name];
      one.name = name;
      one.colour = colour(plan);
      one.is_scatter = true;
      one.points.emplace_back(
          plan.rate,
          group.spread([](const RunResult& run) { return us(run.figures.p99_ns); }).median);
    }
    return line_chart("latency over offered load", {"messages a second", Scale::logarithmic},
                      {"us", Scale::logarithmic}, values_of(series));
  }

  std::vector<std::string> cpu() const {
    std::vector<std::string> out;
    const auto is_closed = [](const RunPlan& plan) { return !is_about_latency(plan); };
    for (const auto& [kind, groups] : by_kind(is_closed))
      out.push_back(bar_chart(
          kind, "us of CPU a message, all processes",
          bars(groups, [](const RunResult& run) { return run.cpu_ns_per_message() / 1e3; })));
    return out;
  }

  std::string table() const {
    std::string out =
        "<div class=\"wide\"><table><tr><th>scenario</th><th>system</th><th>runs verified</th>"
        "<th>messages/s min</th><th>median</th><th>max</th><th>p50 us</th><th>p99 us</th>"
        "<th>p99.9 us</th><th>p99.99 us</th><th>max us</th><th>CPU us/msg</th><th>sent</th>"
        "<th>received</th><th>lost</th><th>doubled</th><th>reordered</th><th>corrupt</th></tr>\n";
    for (const RunGroup& group : groups_) out += row(group);
    return out + "</table></div>\n";
  }
  static std::string cell(const std::string& text, bool is_bad = false) {
    return (is_bad ? "<td class=\"bad\">" : "<td>") + escape_html(text) + "</td>";
  }
  std::string row(const RunGroup& group) const {
    const RunPlan& plan = group.plan();
    const bool is_whole = group.verified_count() == group.runs.size();
    const Spread rate = group.spread([](const RunResult& run) { return run.rate(); });
    std::string out =
        "<tr>" + cell(plan.title() + ", " + std::to_string(plan.bytes) + " B") +
        cell(group.name()) +
        cell(std::to_string(group.verified_count()) + " of " + std::to_string(group.runs.size()),
             !is_whole);
    for (const double value : {rate.min, rate.median, rate.max})
      out += cell(group.verified_count() == 0 ? "no rate" : number(value));
    for (const auto figure : {&RoleReport::p50_ns, &RoleReport::p99_ns, &RoleReport::p999_ns,
                              &RoleReport::p9999_ns, &RoleReport::max_ns}) {
      const double value =
          group.spread([figure](const RunResult& run) { return us(run.figures.*figure); }).median;
      out += cell(is_about_latency(plan) && value > 0 ? number(value) : "");
    }
    out += cell(number(
        group.spread([](const RunResult& run) { return run.cpu_ns_per_message() / 1e3; }).median,
        3));
    for (const auto figure : {&RoleReport::sent, &RoleReport::received, &RoleReport::lost,
                              &RoleReport::doubled, &RoleReport::reordered, &RoleReport::corrupt}) {
      std::uint64_t sum = 0;
      for (const RunResult* run : group.runs) sum += run->figures.*figure;
      const bool is_fault = figure != &RoleReport::sent && figure != &RoleReport::received;
      out += cell(std::to_string(sum), is_fault && sum > 0);
    }
    return out + "</tr>\n";
  }
  std::string ratios() const {
    if (report_.ratios.empty()) return {};
    std::string out =
        "<h2>Abuzz over the others</h2>\n<p class=\"soft\">Of each pair of neighbouring runs. "
        "Rates: "
        "higher is better; latencies: lower.</p>\n<div class=\"wide\"><table><tr><th>scenario</th>"
        "<th>over</th><th>figure</th><th>min</th><th>median</th><th>max</th><th>pairs</th></tr>\n";
    for (const Ratio& ratio : report_.ratios) {
      const bool is_latency = ratio.p99.median > 0;
      const std::string kind = ratio.scenario + ", " + std::to_string(ratio.bytes) + " B" +
                               (ratio.rate > 0 ? " at " + number(ratio.rate, 3) + "/s" : "");
      const auto add = [&](const char* figure, const Spread& spread) {
        out += "<tr>" + cell(kind) + cell(ratio.system) + cell(figure) +
               cell(number(spread.min, 3)) + cell(number(spread.median, 3)) +
               cell(number(spread.max, 3)) + cell(std::to_string(ratio.pairs)) + "</tr>\n";
      };
      add(is_latency ? "p50" : "rate", ratio.main);
      if (is_latency) add("p99", ratio.p99);
    }
    return out + "</table></div>\n";
  }
  std::string raw() const {
    return "<h2>Raw data</h2>\n<details><summary>every run, as JSON</summary>\n<pre id=\"data\">" +
           escape_html(document_of(report_)) + "</pre></details>\n";
  }

  const BenchReport& report_;
  const std::vector<RunGroup> groups_;
  std::map<std::string, unsigned> colours_;
};

}  // namespace

std::string html_of(const BenchReport& report) {
  return Page(report).text();
}

std::string hgrm_of(const BenchReport& report) {
  std::string out;
  for (const RunGroup& group : groups_of(report)) {
    const Histogram histogram = group.latency();
    if (histogram.count() == 0) continue;
    char line[160];
    std::snprintf(line, sizeof line, "# %s %s, %zu B, microseconds\n", group.name().c_str(),
                  group.plan().title().c_str(), group.plan().bytes);
    out += line;
    out += "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
    std::uint64_t seen = 0;
    const auto total = static_cast<double>(histogram.count());
    histogram.for_each([&](std::uint64_t value, std::uint64_t count) {
      seen += count;
      const double share = static_cast<double>(seen) / total;
      std::snprintf(line, sizeof line, "%12.3f %14.12f %10llu ", us(value), share,
                    static_cast<unsigned long long>(seen));
      out += line;
      std::snprintf(line, sizeof line, "%14.2f\n", 1 / (1 - share));
      out += seen < histogram.count() ? line : "\n";
    });
    std::snprintf(line, sizeof line, "#[Max = %12.3f, Total count = %10llu]\n", us(histogram.max()),
                  static_cast<unsigned long long>(histogram.count()));
    out += line;
  }
  return out;
}

}  // namespace abuzz::bench
