#include "tools/complaint.hpp"

#include <cstdio>
#include <string>

#include "tools/command_line.hpp"
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

}  // namespace

int complain(const Failure& failure) {
  print_line(failure.message());
  return error_info(failure.error).exit_code;
}

int complain(Error error, std::string_view line) {
  print_line(error_id(error).append(" ").append(line));
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
