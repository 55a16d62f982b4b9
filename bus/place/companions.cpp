#include "bus/place/companions.hpp"

#include <dirent.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "bus/place/text_file.hpp"

namespace abuzz::place {

std::vector<pid_t> list_threads() {
  std::vector<pid_t> threads;
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir("/proc/self/task"), ::closedir);
  if (!tasks) return threads;
  while (const dirent* const entry = ::readdir(tasks.get()))
    if (entry->d_name[0] != '.') threads.push_back(static_cast<pid_t>(std::atoi(entry->d_name)));
  return threads;
}

pid_t find_thread(const std::string& name) {
  for (const pid_t thread : list_threads())
    if (read_text("/proc/self/task/" + std::to_string(thread) + "/comm") == name + "\n")
      return thread;
  return 0;
}

void Companions::add(pid_t thread) {
  if (thread != 0) members_.push_back({thread, {}, true});
}

bool Companions::gather(std::uint32_t processor) {
  part();
  place_ = {processor};
  known_ = list_threads();
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

void Companions::release_strays() {
  const auto first =
      std::ranges::find_if(members_, [](const Member& member) { return !member.before.empty(); });
  if (first == members_.end()) return;
  for (const pid_t thread : list_threads()) {
    if (std::ranges::find(known_, thread) != known_.end()) continue;
    known_.push_back(thread);
    if (read_affinity(thread) == place_) (void)set_affinity(first->before, thread);
  }
}

void Companions::part() {
  release_strays();
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
