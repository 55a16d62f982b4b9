#include "bench/html_report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "bench/figures.hpp"
#include "bench/groups.hpp"
#include "bench/html_tables.hpp"
#include "bench/report.hpp"
#include "bench/svg.hpp"
#include "bench/timeline.hpp"

namespace abuzz::bench {
namespace {

class Page {
 public:
  explicit Page(const BenchReport& report) : report_(report), groups_(groups_of(report)) {
    for (const RunGroup& group : groups_)
      colours_.emplace(group.plan().system->name, static_cast<unsigned>(colours_.size() % 8));
  }

  std::string text() {
    std::string out =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>abuzz bench</title>\n<style>";
    out += page_style();
    out += "</style></head><body>\n" + heading();
    out += "<h2>Throughput</h2>\n" + charts(throughput());
    out += "<h2>Latency</h2>\n" + charts(latency());
    out += "<h2>CPU</h2>\n" + charts(cpu());
    out +=
        "<h2>Every figure</h2>\n<p class=\"soft\">min / median / max over the verified runs; "
        "n/a is a system that lacks the pattern.</p>\n" +
        figures_table(groups_, report_.options) + without_pattern() + floors_table(groups_) +
        ratio_table(report_.ratios) + raw();
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
             "; waits: " + escape_html(system.waiting) +
             (system.versions == nullptr ? "" : "; " + escape_html(system.versions())) + "</li>\n";
    }
    return out +
           "</ul>\n<p class=\"soft\">Every message carries its sequence and a checksum and was "
           "checked by its receiver; a run in which one was lost, doubled, reordered or "
           "corrupt has no rate. Bars end at the median, whiskers span all runs. Without a "
           "rate the load is closed: throughput, which says nothing about latency.</p>\n";
  }
  std::string without_pattern() const {
    std::string names;
    for (const std::string& scenario : report_.options.scenarios)
      for (const std::string& system : report_.options.systems)
        if (!find_scenario(scenario)->fits(*find_system(system)))
          names += (names.empty() ? "" : ", ") + scenario + " of " + system;
    return names.empty() ? "" : "<p class=\"soft\">n/a: " + names + "</p>\n";
  }
  static std::string charts(const std::vector<std::string>& items) {
    std::string out = "<div class=\"charts\">\n";
    for (const std::string& item : items) out += item;
    return out + "</div>\n";
  }
  // What belongs into one chart, in the order of the runs: "pubsub, 64 B at 810k/s" and its groups.
  using Kinds = std::vector<std::pair<std::string, std::vector<const RunGroup*>>>;
  template <class Pick>
  Kinds by_kind(Pick&& pick) const {
    Kinds kinds;
    for (const RunGroup& group : groups_) {
      const RunPlan& plan = group.plan();
      if (group.verified_count() == 0 || !pick(plan)) continue;
      std::string name = plan.title() + ", " + std::to_string(plan.bytes) + " B";
      if (plan.rate > 0) name += " at " + rate_text(plan.rate);
      const auto found = std::find_if(kinds.begin(), kinds.end(),
                                      [&name](const auto& kind) { return kind.first == name; });
      if (found == kinds.end())
        kinds.push_back({name, {&group}});
      else
        found->second.push_back(&group);
    }
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
    if (sizes().size() < 2) return {};
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
      out.push_back(line_chart(kind + ": worst latency over time, of all runs",
                               {"seconds", Scale::linear}, {"us", Scale::logarithmic}, times));
    }
    for (const std::size_t bytes : sizes()) out.push_back(against_load(bytes));
    return out;
  }
  Series percentile_curve(const RunGroup& group) const {
    Series series{group.name(), colour(group.plan()), {}, false};
    const Histogram histogram = group.latency();
    for (double place = 0; place <= 5.0001; place += 0.05) {
      const double share = 1 - std::pow(10, -place);
      if (static_cast<double>(histogram.count()) * (1 - share) < 1) break;
      series.points.emplace_back(share, micros(histogram.at(share)));
    }
    return series;
  }
  Series worst_over_time(const RunGroup& group) const {
    Series series{group.name(), colour(group.plan()), {}, false};
    std::vector<std::uint64_t> worst;
    for (const RunResult* run : group.runs) {
      if (!run->is_verified()) continue;
      const auto& of_run = run->figures.worst_ns;
      worst.resize(std::max(worst.size(), of_run.size()));
      for (std::size_t slot = 0; slot < of_run.size(); ++slot)
        worst[slot] = std::max(worst[slot], of_run[slot]);
    }
    for (std::size_t slot = 0; slot < worst.size(); ++slot)
      series.points.emplace_back(static_cast<double>(slot) * Timeline::slot_ns / 1e9,
                                 micros(worst[slot]));
    return series;
  }
  std::vector<std::size_t> sizes() const {
    std::vector<std::size_t> found;
    for (const RunGroup& group : groups_)
      if (std::find(found.begin(), found.end(), group.plan().bytes) == found.end())
        found.push_back(group.plan().bytes);
    return found;
  }
  std::string against_load(std::size_t bytes) const {
    std::map<std::string, Series> series;
    for (const RunGroup& group : groups_) {
      const RunPlan& plan = group.plan();
      if (plan.rate <= 0 || plan.scenario != "pubsub" || plan.bytes != bytes ||
          group.verified_count() == 0)
        continue;
      Series& one = series[plan.system->name];
      one.name = plan.system->name;
      one.colour = colour(plan);
      one.is_scatter = true;
      one.points.emplace_back(
          plan.rate,
          group.spread([](const RunResult& run) { return micros(run.figures.p99_ns); }).median);
    }
    return line_chart("pubsub, " + std::to_string(bytes) + " B: p99 over offered load",
                      {"messages a second", Scale::logarithmic}, {"us", Scale::logarithmic},
                      values_of(series));
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

}  // namespace abuzz::bench
