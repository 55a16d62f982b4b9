#include <algorithm>
#include <csignal>
#include <optional>

#include "bus/agent.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/lines.hpp"
#include "tools/participant.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// One wait is at most this long, so that signals and a reader that left are noticed.
constexpr milliseconds patience_step{50};

struct RequestFlags {
  SharedFlags shared;
  std::string topic, text, name;
  bool raw = false, quiet = false;
  RequestOptions options;
};

std::optional<int> parse_flags(const Words& words, RequestFlags& flags) {
  Arguments arguments("request", "Ask who replies on a topic, and print the reply.");
  nanoseconds timeout{0}, idle{0};
  arguments.required("TOPIC", flags.topic, "Where to: tokens joined by dots, e.g. text.upper");
  arguments.required("TEXT", flags.text, "The payload; '-' is all of stdin");
  arguments.duration("--timeout", timeout,
                     "Give up (exit 5) after this long, whatever is heard; default: 1h");
  arguments.duration(
      "--idle", idle,
      "Give up (exit 5) when nothing was heard for so long; default: 60s, or --timeout");
  arguments.flag("--raw", flags.raw, "Print the reply as it is, without a newline behind it");
  arguments.text("--name", flags.name, "Name of this agent; default: made up", "NAME");
  arguments.flag("-q,--quiet", flags.quiet, "Say nothing on stderr but errors");
  add_shared_flags(arguments, flags.shared);
  arguments.note("Prints each part of the reply as it comes. An interrupt cancels the request.");
  arguments.note("Exit codes: 0 replied, 9 nobody replies there, 5 no reply in time, 1 it failed.");
  arguments.note("A text that begins with '-' goes after '--'. Examples:");
  arguments.note("  abuzz request text.upper hello");
  arguments.note("  abuzz request docs.summary - --timeout 10m < report.txt");
  if (const auto code = arguments.parse(words)) return code;
  if (flags.raw && flags.shared.json) {
    return complain(Error::bad_flag_value, "--raw and --json exclude each other: choose one");
  }
  if (timeout.count() > 0) flags.options.hard_limit = flags.options.idle_timeout = timeout;
  if (idle.count() > 0) flags.options.idle_timeout = idle;
  return std::nullopt;
}

// What a reply is in the output of --json.
const char* kind_name(ReplyKind kind) {
  switch (kind) {
    case ReplyKind::progress:
      return "progress";
    case ReplyKind::part:
      return "part";
    case ReplyKind::last:
      return "last";
    case ReplyKind::failed:
      return "failed";
    case ReplyKind::none:
      break;
  }
  return "";
}

class Asking {
 public:
  Asking(const RequestFlags& flags, Signals& signals, Agent& agent)
      : flags_(flags), signals_(signals), agent_(agent), output_(1, signals.descriptor()) {}

  // Answers the exit code.
  int run(std::string_view payload) {
    std::optional<Result<PendingRequest>> opened;
    // Nothing could be lost yet: an interrupt ends the process.
    signals_.end_process_during(
        [&] { opened.emplace(agent_.request(flags_.topic, payload, flags_.options)); });
    if (!opened->ok()) return complain(opened->failure());
    PendingRequest pending = std::move(*opened).value();
    while (true) {
      const Reply reply = pending.next(patience_step);
      if (const int signal = signals_.take(); signal != 0) {
        pending.cancel();
        tell("cancelled by a signal");
        output_.hurry(milliseconds(500));
        return output_.finish(exit_code_of_signal(signal));
      }
      if (reply.kind == ReplyKind::failed) return judge(reply);
      if (reply.kind != ReplyKind::none) print(reply, pending.responder_id());
      if (reply.kind == ReplyKind::last) return output_.finish(0);
      const Output::State state = output_.flush();
      if (state == Output::State::failed) return output_.finish(1);
      if (state == Output::State::reader_left || output_.reader_left()) return output_.finish(0);
    }
  }

 private:
  void print(const Reply& reply, std::uint64_t responder) {
    const bool is_progress = reply.kind == ReplyKind::progress;
    if (flags_.shared.json) {
      JsonWriter json(output_.pending());
      json.begin_object().field("v", 1u).field("topic", flags_.topic);
      json.field("kind", kind_name(reply.kind)).field("agent", responder);
      if (reply.kind == ReplyKind::failed) {
        json.field("error", error_id(reply.failure.error));
        json.field("text", explain(reply.failure));
      }
      json.field_bytes("payload", reply.text()).end_object();
      output_.append("\n");
      return;
    }
    if (is_progress) {
      if (!reply.payload.empty() && !flags_.quiet) tell("progress: " + printable(reply.text()));
      return;
    }
    // The end of a stream of parts says nothing of its own.
    const bool is_bare_end = reply.payload.empty() && has_parts_;
    has_parts_ = true;
    if (is_bare_end) return;
    output_.append(output_.is_terminal() && !flags_.raw ? printable_lines(reply.text())
                                                        : std::string(reply.text()));
    if (!flags_.raw && !reply.text().ends_with('\n')) output_.append("\n");
  }

  // Control characters could drive the terminal; lines stay lines.
  static std::string printable_lines(std::string_view text) {
    std::string shown;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      shown += printable(text.substr(0, end));
      if (end == text.size()) break;
      shown += '\n';
      text.remove_prefix(end + 1);
    }
    return shown;
  }

  // What to say of a request that failed, behind the id of the error.
  std::string explain(const Failure& failure) const {
    if (failure.error == Error::no_responder)
      return "nobody replies to requests on " + flags_.topic + "; `abuzz ls` shows who listens";
    if (failure.error == Error::timed_out) {
      return "no whole reply on " + flags_.topic +
             " came in time; allow more with --timeout and --idle";
    }
    return complaint_text({failure.error, printable(failure.detail)});
  }

  int judge(const Reply& reply) {
    const Error error = reply.failure.error;
    if (flags_.shared.json) print(reply, 0);
    complain(error, explain(reply.failure));
    // Whatever the responder says: that it failed is a run-time failure here.
    const bool is_ours =
        error == Error::no_responder || error == Error::timed_out || error == Error::closed;
    return output_.finish(is_ours ? error_info(error).exit_code : 1);
  }

  const RequestFlags& flags_;
  Signals& signals_;
  Agent& agent_;
  Output output_;
  bool has_parts_ = false;
};

}  // namespace

int run_request(const Words& words) {
  RequestFlags flags;
  if (const auto code = parse_flags(words, flags)) return *code;
  if (const auto code = refuse_topic(flags.topic)) return *code;
  if (const auto code = refuse_name(flags.name)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags.shared);
  if (!loaded.ok()) return complain(loaded.failure());
  const Config& config = loaded.value().config;

  std::string payload = flags.text;
  if (payload == "-") {
    Result<std::string> input = read_whole(0, config.limits.payload_bytes_max);
    if (!input.ok()) return complain(input.failure());
    payload = std::move(input).value();
  }
  Signals signals({SIGINT, SIGTERM, SIGHUP});
  const AgentOptions options{.name = flags.name, .kind = "request"};
  Result<Agent> connected = connect_agent(signals, options, config, flags.options.hard_limit);
  if (!connected.ok()) return complain(connected.failure());
  Agent agent = std::move(connected).value();
  const int code = Asking(flags, signals, agent).run(payload);
  agent.close(std::chrono::seconds(1));
  return code;
}

}  // namespace abuzz::tools
