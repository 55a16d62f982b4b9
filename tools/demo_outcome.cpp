#include "tools/demo_outcome.hpp"

#include <algorithm>
#include <cstdio>

#include "tools/command_line.hpp"
#include "tools/json_writer.hpp"
#include "tools/terminal.hpp"

namespace abuzz::tools {
namespace {

std::uint64_t number(const demo::Report& report, const char* name) {
  const auto found = report.numbers.find(name);
  return found == report.numbers.end() ? 0 : found->second;
}
std::uint64_t sum(const std::vector<demo::Report>& reports, const char* name) {
  std::uint64_t total = 0;
  for (const demo::Report& report : reports) total += number(report, name);
  return total;
}

std::string decimals(double value, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof text, value < 10 ? "%.2f %s" : "%.1f %s", value, unit);
  return text;
}

void add_line(std::string& text, std::string_view label, std::string_view value) {
  text.append(label).append(16 - std::min<std::size_t>(label.size(), 15), ' ');
  text.append(value).append("\n");
}

}  // namespace

std::uint64_t DemoOutcome::lines() const {
  return number(reader, "messages");
}
std::uint64_t DemoOutcome::messages() const {
  return lines() + sum(indexers, "parts");
}
std::uint64_t DemoOutcome::batches() const {
  return sum(indexers, "batches") + number(collector, "batches");
}
std::uint64_t DemoOutcome::lost() const {
  const std::uint64_t counted = sum(indexers, "messages");
  const std::uint64_t unread = lines() - std::min(lines(), counted);
  const std::uint64_t told =
      number(reader, "lost") + sum(indexers, "lost") + number(collector, "lost");
  return std::max(told, unread);
}
bool DemoOutcome::is_equal() const {
  return number(collector, "equal") == 1 && number(collector, "lines_alone") == lines();
}
double DemoOutcome::seconds() const {
  const double span = static_cast<double>(number(collector, "end_ns")) -
                      static_cast<double>(number(reader, "start_ns"));
  return span > 0 ? span / 1e9 : 0;
}
double DemoOutcome::rate() const {
  return seconds() > 0 ? static_cast<double>(messages()) / seconds() : 0;
}

std::string table_of(const DemoOutcome& outcome, bool colour) {
  std::string text;
  Table words({{"WORD"}, {"COUNT", true}});
  for (const auto& [word, count] : outcome.collector.top) words.add({word, format_count(count)});
  if (!words.empty()) text.append(words.print(colour)).append("\n");

  std::string texts = format_plural(outcome.files, "file", "files") + ", " +
                      format_bytes(number(outcome.reader, "bytes"));
  if (outcome.skipped != 0) texts += " (" + format_count(outcome.skipped) + " not text)";
  // Each of these streams also has a message that ends it.
  const auto messages = static_cast<double>(outcome.messages() + 2 * outcome.indexers.size());
  const auto batches = static_cast<double>(std::max<std::uint64_t>(outcome.batches(), 1));
  add_line(text, "team",
           "1 reader, " + format_plural(outcome.indexers.size(), "indexer", "indexers") +
               ", 1 collector, each a process; " + outcome.reader.text);
  add_line(text, "texts", texts);
  add_line(text, "messages",
           format_count(outcome.lines()) + " lines and " +
               format_count(outcome.messages() - outcome.lines()) + " partial counts in " +
               decimals(outcome.seconds(), "s"));
  add_line(text, "rate",
           format_count(static_cast<std::uint64_t>(outcome.rate())) + " messages a second");
  add_line(
      text, "batches",
      format_count(outcome.batches()) + ", " + decimals(messages / batches, "messages in each"));
  const Shade loss_shade = outcome.lost() == 0 ? Shade::good : Shade::bad;
  add_line(text, "losses", shaded(format_count(outcome.lost()), loss_shade, colour));
  const std::string counted = format_count(number(outcome.collector, "words")) + " words, " +
                              format_count(number(outcome.collector, "distinct")) + " different";
  const std::string alone = format_count(number(outcome.collector, "words_alone")) + " and " +
                            format_count(number(outcome.collector, "distinct_alone"));
  add_line(text, "check",
           outcome.is_equal()
               ? counted + ": " + shaded("equal to the count by one process", Shade::good, colour)
               : counted + ": " + shaded("one process counted " + alone, Shade::bad, colour));
  return text;
}

std::string json_of(const DemoOutcome& outcome) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).field("run", outcome.run);
  json.field("files", std::uint64_t{outcome.files}).field("skipped", outcome.skipped);
  json.field("bytes", number(outcome.reader, "bytes")).field("lines", outcome.lines());
  json.field("messages", outcome.messages()).field("batches", outcome.batches());
  json.field("lost", outcome.lost()).field_real("seconds", outcome.seconds());
  json.field_real("rate", outcome.rate());
  json.field("words", number(outcome.collector, "words"));
  json.field("distinct", number(outcome.collector, "distinct"));
  json.field_bool("equal", outcome.is_equal()).key("top").begin_array();
  for (const auto& [word, count] : outcome.collector.top) {
    json.begin_object().field_bytes("word", word).field("count", count).end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace abuzz::tools
