#include "tools/ledger_text.hpp"

#include "tools/command_line.hpp"

namespace abuzz::tools {
namespace {

// A sum with the terms that are there.
class Sum {
 public:
  explicit Sum(std::uint64_t total, std::string_view what) {
    text_ = format_count(total).append(" ").append(what).append(" =");
  }
  void add(std::uint64_t count, std::string_view what) {
    if (count == 0) return;
    text_ += (is_empty_ ? " " : " + ") + format_count(count).append(" ").append(what);
    is_empty_ = false;
  }
  void add(const Reasons& reasons, std::string_view what) {
    for (const auto& [reason, count] : reasons) {
      add(count, std::string(what).append(" (").append(reason).append(")"));
    }
  }
  std::string text() const { return is_empty_ ? text_ + " 0" : text_; }

 private:
  std::string text_;
  bool is_empty_ = true;
};

}  // namespace

std::string streams_text(const TopicLedger& topic) {
  Sum sum(topic.published, "published");
  sum.add(topic.before, "with earlier nodes");
  sum.add(topic.staged, "staged");
  sum.add(topic.in_flight_up, "in flight");
  sum.add(topic.routed, "routed");
  sum.add(topic.no_subscriber, "without a subscriber");
  sum.add(topic.voided, "void");
  return sum.text();
}

std::string pairs_text(const TopicLedger& topic) {
  Sum sum(topic.matched, "matched");
  sum.add(topic.delivered, "delivered");
  sum.add(topic.queued, "queued");
  sum.add(topic.in_flight, "in flight");
  sum.add(topic.dropped, "dropped");
  sum.add(topic.unknown_pairs, "unknown");
  sum.add(topic.voided_pairs, "void");
  return sum.text();
}

void write_reasons(JsonWriter& json, std::string_view name, const Reasons& reasons) {
  json.key(name).begin_object();
  for (const auto& [reason, count] : reasons) json.field(reason, count);
  json.end_object();
}

void write_topic(JsonWriter& json, const TopicLedger& topic) {
  json.begin_object().field("topic", topic.topic).field("published", topic.published);
  json.field("before", topic.before).field("staged", topic.staged);
  json.field("in_flight_up", topic.in_flight_up).field("routed", topic.routed);
  json.field("no_subscriber", topic.no_subscriber).field("void", total(topic.voided));
  write_reasons(json, "void_by", topic.voided);
  json.field("matched", topic.matched).field("delivered", topic.delivered);
  json.field("queued", topic.queued).field("in_flight", topic.in_flight);
  json.field("void_of_pairs", total(topic.voided_pairs));
  write_reasons(json, "dropped", topic.dropped);
  write_reasons(json, "unknown", topic.unknown());
  json.end_object();
}

}  // namespace abuzz::tools
