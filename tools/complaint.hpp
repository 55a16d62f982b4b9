#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bus/error.hpp"

// What goes to stderr when something went wrong: one line that starts with the ABZ id and says what
// to do; for programs an object {"v":1,"error":"ABZ-0401","text":"..."}. Each function answers the
// exit code that belongs to the error, for `return complain(...)`.

namespace abuzz::tools {

// From now on for programs: there was --json. Requires: no other thread complains.
void complain_in_json();

// With the text and the advice of the error's own explanation.
int complain(const Failure& failure);
// That text, without the id.
std::string complaint_text(const Failure& failure);
// With a line of the caller's, which says what to do itself.
int complain(Error error, std::string_view line);

// `command` was given a `word` that is none of its verbs; says which one may have been meant.
int complain_about_verb(std::string_view command, std::string_view word,
                        const std::vector<std::string_view>& known);

// A note, not an error: progress, or what a person at the terminal wants to know.
void tell(std::string_view line);

}  // namespace abuzz::tools
