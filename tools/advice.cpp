#include "tools/advice.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "tools/command_line.hpp"

namespace abuzz::tools {
namespace {

constexpr double messages_min = 10;        // a second: less says nothing about a place
constexpr double batch_of_exchange = 1.5;  // messages, at most
constexpr double even_max = 2;             // the busier direction over the other one
// For a place to be worth naming: in the middle of all rounds, and never much worse. The kernel
// finds the same place by chance now and then.
constexpr double gain_min = 1.5;
constexpr double gain_least = 0.8;

double per_second(std::uint64_t amount, std::chrono::nanoseconds span) {
  return static_cast<double>(amount) / std::chrono::duration<double>(span).count();
}

// Agents by the number that rows of publications and subscriptions have for them.
std::map<std::uint64_t, std::string> agent_names(const StatsSnapshot& stats) {
  std::map<std::uint64_t, std::string> names;
  for (const RowSnapshot& row : stats.rows)
    if (row.kind == RowKind::agent) names[row.ids[0]] = row.text;
  return names;
}

std::map<std::uint32_t, const RowSnapshot*> rows_by_index(const StatsSnapshot& stats) {
  std::map<std::uint32_t, const RowSnapshot*> rows;
  for (const RowSnapshot& row : stats.rows) rows[row.index] = &row;
  return rows;
}

std::string text_of(const char* format, auto... values) {
  char text[160];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string spread_text(const MeetingMeasures::Spread& spread, const char* unit) {
  return text_of("%.1f %s (%.1f to %.1f)", spread.median, unit, spread.least, spread.most);
}

bool pays(const MeetingMeasures& measures) {
  return measures.gain_one_core.median >= gain_min && measures.gain_one_core.least >= gain_least;
}

std::string exchange_reason(const MeetingMeasures& measures) {
  if (measures.rounds == 0 || measures.kernel_us.median <= 0) return "there is one processor";
  const std::string gain = spread_text(measures.gain_one_core, "times the kernel's choice");
  if (pays(measures)) {
    return "they wait for each other, and on one core a wake-up there and back is faster: " + gain;
  }
  return "they wait for each other, but one core is no sure gain here: " + gain;
}

}  // namespace

std::vector<Talk> find_talks(const StatsSnapshot& before, const StatsSnapshot& after,
                             std::chrono::nanoseconds span) {
  const auto names = agent_names(after);
  const auto rows = rows_by_index(after);
  const auto rows_before = rows_by_index(before);
  // What a counter rose by. A row that is new, or another one's, counts from nothing.
  const auto risen = [&](const RowSnapshot& row, auto counter) {
    const auto old = rows_before.find(row.index);
    const bool is_same = old != rows_before.end() && old->second->kind == row.kind &&
                         std::ranges::equal(old->second->ids, row.ids);
    const std::uint64_t now = row.get(counter);
    return is_same ? now - std::min(now, old->second->get(counter)) : now;
  };
  struct Sum {
    std::uint64_t messages = 0, accepted = 0, batches = 0;
  };
  std::map<std::pair<std::string, std::string>, Sum> sums;
  for (const RowSnapshot& pair : after.rows) {
    if (pair.kind != RowKind::pair) continue;
    const auto publication = rows.find(static_cast<std::uint32_t>(pair.ids[0]));
    const auto subscription = rows.find(static_cast<std::uint32_t>(pair.ids[1]));
    if (publication == rows.end() || subscription == rows.end()) continue;
    const auto from = names.find(publication->second->ids[0]);
    if (from == names.end()) continue;
    const auto to = names.find(subscription->second->ids[0]);
    if (to == names.end() && subscription->second->text2.empty()) continue;
    const std::string name =
        to != names.end() ? to->second : "group " + subscription->second->text2;
    Sum& sum = sums[{from->second, name}];
    sum.messages += risen(pair, PairCounter::delivered);
    sum.accepted += risen(*publication->second, PublicationCounter::accepted);
    sum.batches += risen(*publication->second, PublicationCounter::batches);
  }
  std::vector<Talk> talks;
  for (const auto& [ends, sum] : sums) {
    const double rate = per_second(sum.messages, span);
    if (rate < messages_min) continue;
    talks.push_back({ends.first, ends.second, rate,
                     sum.batches == 0
                         ? 0
                         : static_cast<double>(sum.accepted) / static_cast<double>(sum.batches)});
  }
  std::ranges::sort(talks, std::greater<>{}, &Talk::messages_a_second);
  return talks;
}

std::vector<Advice> advise(const std::vector<Talk>& talks, const MeetingMeasures& measures) {
  std::vector<Advice> advices;
  const auto is_told = [&](const Talk& talk) {
    return std::ranges::any_of(advices, [&](const Advice& advice) {
      return advice.left == talk.to && advice.right == talk.from;
    });
  };
  for (const Talk& talk : talks) {
    if (is_told(talk)) continue;
    const auto back = std::ranges::find_if(
        talks, [&](const Talk& other) { return other.from == talk.to && other.to == talk.from; });
    Advice advice;
    advice.left = talk.from;
    advice.right = talk.to;
    advice.messages_a_second = talk.messages_a_second;
    advice.messages_a_batch = talk.messages_a_batch;
    const bool is_even =
        back != talks.end() && talk.messages_a_second <= even_max * back->messages_a_second;
    if (is_even && talk.messages_a_batch <= batch_of_exchange &&
        back->messages_a_batch <= batch_of_exchange) {
      advice.kind = Advice::Kind::exchange;
      advice.belongs_together = pays(measures);
      advice.reason = exchange_reason(measures);
    } else {
      advice.reason =
          "a stream: sender and receiver work at the same time, each on a core of its "
          "own, near in cache";
    }
    advices.push_back(std::move(advice));
  }
  return advices;
}

std::string advice_text(const std::vector<Advice>& advices, const MeetingMeasures& measures,
                        std::uint64_t meeting) {
  std::string text = "a wake-up there and back, " + std::to_string(measures.rounds) +
                     " rounds in turn:\n  on one processor (" + std::to_string(measures.left) +
                     ")  " + spread_text(measures.one_core_us, "us") + "\n";
  if (measures.kernel_us.median > 0) {
    text += "  on two (" + std::to_string(measures.left) + ", " + std::to_string(measures.right) +
            ")  " + spread_text(measures.across_us, "us") + "\n  as the kernel likes  " +
            spread_text(measures.kernel_us, "us") + "\n";
  }
  text += meeting != 0 ? "the node meets those who wait for each other on processor " +
                             std::to_string(meeting - 1) + " now\n"
                       : "";
  if (advices.empty()) return text + "nobody talks enough to belong anywhere\n";
  for (const Advice& advice : advices) {
    const bool is_exchange = advice.kind == Advice::Kind::exchange;
    text += "\n" + advice.left + (is_exchange ? " and " : " to ") + advice.right +
            text_of(": %.0f messages a second, %.1f a batch\n  ", advice.messages_a_second,
                    advice.messages_a_batch) +
            (advice.belongs_together ? "together: "
             : is_exchange           ? "anywhere: "
                                     : "apart: ") +
            advice.reason + "\n";
    if (advice.belongs_together)
      text +=
          "  place.pin = \"auto\" does that with the threads of the bus; for a whole process: "
          "taskset -c " +
          std::to_string(measures.left) + "\n";
  }
  return text;
}

void write_advice(JsonWriter& json, const std::vector<Advice>& advices,
                  const MeetingMeasures& measures, std::uint64_t meeting) {
  const auto write = [&](const char* name, const MeetingMeasures::Spread& spread) {
    json.key(name).begin_object().field_real("min", spread.least);
    json.field_real("median", spread.median).field_real("max", spread.most).end_object();
  };
  json.begin_object().key("measured").begin_object().field("rounds", measures.rounds);
  json.field("left", measures.left).field("right", measures.right);
  write("one_core_us", measures.one_core_us);
  write("across_us", measures.across_us);
  write("kernel_us", measures.kernel_us);
  write("gain_one_core", measures.gain_one_core);
  write("gain_across", measures.gain_across);
  json.end_object();
  if (meeting != 0) json.field("meeting", meeting - 1);
  json.key("talks").begin_array();
  for (const Advice& advice : advices) {
    json.begin_object().field("left", advice.left).field("right", advice.right);
    json.field("kind", advice.kind == Advice::Kind::exchange ? "exchange" : "stream");
    json.field_real("messages_a_second", advice.messages_a_second);
    json.field_real("messages_a_batch", advice.messages_a_batch);
    json.field_bool("together", advice.belongs_together).field("reason", advice.reason);
    json.end_object();
  }
  json.end_array().end_object();
}

}  // namespace abuzz::tools
