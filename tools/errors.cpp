#include <algorithm>
#include <cctype>
#include <optional>

#include "bus/error.hpp"
#include "tools/arguments.hpp"
#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

void write_fields(JsonWriter& json, const ErrorInfo& info) {
  json.field("id", error_id(info.error)).field("name", info.name);
  json.field("text", info.text).field("advice", info.advice);
  json.field("exit_code", static_cast<unsigned>(info.exit_code));
}

// "ABZ-1203", "abz-1203", "1203" or "bad_checksum".
const ErrorInfo* find_by_word(std::string word) {
  std::transform(word.begin(), word.end(), word.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::size_t count = 0;
  const ErrorInfo* table = error_table(&count);
  for (std::size_t i = 0; i < count; ++i) {
    if (word == table[i].name) return &table[i];
  }
  if (word.starts_with("abz-")) word.erase(0, 4);
  const std::optional<std::uint64_t> number = parse_count(word);
  if (!number || *number > 0xFFFF) return nullptr;
  return find_error(static_cast<std::uint16_t>(*number));
}

std::string list(bool as_json) {
  std::size_t count = 0;
  const ErrorInfo* table = error_table(&count);
  std::string text;
  if (as_json) {
    JsonWriter json(text);
    json.begin_object().field("v", 1u).key("errors").begin_array();
    for (std::size_t i = 0; i < count; ++i) {
      json.begin_object();
      write_fields(json, table[i]);
      json.end_object();
    }
    json.end_array().end_object();
    return text + "\n";
  }
  Table shown({{"ID"}, {"EXIT", true}, {"WHAT HAPPENED"}});
  for (std::size_t i = 0; i < count; ++i) {
    shown.add({error_id(table[i].error), std::to_string(table[i].exit_code), table[i].text});
  }
  return shown.print(wants_colour(1));
}

}  // namespace

int run_errors(const Words& words) {
  SharedFlags flags;
  std::string id;
  Arguments arguments("errors", "List the errors that Abuzz reports, or explain one.");
  arguments.optional("ID", id, "Such as ABZ-1203, 1203 or bad_checksum; default: all");
  add_shared_flags(arguments, flags);
  if (const auto code = arguments.parse(words)) return *code;
  if (id.empty()) return print_and_end(list(flags.json));
  const ErrorInfo* info = find_by_word(id);
  if (info == nullptr) {
    return complain(Error::bad_flag_value,
                    in_quotes(id) + " is not the id of an error; `abuzz errors` lists them");
  }
  std::string text;
  if (flags.json) {
    JsonWriter json(text);
    json.begin_object().field("v", 1u);
    write_fields(json, *info);
    json.end_object();
    return print_and_end(text + "\n");
  }
  text = error_id(info->error) + " " + info->name + "\n  " + info->text + "\n  " + info->advice +
         "\n  exit code " + std::to_string(info->exit_code) + "\n";
  return print_and_end(text);
}

}  // namespace abuzz::tools
