#include "tools/row_owner.hpp"

#include "bus/topic.hpp"

namespace abuzz::tools {
namespace {

bool is_publication(const RowSnapshot& row) noexcept {
  return row.kind == RowKind::publication;
}

const std::string& agent_of(const RowSnapshot& row) noexcept {
  return is_publication(row) ? row.text2 : row.text3;
}

}  // namespace

bool is_group_row(const RowSnapshot& row) noexcept {
  return row.kind == RowKind::subscription && row.text3.empty() && !row.text2.empty();
}

bool has_left(const RowSnapshot& publication) noexcept {
  return publication.ids[3] == 0;
}

std::string owner_of(const RowSnapshot& row) {
  if (is_group_row(row))
    return is_about_requests(row.text) ? "the responders" : "group " + row.text2;
  return agent_of(row).empty() ? "the node" : agent_of(row);
}

std::string owner_title(const RowSnapshot& row) {
  const bool is_agent = !is_group_row(row) && !agent_of(row).empty();
  return is_agent ? "agent " + owner_of(row) : owner_of(row);
}

}  // namespace abuzz::tools
