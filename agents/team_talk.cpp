#include "agents/team_talk.hpp"

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace abuzz::demo {

std::string lines_topic(const std::string& run, std::uint64_t indexer) {
  return "demo." + run + ".lines." + std::to_string(indexer);
}
std::string counts_topic(const std::string& run, std::uint64_t indexer) {
  return "demo." + run + ".counts." + std::to_string(indexer);
}
std::string counts_pattern(const std::string& run) {
  return "demo." + run + ".counts.*";
}
std::string ready_topic(const std::string& run, const std::string& name) {
  return "demo." + run + ".ready." + name;
}
std::string ready_pattern(const std::string& run) {
  return "demo." + run + ".ready.*";
}

std::string_view last_token(std::string_view topic) noexcept {
  return topic.substr(topic.rfind('.') + 1);
}

std::string encode(const Report& report) {
  nlohmann::json line = {{"event", report.event}, {"text", report.text}};
  line["numbers"] = report.numbers;
  line["top"] = report.top;
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool decode(std::string_view line, Report& report) {
  const auto parsed = nlohmann::json::parse(line, nullptr, false);
  if (!parsed.is_object()) return false;
  try {
    parsed.at("event").get_to(report.event);
    parsed.at("text").get_to(report.text);
    parsed.at("numbers").get_to(report.numbers);
    parsed.at("top").get_to(report.top);
  } catch (const nlohmann::json::exception&) {
    return false;
  }
  return true;
}

void add_outcome(Report& report, const FlushReport& flushed) {
  report.numbers["delivered"] += flushed.delivered;
  report.numbers["no_subscriber"] += flushed.no_subscriber;
  report.numbers["dropped"] += flushed.dropped;
  report.numbers["unknown"] += flushed.unknown;
  report.numbers["pending"] += flushed.pending;
  report.numbers["lost"] +=
      flushed.no_subscriber + flushed.dropped + flushed.unknown + flushed.pending;
}

void tell(const Report& report) {
  std::puts(encode(report).c_str());
  std::fflush(stdout);
}

void StreamCheck::take(std::uint64_t sequence, bool is_end, std::string_view text) {
  if (sequence != next_ || is_ended_) ++wrong_;
  next_ = sequence + 1;
  if (!is_end) {
    ++count_;
    return;
  }
  is_ended_ = true;
  const auto [rest, fault] = std::from_chars(text.data(), text.data() + text.size(), promised_);
  if (fault != std::errc{} || rest != text.data() + text.size()) ++wrong_;
}

std::uint64_t StreamCheck::wrong() const noexcept {
  if (!is_ended_) return wrong_;
  return wrong_ + (promised_ > count_ ? promised_ - count_ : count_ - promised_);
}

}  // namespace abuzz::demo
