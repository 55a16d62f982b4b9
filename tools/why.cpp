#include "bus/topic.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/elsewhere.hpp"
#include "tools/json_writer.hpp"
#include "tools/participant.hpp"
#include "tools/path.hpp"
#include "tools/path_look.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

// Why a message does not arrive.

namespace abuzz::tools {
namespace {

constexpr std::size_t paths_shown_max = 20;
constexpr std::size_t directories_shown_max = 5;

int complain_without_node(const Failure& failure, const NodePlace& place) {
  if (failure.error != Error::no_node) return complain(failure);
  const std::vector<std::string> others = find_other_directories(place);
  if (others.empty()) return complain(failure);
  std::string text = "no node is running in " + printable(place.directory) +
                     "; but one is in another runtime directory, " + printable(others.front());
  for (std::size_t index = 1; index < others.size() && index < directories_shown_max; ++index)
    text += ", and one in " + printable(others[index]);
  return complain(Error::no_node, text + ": set XDG_RUNTIME_DIR or node.runtime_directory alike");
}

std::string name_end(const PathEnd& end) {
  if (end.has_left) return printable(end.agent) + " (has left)";
  return end.pid == 0 ? printable(end.agent)
                      : printable(end.agent) + " (pid " + std::to_string(end.pid) + ")";
}

// "agent billing (pid 77) subscribes orders.*"
std::string name_subscription(const Path& path) {
  const bool is_agent =
      !path.subscriber.agent.starts_with("group ") && !path.subscriber.agent.starts_with("the ");
  const std::string who = (is_agent ? "agent " : "") + name_end(path.subscriber);
  if (!is_about_requests(path.pattern)) return who + " subscribes " + printable(path.pattern);
  return who + " to requests on " + printable(path.pattern.substr(request_prefix.size()));
}

std::string print_path(const Path& path, const std::string& topic, const Answer& answer) {
  std::string text = topic + "  ";
  if (!path.publisher.agent.empty()) {
    text += "publisher " + name_end(path.publisher);
  } else {
    text += answer.has_publisher ? "any publisher" : "no publisher";
  }
  const std::string indent(topic.size() + 2, ' ');
  if (!path.pattern.empty()) {
    text += "  ->  " + name_subscription(path) + "\n" + indent;
  } else {
    text += "  ->  ";
  }
  text += printable(path.text) + "\n";
  if (!path.detail.empty()) text += indent + printable(path.detail) + "\n";
  if (!path.advice.empty()) text += indent + "advice: " + printable(path.advice) + "\n";
  return text;
}

std::string print_text(const Question& question, const Answer& answer) {
  std::string text;
  const std::string topic(question.asked_topic());
  const bool is_reserved_topic = answer.paths.front().cause == Cause::reserved_topic;
  if (!answer.has_publisher && !is_reserved_topic) {
    text += topic + (question.is_request()
                         ? "  nobody asks now: this is the way of a request sent now\n"
                         : "  nobody publishes it now: this is the way of a message published "
                           "now\n");
  }
  std::size_t shown = 0;
  for (const Path& path : answer.paths) {
    if (shown++ == paths_shown_max) break;
    text += print_path(path, topic, answer);
  }
  if (answer.paths.size() > paths_shown_max) {
    text += "and " + format_plural(answer.paths.size() - paths_shown_max, "path", "paths") +
            " more; --from and --to choose, --json lists them all\n";
  }
  return text;
}

void write_end(JsonWriter& json, std::string_view name, const PathEnd& end) {
  json.key(name).begin_object().field("agent", end.agent).field("pid", end.pid);
  json.field_bool("has_left", end.has_left).end_object();
}

std::string print_json(const Question& question, const Answer& answer) {
  const Cause first = answer.paths.empty() ? Cause::none : answer.paths.front().cause;
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).field("topic", question.asked_topic());
  json.field_bool("request", question.is_request());
  json.field_bool("broken", answer.is_broken()).field("cause", cause_name(first));
  json.field_bool("has_publisher", answer.has_publisher).key("paths").begin_array();
  for (const Path& path : answer.paths) {
    json.begin_object();
    write_end(json, "publisher", path.publisher);
    write_end(json, "subscriber", path.subscriber);
    json.field("pattern", path.pattern).field("cause", cause_name(path.cause));
    json.field("text", path.text).field("detail", path.detail);
    json.field("advice", path.advice);
    json.field("delivered", path.delivered).field("waiting", path.waiting).end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

}  // namespace

int run_why(const Words& words) {
  SharedFlags flags;
  Question question;
  bool is_request = false;
  Arguments arguments("why", "Why messages on a topic do not arrive: the first broken link.");
  arguments.required("TOPIC", question.topic, "The topic of the message");
  arguments.text("--from", question.from, "Only what this agent publishes", "AGENT");
  arguments.text("--to", question.to, "Only what this agent subscribes", "AGENT");
  arguments.flag("--request", is_request, "The way of a request on TOPIC, not of a message");
  add_shared_flags(arguments, flags);
  arguments.note("Without a publisher it examines the way of a message that is published now.");
  arguments.note(
      "It also looks for either end on the buses of other runtime directories of yours.");
  arguments.note("What was lost before is told, but breaks nothing: only what is so now does.");
  arguments.note(
      "Exit code 0 when every path is whole, 6 when one is broken, 4 when no node runs.");
  if (const auto code = arguments.parse(words)) return *code;
  const bool is_hopeless = is_reserved(question.topic);
  if (!is_hopeless || is_request) {
    if (const auto code = refuse_topic(question.topic)) return *code;
  }
  if (is_request) question.topic.insert(0, request_prefix);
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  const NodePlace place = node_place(loaded.value().config);
  Answer answer;
  if (is_hopeless) {
    answer = explain_reserved();
  } else {
    Result<Answer> looked = look_at_path(place, question);
    if (!looked.ok()) return complain_without_node(looked.failure(), place);
    answer = std::move(looked).value();
  }
  const int code = answer.is_broken() ? error_info(Error::criterion_not_met).exit_code : 0;
  return print_and_end(flags.json ? print_json(question, answer) : print_text(question, answer),
                       code);
}

}  // namespace abuzz::tools
