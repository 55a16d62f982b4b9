#include "tools/holding.hpp"

#include <algorithm>

#include "tools/command_line.hpp"
#include "tools/own_counters.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

std::uint64_t holder_index(const RowSnapshot& row) noexcept {
  return row.kind == RowKind::publication ? row.get(PublicationCounter::holder) : 0;
}

// The node knows which subscription it is, the publisher whether something waits.
std::uint64_t staged_of(const RowSnapshot* own) noexcept {
  if (own == nullptr) return 0;
  const std::uint64_t pushed = own->get(PublicationCounter::pushed);
  const std::uint64_t sealed = own->get(PublicationCounter::last_seq);
  return pushed > sealed ? pushed - sealed : 0;
}

}  // namespace

std::vector<Hold> find_holds(const Counters& counters) {
  const AgentFiles files(counters);
  std::vector<Hold> holds;
  for (const RowSnapshot& publication : counters.node.rows) {
    const std::uint64_t index = holder_index(publication);
    if (index == 0) continue;
    const std::uint64_t staged = staged_of(files.own_row(publication));
    const auto holder = std::find_if(
        counters.node.rows.begin(), counters.node.rows.end(), [&](const RowSnapshot& row) {
          return row.index == index && row.kind == RowKind::subscription;
        });
    if (staged == 0 || holder == counters.node.rows.end()) continue;
    holds.push_back({publication.text, owner_of(publication), owner_of(*holder),
                     owner_title(*holder), holder->text, staged});
  }
  return holds;
}

bool may_hold(const StatsSnapshot& node) {
  return std::any_of(node.rows.begin(), node.rows.end(),
                     [](const RowSnapshot& row) { return holder_index(row) != 0; });
}

std::string describe(const Hold& hold) {
  return "publisher " + hold.publisher + " is held by " + hold.title + " (" + hold.pattern +
         "): " + format_plural(hold.staged, "message waits", "messages wait") + " with it";
}

void write_hold(JsonWriter& json, const Hold& hold) {
  json.begin_object().field("topic", hold.topic).field("publisher", hold.publisher);
  json.field("held_by", hold.holder).field("pattern", hold.pattern);
  json.field("staged", hold.staged).end_object();
}

}  // namespace abuzz::tools
