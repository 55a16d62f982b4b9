#include <csignal>
#include <mutex>
#include <optional>

#include "bus/agent.hpp"
#include "tools/child_process.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/participant.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How often it is looked whether the request was cancelled.
constexpr milliseconds look_interval{5};
// How often its requester hears that the command still runs.
constexpr milliseconds progress_interval{300};
// A command that was asked to end has so long for it.
constexpr milliseconds end_patience{2000};

struct ReplyFlags {
  SharedFlags shared;
  std::string pattern, command, name;
  std::uint64_t count = 0;  // 0: without end
  bool quiet = false;
};

std::optional<int> parse_flags(const Words& words, ReplyFlags& flags) {
  Arguments arguments("reply", "Reply to requests with what a command prints.");
  arguments.required("PATTERN", flags.pattern, "Topics of requests; '*' and a last '>' as in sub");
  arguments.text("--exec", flags.command,
                 "Run by /bin/sh for each request: its stdin is the request, its stdout the reply",
                 "CMD");
  arguments.count("-n,--count", flags.count, "End after this many requests", 1, 1'000'000'000'000);
  arguments.text("--name", flags.name, "Name of this agent; default: made up", "NAME");
  arguments.flag("-q,--quiet", flags.quiet, "Say nothing on stderr but errors");
  add_shared_flags(arguments, flags.shared);
  arguments.note("One request at a time; other `abuzz reply` on the topic may take the next. CMD");
  arguments.note("finds ABUZZ_TOPIC in its environment. If it fails, so does the request; if the");
  arguments.note("request is cancelled, CMD gets SIGTERM and after 2s SIGKILL. Example:");
  arguments.note("  abuzz reply 'text.upper' --exec 'tr a-z A-Z'");
  if (const auto code = arguments.parse(words)) return code;
  if (flags.command.empty()) {
    return complain(Error::missing_argument, "--exec CMD is missing: what shall reply?");
  }
  return std::nullopt;
}

// Runs the command for one request after the other, on the agent's executor.
class Replying {
 public:
  Replying(const ReplyFlags& flags, Signals& signals, std::size_t output_bytes_max)
      : flags_(flags), signals_(signals), output_bytes_max_(output_bytes_max) {}

  void take(Request request) {
    if (is_stopping() || is_complete()) {
      request.fail(Error::peer_gone, "the responder ends");
      return;
    }
    answer(request);
    {
      const std::lock_guard lock(mutex_);
      ++taken_;
    }
    if (is_complete()) signals_.wake();
  }
  // The command that runs is ended, and its request has failed.
  void stop() {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  bool is_complete() const { return flags_.count != 0 && taken() >= flags_.count; }
  std::uint64_t taken() const {
    const std::lock_guard lock(mutex_);
    return taken_;
  }

 private:
  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return is_stopping_;
  }
  void answer(Request& request) {
    ChildProcess child(request.text(), output_bytes_max_);
    const Status started =
        child.start(flags_.command, {"ABUZZ_TOPIC=" + std::string(request.topic())});
    if (!started.ok()) {
      request.fail(Error::request_failed, started.failure().message());
      return;
    }
    auto told_at = steady_clock::now();
    while (!child.work(look_interval)) {
      const bool stops = is_stopping();
      if (stops || request.is_cancelled()) {
        child.end(end_patience);
        request.fail(stops ? Error::peer_gone : Error::cancelled, "the command was ended");
        return;
      }
      if (steady_clock::now() - told_at < progress_interval) continue;
      told_at = steady_clock::now();
      (void)request.progress();
    }
    if (const std::string fault = child.fault(); !fault.empty()) {
      request.fail(Error::request_failed, flags_.command + ": " + fault);
    } else if (request.finish(child.output()) == SendStatus::back_pressured) {
      request.fail(Error::request_failed, "no room for the reply came");
    }
  }

  const ReplyFlags& flags_;
  Signals& signals_;
  const std::size_t output_bytes_max_;
  mutable std::mutex mutex_;  // all below
  bool is_stopping_ = false;
  std::uint64_t taken_ = 0;
};

}  // namespace

int run_reply(const Words& words) {
  ReplyFlags flags;
  if (const auto code = parse_flags(words, flags)) return *code;
  if (const auto code = refuse_pattern(flags.pattern)) return *code;
  if (const auto code = refuse_name(flags.name)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags.shared);
  if (!loaded.ok()) return complain(loaded.failure());
  const Config& config = loaded.value().config;

  Signals signals({SIGINT, SIGTERM, SIGHUP});
  Replying work(flags, signals, config.limits.payload_bytes_max);
  Result<Agent> connected = connect_agent(signals, {.name = flags.name, .kind = "reply"}, config);
  if (!connected.ok()) return complain(connected.failure());
  Agent agent = std::move(connected).value();
  Result<Responder> made =
      agent.reply(flags.pattern, [&work](Request request) { work.take(std::move(request)); });
  if (!made.ok()) return complain(made.failure());
  std::optional<Responder> responder(std::move(made).value());
  if (!flags.quiet) tell("replies to " + flags.pattern + " as " + agent.name());

  int signal = 0;
  while (signal == 0 && !work.is_complete() && responder->is_live()) {
    signal = signals.wait(std::chrono::milliseconds(500));
  }
  const bool is_live = responder->is_live();
  work.stop();
  responder.reset();
  agent.close(std::chrono::seconds(1));
  if (signal != 0) {
    if (!flags.quiet) {
      tell("stopped by a signal: replied to " + format_plural(work.taken(), "request", "requests"));
    }
    return exit_code_of_signal(signal);
  }
  if (is_live || work.is_complete()) return 0;
  return complain({Error::stalled_out, "the node ended the subscription " + flags.pattern});
}

}  // namespace abuzz::tools
