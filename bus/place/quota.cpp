#include <algorithm>
#include <fstream>
#include <sstream>

#include "bus/place/text_file.hpp"
#include "bus/placement.hpp"

// Where a cgroup says how much CPU time it leaves: cpu.max in version 2, two files in version 1.
// Which directory that is, /proc/self/cgroup and /proc/self/mountinfo say together.

namespace abuzz {
namespace {

struct Mount {
  std::string root;   // the group that is mounted
  std::string point;  // where
};

bool has_word(const std::string& list, std::string_view word) {
  std::istringstream words(list);
  for (std::string each; std::getline(words, each, ',');) {
    if (each == word) return true;
  }
  return false;
}

// Of version 2, or of version 1 with the controller `cpu`.
std::vector<Mount> find_mounts(const std::string& root, bool is_version_2) {
  std::vector<Mount> mounts;
  std::istringstream lines(place::read_text(root + "/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    // ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG]... - TYPE SOURCE OPTIONS
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream front(line.substr(0, dash)), back(line.substr(dash + 3));
    std::string skipped, type, options;
    Mount mount;
    front >> skipped >> skipped >> skipped >> mount.root >> mount.point;
    back >> type >> skipped >> options;
    const bool is_wanted =
        is_version_2 ? type == "cgroup2" : type == "cgroup" && has_word(options, "cpu");
    if (is_wanted && !mount.point.empty()) mounts.push_back(std::move(mount));
  }
  // A container without mountinfo still has its group where everybody looks for it.
  if (mounts.empty())
    mounts.push_back({"/", is_version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu"});
  return mounts;
}

// "150000 100000" of cpu.max, or of the two files of version 1.
std::optional<double> parse_cpu_quota(std::string_view text) {
  std::istringstream words{std::string(text)};
  double quota = 0, period = 0;
  if (!(words >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

// The path of this process's group, as /proc/self/cgroup has it.
std::string find_group(const std::string& root, bool is_version_2) {
  std::istringstream lines(place::read_text(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    // HIERARCHY:CONTROLLERS:PATH
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool is_wanted = is_version_2 ? controllers.empty() : has_word(controllers, "cpu");
    if (is_wanted) return line.substr(second + 1);
  }
  return "/";
}

// From the process's own group up to what is mounted. In a container the path may be the host's,
// or lead outside: then what is mounted is all that can be seen.
std::vector<std::string> directories(const Mount& mount, std::string group) {
  if (mount.root != "/") {
    const bool is_below = group.starts_with(mount.root) &&
                          (group.size() == mount.root.size() || group[mount.root.size()] == '/');
    group = is_below ? group.substr(mount.root.size()) : "";
  }
  std::vector<std::string> found;
  if (group.find("..") == std::string::npos) {
    while (group.size() > 1 && group.front() == '/') {
      found.push_back(mount.point + group);
      group.resize(group.rfind('/'));
    }
  }
  found.push_back(mount.point);
  return found;
}

}  // namespace

std::optional<double> read_cpu_quota(const std::string& root) {
  std::optional<double> tightest;
  for (const bool is_version_2 : {true, false}) {
    const std::string group = find_group(root, is_version_2);
    for (const Mount& mount : find_mounts(root, is_version_2)) {
      for (const std::string& directory : directories(mount, group)) {
        const std::string base = root + directory;
        const std::optional<double> quota =
            parse_cpu_quota(is_version_2 ? place::read_text(base + "/cpu.max")
                                         : place::read_text(base + "/cpu.cfs_quota_us") + " " +
                                               place::read_text(base + "/cpu.cfs_period_us"));
        if (quota && (!tightest || *quota < *tightest)) tightest = quota;
      }
    }
  }
  return tightest;
}

}  // namespace abuzz
