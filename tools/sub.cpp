#include <algorithm>
#include <csignal>
#include <optional>
#include <vector>

#include "bus/agent.hpp"
#include "bus/lease.hpp"
#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/delivery_flags.hpp"
#include "tools/json_writer.hpp"
#include "tools/participant.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// One wait is at most this long, so that signals and a reader that left are noticed.
constexpr std::chrono::milliseconds patience_step{100};
constexpr std::size_t poll_messages_max = 1024;
constexpr std::size_t output_bytes_max = 64u << 10u;

enum class Format { text, raw, json };

struct SubFlags {
  SharedFlags shared;
  std::string pattern, name;
  bool raw = false, quiet = false, live = false;
  std::uint64_t count = 0;  // 0: without end
  std::optional<nanoseconds> timeout;
  SubscribeOptions options;
  bool acks = false;

  Format format() const {
    if (shared.json) return Format::json;
    return raw ? Format::raw : Format::text;
  }
};

std::optional<int> parse_flags(const Words& words, SubFlags& flags) {
  Arguments arguments("sub", "Print the messages of all topics that match a pattern.");
  nanoseconds timeout{-1};
  std::uint64_t queue = 0;
  arguments.required("PATTERN", flags.pattern, "Topic, '*' for one token, a last '>' for the rest");
  arguments.flag("--raw", flags.raw, "Print the payload only, without its topic");
  arguments.count("-n,--count", flags.count, "End after this many messages", 1, 1'000'000'000'000);
  arguments.duration("--timeout", timeout,
                     "End after this long, 0s: at once; exit 5 if --count is not reached by then");
  arguments.value(
      "--policy", [&flags](const std::string& text) { return read_policy(text, flags.options); },
      "When this reader is slow: lossless[:STALL_LIMIT] holds publishers, latest:N keeps the "
      "newest N of each topic and key, drop_old and drop_new lose the oldest or the newest",
      "POLICY");
  arguments.count("--queue", queue, "Messages that may wait for this reader", 1, 1'048'576);
  arguments.flag("--live", flags.live, "Only what is published from now on, nothing retained");
  arguments.text("--group", flags.options.group,
                 "Share the messages with all readers of this group: each gets its part", "NAME");
  arguments.flag("--ack", flags.acks,
                 "With --group: acknowledge each message when its line was written out");
  arguments.value(
      "--mode", [&flags](const std::string& text) { return read_mode(text, flags.options); },
      "With --group, who gets what: least_outstanding (the default), round_robin or sticky",
      "MODE");
  arguments.text("--name", flags.name, "Name of this agent; default: made up", "NAME");
  arguments.flag("-q,--quiet", flags.quiet, "Say nothing on stderr but errors");
  add_shared_flags(arguments, flags.shared);
  arguments.note(
      "Prints TOPIC<TAB>PAYLOAD a line; on a terminal control characters show as \\xNN.");
  arguments.note(
      "Says `subscribed` on stderr when nothing published from then on is missed. Examples:");
  arguments.note("  abuzz sub 'demo.>'");
  arguments.note("  abuzz sub 'jobs.>' --group workers --ack");
  arguments.note("  abuzz sub 'orders.*' --json --count 10 --timeout 30s");
  if (const auto code = arguments.parse(words)) return code;
  if (flags.raw && flags.shared.json) {
    return complain(Error::bad_flag_value, "--raw and --json exclude each other: choose one");
  }
  if (flags.options.group.empty() &&
      (flags.acks || flags.options.group_mode != GroupMode::least_outstanding)) {
    return complain(Error::bad_flag_value, "--ack and --mode are for a group: add --group NAME");
  }
  if (flags.acks) flags.options.ack = AckMode::manual;
  if (timeout.count() >= 0) flags.timeout = timeout;
  if (queue != 0 && queue < flags.options.latest_messages) {
    return complain(Error::bad_flag_value, "--queue is shorter than what --policy latest keeps");
  }
  flags.options.queue_messages = static_cast<std::uint32_t>(queue);
  flags.options.retained = !flags.live;
  return std::nullopt;
}

void print_message(Output& output, Format format, const MessageView& message) {
  const bool escapes = output.is_terminal();
  const auto append_payload = [&] {
    if (escapes) {
      output.append(printable(message.text()));
    } else {
      output.append(message.text());
    }
  };
  switch (format) {
    case Format::text:
      output.append(message.topic());
      output.append("\t");
      append_payload();
      break;
    case Format::raw:
      append_payload();
      break;
    case Format::json: {
      JsonWriter json(output.pending());
      json.begin_object().field("v", 1u).field("topic", message.topic());
      json.field("sequence", message.sequence()).field("agent", message.agent_id());
      if (message.key() != 0) json.field("key", message.key());
      if (message.is_retained()) json.field_bool("retained", true);
      json.field_bytes("payload", message.text()).end_object();
      break;
    }
  }
  output.append("\n");
}

enum class End { counted, timed_out, signal, reader_left, output_failed, ended_by_node };

class Listening {
 public:
  Listening(const SubFlags& flags, Signals& signals, Subscription& subscription)
      : flags_(flags),
        signals_(signals),
        subscription_(subscription),
        output_(1, signals.descriptor()) {}

