#include "bus/node/host.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bus/node/descriptors.hpp"
#include "bus/node/process_watch.hpp"
#include "bus/stats.hpp"

namespace abuzz::node {
namespace {

// Of the counter file's layout (bus/stats_layout.hpp; a test reads what StatsFile wrote): where its
// header says that row 0 begins, and where the counters of a row stand. A beat is one word that
// only ever grows, so it is read alone.
constexpr std::int64_t rows_offset_at = 16;
constexpr std::int64_t counters_at = 56;
constexpr std::int64_t rows_offset_max = 1 << 20;

constexpr std::size_t admissions_per_count = 16;

bool read_word(int fd, std::int64_t offset, std::uint64_t& word) noexcept {
  return pread(fd, &word, sizeof word, static_cast<off_t>(offset)) == sizeof word;
}

bool is_plain_file_name(const std::string& name) noexcept {
  const auto is_fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= 128 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), is_fine);
}

}  // namespace

SystemHost::~SystemHost() {
  for (const auto& [session, beat] : beats_) close(beat.fd);
}

void SystemHost::fill_secret(std::span<std::byte> secret) noexcept {
  base::fill_secret(secret.data(), secret.size());
}

bool SystemHost::is_own_user(std::uint32_t uid) const noexcept {
  return uid == geteuid();
}

bool SystemHost::has_descriptors_for_session() noexcept {
  constexpr std::size_t needed = descriptors_kept_back + descriptors_per_session;
  if (admissions_until_count_ == 0 || descriptors_left_ < needed) {
    descriptors_left_ = count_descriptors_left();
    admissions_until_count_ = admissions_per_count;
  }
  if (descriptors_left_ < needed) return false;
  descriptors_left_ -= descriptors_per_session;
  --admissions_until_count_;
  return true;
}

bool SystemHost::open_beat(SessionId session, const std::string& file_name, std::uint32_t pid) {
  if (!is_plain_file_name(file_name)) return false;
  BeatFile beat;
  beat.path = paths_.agents + "/" + file_name;
  // A file that two sessions name would be taken away from one of them when the other ends.
  for (const auto& [other, taken] : beats_) {
    if (taken.path == beat.path) return false;
  }
  beat.fd = open(beat.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (beat.fd < 0) return false;
  struct stat status;
  std::uint64_t rows_offset = 0;
  const bool is_good = fstat(beat.fd, &status) == 0 && S_ISREG(status.st_mode) &&
                       status.st_uid == geteuid() &&
                       read_word(beat.fd, rows_offset_at, rows_offset) &&
                       rows_offset <= static_cast<std::uint64_t>(rows_offset_max);
  if (!is_good) {
    close(beat.fd);
    return false;
  }
  beat.beat_offset = static_cast<std::int64_t>(rows_offset) + counters_at +
                     8 * static_cast<std::int64_t>(ProcessCounter::beat_ns);
  beat.pid = pid;
  beat.start_ticks = pid != 0 ? read_start_ticks(pid) : 0;
  // It came back on a new session.
  std::erase_if(closed_, [&](const BeatFile& closed) { return closed.path == beat.path; });
  beats_.emplace(session, std::move(beat));
  return true;
}

std::uint64_t SystemHost::read_beat(SessionId session) noexcept {
  const auto found = beats_.find(session);
  std::uint64_t beat = 0;
  if (found == beats_.end() || !read_word(found->second.fd, found->second.beat_offset, beat)) {
    return 0;
  }
  return beat;
}

bool SystemHost::is_process_gone(SessionId session) noexcept {
  const auto found = beats_.find(session);
  if (found == beats_.end() || found->second.start_ticks == 0) return false;
  return !is_process_alive(found->second.pid, found->second.start_ticks);
}

std::vector<delivery::LeftBehind> SystemHost::read_publications(SessionId session) {
  std::vector<delivery::LeftBehind> all;
  const auto found = beats_.find(session);
  if (found == beats_.end()) return all;
  Result<StatsSnapshot> snapshot = read_stats(found->second.fd, found->second.path);
  if (!snapshot.ok()) return all;
  for (RowSnapshot& row : snapshot.value().rows) {
    const std::uint64_t pushed = row.get(PublicationCounter::pushed);
    if (row.kind != RowKind::publication || pushed == 0) continue;
    all.push_back({static_cast<std::uint32_t>(row.ids[1]), static_cast<std::uint32_t>(row.ids[2]),
                   std::move(row.text), pushed, row.get(PublicationCounter::last_seq)});
  }
  return all;
}

void SystemHost::close_beat(SessionId session) {
  const auto found = beats_.find(session);
  if (found == beats_.end()) return;
  close(found->second.fd);
  found->second.fd = -1;
  // Not removed yet: its process may only have lost a session and come back with the same file.
  if (found->second.start_ticks != 0) closed_.push_back(std::move(found->second));
  beats_.erase(found);
}

bool SystemHost::sweep_beat_files() {
  std::erase_if(closed_, [](const BeatFile& closed) {
    if (is_process_alive(closed.pid, closed.start_ticks)) return false;
    unlink(closed.path.c_str());
    return true;
  });
  return !closed_.empty();
}

bool SystemHost::try_take_start_lock() noexcept {
  // In a directory that was removed nobody finds a node, or starts one.
  if (access(paths_.directory.c_str(), F_OK) != 0 && errno == ENOENT) return true;
  Result<base::FileLock> lock = base::FileLock::open(paths_.start_lock);
  if (!lock.ok()) return false;
  start_lock_ = std::move(lock).value();
  if (start_lock_.try_take()) return true;
  start_lock_.close();
  return false;
}

}  // namespace abuzz::node
