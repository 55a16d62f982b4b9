#include <optional>

#include "tools/checkup.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {
namespace {

std::string_view name_of(Finding::Grade grade) {
  switch (grade) {
    case Finding::Grade::good:
      return "ok";
    case Finding::Grade::doubtful:
      return "warning";
    case Finding::Grade::bad:
      break;
  }
  return "failed";
}

std::string print_json(const std::vector<Finding>& findings, bool usable) {
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).field_bool("usable", usable).key("checks").begin_array();
  for (const Finding& finding : findings) {
    json.begin_object().field("check", finding.check).field("grade", name_of(finding.grade));
    json.field("fact", finding.fact).field("advice", finding.advice).end_object();
  }
  json.end_array().end_object();
  return text + "\n";
}

std::string print_text(const std::vector<Finding>& findings, bool usable) {
  const bool colour = wants_colour(1);
  std::string text;
  for (const Finding& finding : findings) {
    std::string check = finding.check;
    check.resize(std::max<std::size_t>(check.size(), 18), ' ');
    switch (finding.grade) {
      case Finding::Grade::good:
        text += shaded("✓", Shade::good, colour);
        break;
      case Finding::Grade::doubtful:
        text += shaded("!", Shade::warn, colour);
        break;
      case Finding::Grade::bad:
        text += shaded("✗", Shade::bad, colour);
        break;
    }
    text += " " + check + " " + printable(finding.fact) + "\n";
    if (!finding.advice.empty()) text += "  " + std::string(18, ' ') + " " + finding.advice + "\n";
  }
  text += usable ? "\nThis machine can run Abuzz.\n"
                 : "\nThis machine cannot run Abuzz yet: see the lines with ✗.\n";
  return text;
}

}  // namespace

int run_doctor(const Words& words) {
  SharedFlags flags;
  Arguments arguments("doctor",
                      "Check whether this machine is fit for Abuzz, and say what is not.");
  add_shared_flags(arguments, flags);
  arguments.note("Changes nothing. Exit code 0 when Abuzz can run here, 1 when it cannot.");
  if (const auto code = arguments.parse(words)) return *code;
  Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  const std::vector<Finding> findings = check_machine(loaded.value().config);
  bool usable = true;
  for (const Finding& finding : findings) usable &= finding.grade != Finding::Grade::bad;
  return print_and_end(flags.json ? print_json(findings, usable) : print_text(findings, usable),
                       usable ? 0 : 1);
}

}  // namespace abuzz::tools
