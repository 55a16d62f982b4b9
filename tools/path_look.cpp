#include "tools/path_look.hpp"

#include <thread>

#include "tools/collect.hpp"
#include "tools/elsewhere.hpp"

namespace abuzz::tools {
namespace {

// Between two readings: who does nothing in so long a time is slow.
constexpr std::chrono::milliseconds watch_for{300};

ProcessLook look_at_process(std::uint32_t pid, std::uint64_t start_ticks) {
  if (pid == 0 || start_ticks == 0) return {};  // nothing is said against who is not known
  return {is_same_process(pid, start_ticks), is_process_stopped(pid)};
}

}  // namespace

Result<Answer> look_at_path(const NodePlace& place, const Question& question) {
  Result<Counters> earlier = collect_counters(place);
  if (!earlier.ok()) return earlier.failure();
  std::this_thread::sleep_for(watch_for);
  Result<Counters> later = collect_counters(place);
  if (!later.ok()) return later.failure();
  Answer answer = explain_path(question, earlier.value(), later.value(), look_at_process);
  if (!is_end_missing(answer)) return Result<Answer>(std::move(answer));
  const std::vector<Elsewhere> elsewhere = look_elsewhere(place, question.topic);
  if (!elsewhere.empty())
    answer = explain_path(question, earlier.value(), later.value(), look_at_process, elsewhere);
  return Result<Answer>(std::move(answer));
}

}  // namespace abuzz::tools
