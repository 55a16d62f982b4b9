#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bus/base/file_lock.hpp"
#include "bus/base/random.hpp"
#include "bus/base/runtime_paths.hpp"
#include "bus/delivery/left_behind.hpp"
#include "bus/node/shard_mail.hpp"

namespace abuzz::node {

// What reception asks of the machine around it. Threads: one, reception's.
class Host {
 public:
  virtual ~Host() = default;
  virtual void fill_secret(std::span<std::byte> secret) noexcept = 0;
  // Whether a caller of this user may come in at all.
  virtual bool is_own_user(std::uint32_t uid) const noexcept = 0;
  // Whether one more session would leave descriptors enough. Asked once for each admission.
  virtual bool has_descriptors_for_session() noexcept = 0;

  // The counter file that an agent named in its hello, a plain file name. False: it cannot be read,
  // and the agent is watched by its door only. `pid` is the agent's process, 0 if unknown.
  virtual bool open_beat(SessionId session, const std::string& file_name, std::uint32_t pid) = 0;
  // The agent's own last sign of life, in nanoseconds of its clock; only its change is looked at.
  virtual std::uint64_t read_beat(SessionId session) noexcept = 0;
  // Whether the process has ended although its door is open: a child that it forked holds the door.
  virtual bool is_process_gone(SessionId session) noexcept = 0;
  // What the agent's counters say that it published, if they can be read.
  virtual std::vector<delivery::LeftBehind> read_publications(SessionId session) = 0;
  virtual void close_beat(SessionId session) = 0;
  // Removes closed counter files whose processes have ended. True while some are left.
  virtual bool sweep_beat_files() = 0;

  // An empty node leaves only while nobody is starting one.
  virtual bool try_take_start_lock() noexcept = 0;
  virtual void release_start_lock() noexcept = 0;
};

// The real one. Ownership: `paths` outlives it.
class SystemHost final : public Host {
 public:
  explicit SystemHost(const base::RuntimePaths& paths) noexcept : paths_(paths) {}
  ~SystemHost() override;
  SystemHost(const SystemHost&) = delete;
  SystemHost& operator=(const SystemHost&) = delete;

  void fill_secret(std::span<std::byte> secret) noexcept override;
  bool is_own_user(std::uint32_t uid) const noexcept override;
  bool has_descriptors_for_session() noexcept override;
  bool open_beat(SessionId session, const std::string& file_name, std::uint32_t pid) override;
  std::uint64_t read_beat(SessionId session) noexcept override;
  bool is_process_gone(SessionId session) noexcept override;
  std::vector<delivery::LeftBehind> read_publications(SessionId session) override;
  void close_beat(SessionId session) override;
  bool sweep_beat_files() override;
  bool try_take_start_lock() noexcept override;
  void release_start_lock() noexcept override { start_lock_.close(); }

 private:
  struct BeatFile {
    std::string path;
    int fd = -1;  // -1: closed, the file is to go with its process
    std::int64_t beat_offset = 0;
    std::uint32_t pid = 0;
    std::uint64_t start_ticks = 0;  // 0: which process it is could not be found out
  };

  const base::RuntimePaths& paths_;
  std::map<SessionId, BeatFile> beats_;
  std::vector<BeatFile> closed_;
  base::FileLock start_lock_;
  // Counting descriptors costs as much as there are, so most admissions go by the last count.
  std::size_t descriptors_left_ = 0;
  std::size_t admissions_until_count_ = 0;
};

// The machine of a simulation: secrets from a seed, no files, no limits.
class LoopHost final : public Host {
 public:
  explicit LoopHost(std::uint64_t seed) noexcept : random_(seed) {}

  void fill_secret(std::span<std::byte> secret) noexcept override {
    for (std::byte& value : secret) value = static_cast<std::byte>(random_.below(256));
  }
  bool is_own_user(std::uint32_t) const noexcept override { return true; }
  bool has_descriptors_for_session() noexcept override { return has_descriptors; }
  bool open_beat(SessionId session, const std::string& file_name, std::uint32_t) override {
    names_[session] = file_name;
    return true;
  }
  std::uint64_t read_beat(SessionId session) noexcept override { return beats[names_[session]]; }
  bool is_process_gone(SessionId) noexcept override { return false; }
  std::vector<delivery::LeftBehind> read_publications(SessionId) override { return {}; }
  void close_beat(SessionId session) override { names_.erase(session); }
  bool sweep_beat_files() override { return false; }
  bool try_take_start_lock() noexcept override { return !is_starting; }
  void release_start_lock() noexcept override {}

  // Set by the simulation: signs of life by file name, and what else the machine would say.
  std::map<std::string, std::uint64_t> beats;
  bool has_descriptors = true;
  bool is_starting = false;

 private:
  base::Random random_;
  std::map<SessionId, std::string> names_;
};

}  // namespace abuzz::node
