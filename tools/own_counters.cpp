#include "tools/own_counters.hpp"

namespace abuzz::tools {
namespace {

bool is_same_publication(const RowSnapshot& a, const RowSnapshot& b) {
  return a.ids[1] == b.ids[1] && a.ids[2] == b.ids[2];
}

const CounterInfo* find_info(RowKind kind, std::uint16_t id) {
  for (const CounterInfo& info : counter_table()) {
    if (info.kind == kind && info.id == id) return &info;
  }
  return nullptr;
}

}  // namespace

AgentFiles::AgentFiles(const Counters& counters) {
  for (const Counters::Agent& agent : counters.agents) files_[agent.file] = &agent.stats;
  for (const RowSnapshot& row : counters.node.rows) {
    if (row.kind != RowKind::agent) continue;
    const auto file = files_.find(row.text + "-" + std::to_string(row.ids[1]));
    if (file != files_.end()) file_of_agent_[row.ids[0]] = file->second;
  }
}

const StatsSnapshot* AgentFiles::of(std::uint64_t agent_id) const {
  const auto found = file_of_agent_.find(agent_id);
  return found == file_of_agent_.end() ? nullptr : found->second;
}

const RowSnapshot* AgentFiles::own_row(const RowSnapshot& row) const {
  const bool is_publication = row.kind == RowKind::publication;
  if (!is_publication && row.kind != RowKind::subscription) return nullptr;
  const StatsSnapshot* file = of(row.ids[0]);
  if (file == nullptr) return nullptr;
  const RowSnapshot* own = nullptr;
  for (const RowSnapshot& other : file->rows) {
    if (other.kind != row.kind) continue;
    if (is_publication ? !is_same_publication(other, row) : other.text != row.text) continue;
    if (own != nullptr) return nullptr;
    own = &other;
  }
  return own;
}

std::vector<KnownCounter> known_counters(const StatsSnapshot& node, const RowSnapshot& row,
                                         const RowSnapshot* own) {
  std::vector<KnownCounter> known;
  for (const CounterDescription& described : node.counters) {
    if (described.kind != row.kind || described.id >= row_counters_max) continue;
    const CounterInfo* info = find_info(described.kind, described.id);
    const CounterSide side = info == nullptr ? CounterSide::node : info->side;
    const RowSnapshot* source = side == CounterSide::node ? &row : own;
    if (source == nullptr || side == CounterSide::nobody) continue;
    known.push_back({info == nullptr ? "counter_" + std::to_string(described.id) : info->key,
                     described.label, described.unit, source->counters[described.id]});
  }
  return known;
}

}  // namespace abuzz::tools
