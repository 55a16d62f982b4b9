#include "tools/elsewhere.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "bus/topic.hpp"
#include "tools/node_view.hpp"
#include "tools/row_owner.hpp"

namespace abuzz::tools {
namespace {

namespace fs = std::filesystem;

// Only those of this user let themselves be looked at.
void add_directories_of_processes(std::vector<std::string>& found) {
  std::error_code fault;
  for (const fs::directory_entry& process : fs::directory_iterator("/proc", fault)) {
    const std::string name = process.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code hidden;
    for (const fs::directory_entry& open : fs::directory_iterator(process.path() / "fd", hidden)) {
      const fs::path target = fs::read_symlink(open.path(), hidden);
      if (target.filename() == "node.lock") found.push_back(target.parent_path().string());
    }
  }
}

}  // namespace

std::vector<std::string> find_other_directories(const NodePlace& place) {
  const std::string user = std::to_string(::geteuid());
  std::vector<std::string> candidates{"/tmp/abuzz-" + user, "/run/user/" + user + "/abuzz"};
  if (const char* session = std::getenv("XDG_RUNTIME_DIR"))
    candidates.push_back(std::string(session) + "/abuzz");
  add_directories_of_processes(candidates);
  std::vector<std::string> found;
  for (const std::string& directory : candidates) {
    std::error_code fault;
    const bool is_here =
        directory == place.directory || fs::equivalent(directory, place.directory, fault);
    const bool is_known = std::find(found.begin(), found.end(), directory) != found.end();
    // A directory that is not one to trust has no living node.
    if (!is_here && !is_known && read_living_node(place_in(directory)).ok())
      found.push_back(directory);
  }
  return found;
}

std::vector<Elsewhere> look_elsewhere(const NodePlace& place, const std::string& topic) {
  std::vector<Elsewhere> found;
  for (const std::string& directory : find_other_directories(place)) {
    Result<StatsSnapshot> node = read_living_node(place_in(directory));
    if (!node.ok()) continue;
    const NodeView view = view_node(node.value());
    for (const SubscriptionView& subscription : view.subscriptions) {
      if (matches(subscription.pattern, topic))
        found.push_back({directory, owner_of(*subscription.row), subscription.pattern,
                         subscription.is_group()});
    }
    for (const TopicView& published : view.topics) {
      if (published.topic != topic) continue;
      for (const RowSnapshot* row : published.rows)
        if (!has_left(*row)) found.push_back({directory, owner_of(*row), ""});
    }
  }
  return found;
}

}  // namespace abuzz::tools
