#include "tools/json_writer.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {

int run_version(const Words& words) {
  SharedFlags flags;
  Arguments arguments("version", "Which Abuzz this is.");
  add_shared_flags(arguments, flags);
  if (const auto code = arguments.parse(words)) return *code;
  if (!flags.json) return print_and_end("abuzz " ABUZZ_VERSION "\n");
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).field("version", ABUZZ_VERSION).end_object();
  return print_and_end(text + "\n");
}

}  // namespace abuzz::tools