  End run() {
    const auto start = steady_clock::now();
    const Format format = flags_.format();
    const Handler print = [&](const MessageView& message) {
      print_message(output_, format, message);
      if (flags_.acks) leases_.push_back(message.lease());
      ++taken_;
    };
    for (;;) {
      if (flags_.count != 0 && taken_ >= flags_.count) return End::counted;
      nanoseconds patience = patience_step;
      if (flags_.timeout) {
        const auto left = *flags_.timeout - (steady_clock::now() - start);
        if (left <= nanoseconds(0)) return End::timed_out;
        patience = std::min<nanoseconds>(patience, left);
      }
      // What was printed does not wait for the next message.
      if (!output_.pending().empty()) patience = nanoseconds(0);
      const std::size_t wanted = messages_wanted();
      const std::size_t polled = subscription_.poll(print, wanted, patience);
      if (signal_ = signals_.take(); signal_ != 0) return End::signal;
      const bool is_idle = polled < wanted;
      if (is_idle || output_.is_terminal() || output_.pending().size() >= output_bytes_max) {
        if (const auto end = write_out()) return *end;
      }
      if (polled != 0) continue;
      if (output_.reader_left()) return End::reader_left;
      if (!subscription_.is_live()) return End::ended_by_node;
    }
  }

  // The last bytes; after a signal the reader has half a second to take them.
  int finish(End end, int code) {
    if (end == End::signal) output_.hurry(std::chrono::milliseconds(500));
    code = output_.finish(code);
    // What its reader did not get goes to another member of the group.
    if (output_.pending().empty()) acknowledge();
    leases_.clear();
    if (!output_.pending().empty() && end == End::signal) {
      tell(format_bytes(output_.pending().size()) +
           " were not written: the reader did not take them");
    }
    return code;
  }

  std::uint64_t taken() const noexcept { return taken_; }
  int signal() const noexcept { return signal_; }

 private:
  std::size_t messages_wanted() const {
    if (flags_.count == 0) return poll_messages_max;
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(flags_.count - taken_, poll_messages_max));
  }

  // What was printed was written out.
  void acknowledge() {
    for (Lease& lease : leases_) (void)lease.ack();
    leases_.clear();
  }

  std::optional<End> write_out() {
    for (;;) {
      switch (output_.flush()) {
        case Output::State::open:
          acknowledge();
          return std::nullopt;
        case Output::State::reader_left:
          return End::reader_left;
        case Output::State::failed:
          return End::output_failed;
        case Output::State::interrupted:
          if (signal_ = signals_.take(); signal_ != 0) return End::signal;
          break;
      }
    }
  }

  const SubFlags& flags_;
  Signals& signals_;
  Subscription& subscription_;
  Output output_;
  std::vector<Lease> leases_;  // of what was printed, and perhaps not written out
  std::uint64_t taken_ = 0;
  int signal_ = 0;
};

int judge(const SubFlags& flags, End end, const Listening& work) {
  switch (end) {
    case End::counted:
    case End::reader_left:
      return 0;
    case End::output_failed:
      return 1;  // Listening::finish says why
    case End::signal:
      return exit_code_of_signal(work.signal());
    case End::timed_out:
      if (flags.count == 0) return 0;
      return complain(Error::timed_out, format_count(work.taken()) + " of " +
                                            format_plural(flags.count, "message", "messages") +
                                            " on " + flags.pattern + " came within " +
                                            format_duration(*flags.timeout) +
                                            "; allow more with --timeout");
    case End::ended_by_node:
      break;
  }
  return complain({Error::stalled_out, "the node ended the subscription " + flags.pattern});
}

// What a person should know although the exit code is about something else.
void tell_losses(const SubscriptionReport& report) {
  if (report.gaps != 0)
    tell(format_plural(report.gaps, "message was", "messages were") + " skipped");
  if (report.corrupt != 0) {
    tell(format_plural(report.corrupt, "batch was", "batches were") + " refused as corrupt");
  }
}

}  // namespace

int run_sub(const Words& words) {
  SubFlags flags;
  if (const auto code = parse_flags(words, flags)) return *code;
  if (const auto code = refuse_pattern(flags.pattern)) return *code;
  if (const auto code = refuse_name(flags.name)) return *code;
  if (const auto code = refuse_name(flags.options.group)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags.shared);
  if (!loaded.ok()) return complain(loaded.failure());

  Signals signals({SIGINT, SIGTERM, SIGHUP});
  Result<Agent> connected =
      connect_agent(signals, {.name = flags.name, .kind = "sub"}, loaded.value().config);
  if (!connected.ok()) return complain(connected.failure());
  Agent agent = std::move(connected).value();
  Result<Subscription> made = agent.subscribe(flags.pattern, flags.options);
  if (!made.ok()) return complain(made.failure());
  Subscription subscription = std::move(made).value();
  if (!flags.quiet) tell("subscribed " + flags.pattern + " as " + agent.name());

  Listening work(flags, signals, subscription);
  const End end = work.run();
  const int code = work.finish(end, judge(flags, end, work));
  tell_losses(subscription.report());
  const CloseReport closed = agent.close(std::chrono::seconds(1));
  if (end == End::signal && !flags.quiet) {
    tell("stopped by a signal: printed " + format_plural(work.taken(), "message", "messages") +
         ", " + format_count(closed.unhandled) + " received but not printed");
  }
  return code;
}

}  // namespace abuzz::tools
