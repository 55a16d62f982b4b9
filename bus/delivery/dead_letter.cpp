#include "bus/delivery/dead_letter.hpp"

#include <vector>

#include "bus/base/json_text.hpp"

namespace abuzz::delivery {

namespace {

using base::append_number, base::append_text;

// A moment of the monotonic clock, for people.
std::uint64_t wall_ms(const DeadLetter& letter, base::Nanos at) noexcept {
  const base::Nanos wall = letter.wall_now - (letter.now - at);
  return wall > 0 ? static_cast<std::uint64_t>(wall / base::millisecond) : 0;
}

void append_history(std::string& json, const DeadLetter& letter, const FailureLog& log) {
  std::vector<const FailureLog::Item*> items;
  for (const FailureLog::Item* item = log.find(letter.failure); item != nullptr;
       item = log.find(item->previous))
    items.push_back(item);
  json.append(",\"history\":[");
  for (std::size_t index = items.size(); index-- > 0;) {
    const FailureLog::Item& item = *items[index];
    json.append("{\"attempt\":").append(std::to_string(item.attempt));
    append_text(json, "cause", failure_name(item.cause));
    append_text(json, "agent", item.agent);
    append_number(json, "agent_id", item.agent_id);
    append_number(json, "time_ms", wall_ms(letter, item.at));
    json.append(index == 0 ? "}" : "},");
  }
  json += ']';
}

}  // namespace

std::string dead_topic(std::string_view topic) {
  return std::string("$dead.").append(topic);
}

std::string write_dead_letter(const DeadLetter& letter, const FailureLog& log) {
  const FailureLog::Item* last = log.find(letter.failure);
  std::string json = "{\"v\":1";
  append_number(json, "id", letter.id);
  append_text(json, "topic", letter.topic);
  append_text(json, "group", letter.group);
  append_text(json, "pattern", letter.pattern);
  append_text(json, "cause", last == nullptr ? "forgotten" : failure_name(last->cause));
  append_number(json, "attempts", letter.attempts);
  append_number(json, "time_ms", wall_ms(letter, letter.now));
  append_text(json, "publisher", letter.publisher);
  append_number(json, "agent_id", letter.agent_id);
  append_number(json, "publisher_id", letter.publisher_id);
  append_number(json, "sequence", letter.sequence);
  append_number(json, "key", letter.key);
  append_number(json, "correlation", letter.correlation);
  append_history(json, letter, log);
  append_number(json, "payload_bytes", letter.payload.size());
  std::string_view payload = letter.payload.substr(0, dead_payload_bytes_max);
  base::append_fact(json, "payload_cut", payload.size() < letter.payload.size());
  base::append_bytes(json, "payload", payload);
  return json + "}";
}

}  // namespace abuzz::delivery
