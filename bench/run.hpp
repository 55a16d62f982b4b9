#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/role.hpp"
#include "bench/scenario.hpp"
#include "bench/team.hpp"
#include "bench/time.hpp"
#include "bus/error.hpp"

namespace abuzz::bench {

// For the sockets of one run; only this user may enter it. Gone with the object.
class RunDirectory {
 public:
  RunDirectory();
  ~RunDirectory();
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  const std::string& path() const noexcept { return path_; }  // empty: it could not be made

 private:
  std::string path_;
};

// The processes of one run and the conversation with them. After the first failure every further
// step does nothing, so a scenario reads as the list of its steps. One thread.
class Run {
 public:
  Run(const RunPlan& plan, int& signal);

  // Where the system has one; that of the plan, or another. Returns when it takes connections.
  void start_hub();
  void start_hub(const System& system);
  // Returns its index; `number` of those that play the same role.
  std::size_t start(const char* role, unsigned number = 0) {
    return start(options_of(role, number));
  }
  // The same for one that differs from the plan in some of the options.
  RoleOptions options_of(const char* role, unsigned number = 0) const;
  std::size_t start(const RoleOptions& options);
  // So many of one role, one after the other; each is ready before the next begins.
  std::vector<std::size_t> start_all(const char* role, unsigned count);
  void await_ready(std::size_t child) { await(child, "ready", start_patience_ns); }
  void tell(std::size_t child, std::string_view line);
  std::uint64_t await_sent(std::size_t child);
  RoleReport await_done(std::size_t child, std::int64_t more_ns = 0);
  // Adds what only they know to the figures: how long they sent, how often there was no room.
  void stop_publishers(const std::vector<std::size_t>& publishers, RoleReport& figures);
  RoleReport stop_hub();  // empty where there is none
  // What somebody who doubts should know.
  void note(const std::string& text);
  // Waits until every process has ended by itself: one that crashes on its way out has failed.
  Result<RunResult> result(const RoleReport& figures, std::uint64_t expected);

 private:
  // A crowd joins with thousands of agents.
  static constexpr std::int64_t start_patience_ns = 60 * second_ns;

  RoleReport await(std::size_t child, std::string_view event, std::int64_t patience_ns);
  RoleReport take_said(std::size_t child, std::string_view event);
  void fail(const Failure& failure);
  Failure about(std::size_t child, const std::string& text) const;

  const RunPlan& plan_;
  int& signal_;
  RunDirectory directory_;  // outlives the processes that use it
  Team team_;
  std::vector<ProcessCost> costs_;
  std::optional<std::size_t> hub_;
  std::string endpoint_;
  std::string note_, link_, placement_;
  // By a child while another one was waited for.
  struct Said {
    std::size_t child;
    RoleReport report;
  };
  std::vector<Said> said_;
  std::optional<Failure> failure_;
};

}  // namespace abuzz::bench
