#include "tools/complaint.hpp"

#include <cstdio>
#include <string>

#include "tools/command_line.hpp"
#include "tools/json_writer.hpp"
#include "tools/terminal.hpp"

namespace abuzz::tools {
namespace {

// One write a line, so that lines of several processes do not mix. What a terminal would obey may
// stand in names that others chose: of files, for example.
void print_line(std::string_view text) {
  std::string line = printable(text);
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

bool is_for_programs = false;  // by the one thread that reads the command line

}  // namespace

void complain_in_json() {
  is_for_programs = true;
}

std::string complaint_text(const Failure& failure) {
  return failure.message().substr(error_id(failure.error).size() + 1);
}

int complain(const Failure& failure) {
  return complain(failure.error, complaint_text(failure));
}

int complain(Error error, std::string_view line) {
  std::string text;
  if (is_for_programs) {
    JsonWriter json(text);
    json.begin_object().field("v", 1u).field("error", error_id(error));
    json.field("text", line).end_object();
  } else {
    text = error_id(error).append(" ").append(line);
  }
  print_line(text);
  return error_info(error).exit_code;
}

int complain_about_verb(std::string_view command, std::string_view word,
                        const std::vector<std::string_view>& known) {
  const std::string_view near = nearest(word, known);
  std::string line(1, '`');
  line.append(command).append("` has no verb ").append(in_quotes(word));
  if (near.empty()) {
    line.append("; `").append(command).append(" --help` lists them");
  } else {
    line.append("; did you mean ").append(near).append("?");
  }
  return complain(Error::unknown_verb, line);
}

void tell(std::string_view line) {
  print_line(line);
}

}  // namespace abuzz::tools
