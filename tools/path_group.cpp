#include "tools/path_group.hpp"

#include <utility>

#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {

std::string wait_for(std::uint64_t count, const std::string& whom) {
  return format_plural(count, "message waits for ", "messages wait for ") + whom;
}

std::vector<const RowSnapshot*> PathGroups::members_of(const RowSnapshot& group) const {
  std::vector<const RowSnapshot*> members;
  for (const RowSnapshot& row : node_.rows)
    if (row.kind == RowKind::subscription && !is_group_row(row) && row.text == group.text &&
        row.text2 == group.text2)
      members.push_back(&row);
  return members;
}

Finding PathGroups::look_at_member(const RowSnapshot& member) const {
  return watch_.look_at_agent(member, "agent " + owner_of(member), Cause::subscriber_stopped);
}

Finding PathGroups::look_at(const RowSnapshot& group) const {
  if (group.get(SubscriptionCounter::members) == 0) return without_member(group);
  const std::vector<const RowSnapshot*> members = members_of(group);
  Finding first;
  for (const RowSnapshot* member : members) {
    Finding found = look_at_member(*member);
    if (found.cause == Cause::none) return {};
    if (first.cause == Cause::none) first = std::move(found);
  }
  if (first.cause == Cause::none) return {};
  const std::string does = is_about_requests(group.text) ? " stand still: " : " stands still: ";
  const std::string more =
      members.size() == 1
          ? ""
          : ", and so are its " + std::to_string(members.size() - 1) + " other members";
  return {first.cause, owner_title(group) + does + first.text + more, first.advice};
}

void PathGroups::name_who_stands(const RowSnapshot& group, Finding& found) const {
  for (const RowSnapshot* member : members_of(group)) {
    const Finding standing = look_at_member(*member);
    if (standing.cause == Cause::none) continue;
    found.detail = standing.text + (found.detail.empty() ? "" : "; " + found.detail);
    found.advice = standing.advice;
    return;
  }
}

Finding PathGroups::without_member(const RowSnapshot& group) const {
  const std::uint64_t waiting = watch_.later().waiting_for(group);
  const bool replies = is_about_requests(group.text);
  std::string last = miss_.describe_departed(group.text);
  return {Cause::no_member,
          owner_title(group) + (replies ? " are gone" : " has no member now") +
              (waiting == 0 ? std::string() : ": " + wait_for(waiting, "one")),
          replies ? "start one: abuzz reply '" + group.text.substr(request_prefix.size()) +
                        "' --exec COMMAND"
                  : "start one: abuzz sub '" + group.text + "' --group " + group.text2,
          std::move(last)};
}

}  // namespace abuzz::tools
