#include <csignal>

#include "bus/agent.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/delivery_flags.hpp"
#include "tools/json_writer.hpp"
#include "tools/participant.hpp"
#include "tools/settings.hpp"
#include "tools/signals.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

// The last value of a topic.

namespace abuzz::tools {
namespace {

struct GetFlags {
  SharedFlags shared;
  std::string topic, key_text;
  std::uint64_t key = 0;
  bool raw = false;
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
};

std::optional<int> parse_flags(const Words& words, GetFlags& flags) {
  Arguments arguments("get", "Print the last value that is retained on a topic.");
  arguments.required("TOPIC", flags.topic, "Tokens joined by dots, e.g. config.limits");
  arguments.value(
      "--key",
      [&flags](const std::string& text) {
        flags.key_text = text;
        return read_key(text, flags.key);
      },
      "The last value of this key, as `pub --key` has it; default: of any", "KEY");
  arguments.flag("--raw", flags.raw, "The bytes of the payload alone, without a line end");
  arguments.duration("--timeout", flags.timeout, "Give up (exit 5) after this long; default 10s");
  add_shared_flags(arguments, flags.shared);
  arguments.note("What was published with --retain, or by a publisher that retains, is there.");
  arguments.note("Exit code 9 when nothing is. Examples:");
  arguments.note("  abuzz pub config.limits '{\"max\":5}' --retain 1");
  arguments.note("  abuzz get config.limits");
  if (const auto code = arguments.parse(words)) return code;
  if (flags.raw && flags.shared.json) {
    return complain(Error::bad_flag_value, "--raw and --json exclude each other: choose one");
  }
  return std::nullopt;
}

void print_value(Output& output, const GetFlags& flags, const MessageView& message) {
  if (flags.shared.json) {
    JsonWriter json(output.pending());
    json.begin_object().field("v", 1u).field("topic", message.topic());
    json.field("sequence", message.sequence()).field("agent", message.agent_id());
    if (message.key() != 0) json.field("key", message.key());
    json.field_bytes("payload", message.text()).end_object();
  } else if (output.is_terminal() && !flags.raw) {
    output.append(printable(message.text()));
  } else {
    output.append(message.text());
  }
  if (!flags.raw) output.append("\n");
}

int complain_about(const GetFlags& flags, const Failure& failure) {
  if (failure.error != Error::nothing_retained) return complain(failure);
  const std::string of_key = flags.key == 0 ? "" : " with the key " + in_quotes(flags.key_text);
  return complain(Error::nothing_retained, "nothing is retained on " + flags.topic + of_key +
                                               "; `abuzz pub TOPIC TEXT --retain 1` keeps a value");
}

}  // namespace

int run_get(const Words& words) {
  GetFlags flags;
  if (const auto code = parse_flags(words, flags)) return *code;
  if (const auto code = refuse_topic(flags.topic)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags.shared);
  if (!loaded.ok()) return complain(loaded.failure());

  Signals signals({SIGINT, SIGTERM, SIGHUP});
  Result<Agent> connected =
      connect_agent(signals, {.name = {}, .kind = "get"}, loaded.value().config);
  if (!connected.ok()) return complain(connected.failure());
  Agent agent = std::move(connected).value();
  Output output;
  int code = 0;
  {
    // It holds a buffer of the agent's.
    Result<RetainedMessage> value = agent.get(flags.topic, flags.timeout, flags.key);
    if (value.ok()) {
      print_value(output, flags, value.value().view());
    } else {
      code = complain_about(flags, value.failure());
    }
  }
  (void)agent.close(std::chrono::seconds(1));
  return output.finish(code);
}

}  // namespace abuzz::tools
