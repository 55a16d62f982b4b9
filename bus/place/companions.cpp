#include "bus/place/companions.hpp"

#include <dirent.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "bus/place/text_file.hpp"

namespace abuzz::place {

pid_t find_thread(const std::string& name) {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir("/proc/self/task"), ::closedir);
  if (!tasks) return 0;
  while (const dirent* const entry = ::readdir(tasks.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string comm = read_text(std::string("/proc/self/task/") + entry->d_name + "/comm");
    if (comm == name + "\n") return static_cast<pid_t>(std::atoi(entry->d_name));
  }
  return 0;
}

void Companions::add(pid_t thread) {
  if (thread != 0) members_.push_back({thread, {}, true});
}

bool Companions::gather(std::uint32_t processor) {
  part();
  place_ = {processor};
  is_gathered_ = !members_.empty();
  for (Member& member : members_) {
    const Processors now = read_affinity(member.thread);
    const bool is_allowed = member.is_ours && std::ranges::find(now, processor) != now.end();
    if (is_allowed && set_affinity(place_, member.thread) == 0) {
      member.before = now;
    } else {
      is_gathered_ = false;
    }
  }
  if (!is_gathered_) part();
  return is_gathered_;
}

void Companions::part() {
  for (Member& member : members_) {
    if (!member.before.empty()) put_back(member, place_);
  }
  is_gathered_ = false;
}

// Unless somebody has moved it since: then it stays where that one wants it.
void Companions::put_back(Member& member, const Processors& from) {
  if (read_affinity(member.thread) == from) {
    (void)set_affinity(member.before, member.thread);
  } else {
    member.is_ours = false;
  }
  member.before.clear();
}

base::Nanos Companions::cpu_time() const {
  base::Nanos sum = 0;
  for (const Member& member : members_) {
    const std::string text =
        read_text("/proc/self/task/" + std::to_string(member.thread) + "/schedstat");
    sum += static_cast<base::Nanos>(std::strtoll(text.c_str(), nullptr, 10));
  }
  return sum;
}

}  // namespace abuzz::place
