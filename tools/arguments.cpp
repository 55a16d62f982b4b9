#include "tools/arguments.hpp"

#include <CLI/CLI.hpp>
#include <utility>

#include "tools/command_line.hpp"
#include "tools/complaint.hpp"
#include "tools/terminal.hpp"

namespace abuzz::tools {
namespace {

// CLI11 would put required arguments in brackets, as it does not know that they are required.
class HelpFormat : public CLI::Formatter {
 public:
  explicit HelpFormat(std::string usage) : usage_(std::move(usage)) {}
  std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
    return "\nUsage: " + usage_ + "\n";
  }
  std::string make_footer(const CLI::App* app) const override { return app->get_footer(); }

 private:
  std::string usage_;
};

}  // namespace

struct Arguments::State {
  struct Positional {
    std::string name;
    CLI::Option* option = nullptr;
    bool is_required = false;
  };

  explicit State(std::string verb_, const std::string& summary)
      : verb(std::move(verb_)), app(summary, "abuzz " + verb) {
    app.allow_extras();  // an unknown flag is named by us, before anything else is complained about
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  // The first problem wins: the others often follow from it.
  void complain_about(Error error, std::string text) {
    if (!problem.empty()) return;
    problem_error = error;
    problem = std::move(text);
  }

  // An option whose text is read by us, so that all complaints sound alike.
  CLI::Option* read_with(const std::string& names, Reader reader, const std::string& help,
                         const std::string& shape) {
    const std::string shown = names.substr(names.rfind(',') + 1);
    auto read = [this, shown, reader = std::move(reader)](const std::string& text) {
      const std::string wrong = reader(text);
      if (!wrong.empty()) {
        complain_about(Error::bad_flag_value,
                       shown + " cannot be " + in_quotes(text) + ": " + wrong);
      }
    };
    CLI::Option* option = app.add_option_function<std::string>(names, std::move(read), help);
    if (!shape.empty()) option->option_text(shape);
    return option;
  }

  std::string help() {
    std::string usage = "abuzz " + verb + " [OPTIONS]";
    for (const Positional& positional : positionals) {
      usage += positional.is_required ? " " + positional.name : " [" + positional.name + "]";
    }
    app.formatter(std::make_shared<HelpFormat>(usage));
    return app.help();
  }

  std::string verb;
  CLI::App app;
  std::vector<Positional> positionals;
  std::string notes;
  Error problem_error = Error::unknown_flag;
  std::string problem;
};

Arguments::Arguments(std::string verb, const std::string& summary)
    : state_(std::make_unique<State>(std::move(verb), summary)) {}
Arguments::~Arguments() = default;

void Arguments::flag(const std::string& names, bool& target, const std::string& help) {
  state_->app.add_flag(names, target, help);
}

void Arguments::hidden_flag(const std::string& names, bool& target) {
  state_->app.add_flag(names, target)->group("");
}

void Arguments::text(const std::string& names, std::string& target, const std::string& help,
                     const std::string& shape) {
  const auto reader = [&target](const std::string& text) -> std::string {
    target = text;
    return {};
  };
  state_->read_with(names, reader, help, shape);
}

void Arguments::texts(const std::string& names, std::vector<std::string>& target,
                      const std::string& help, const std::string& shape) {
  state_->app.add_option(names, target, help)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1)
      ->allow_extra_args(false)
      ->option_text(shape);
}

void Arguments::count(const std::string& names, std::uint64_t& target, const std::string& help,
                      std::uint64_t min, std::uint64_t max) {
  const auto reader = [&target, min, max](const std::string& text) -> std::string {
    const std::optional<std::uint64_t> count = parse_count(text);
    if (!count || *count < min || *count > max) {
      return "it is a whole number from " + std::to_string(min) + " to " + std::to_string(max);
    }
    target = *count;
    return {};
  };
  state_->read_with(names, reader, help, "N");
}

void Arguments::duration(const std::string& names, std::chrono::nanoseconds& target,
                         const std::string& help) {
  const auto reader = [&target](const std::string& text) -> std::string {
    const auto span = parse_duration(text);
    if (!span) return "a duration is a number and a unit, such as 500ms, 10s or 2min";
    target = *span;
    return {};
  };
  state_->read_with(names, reader, help, "DURATION");
}

void Arguments::value(const std::string& names, Reader reader, const std::string& help,
                      const std::string& shape) {
  state_->read_with(names, std::move(reader), help, shape);
}

void Arguments::required(const std::string& name, std::string& target, const std::string& help) {
  optional(name, target, help);
  state_->positionals.back().is_required = true;
}

void Arguments::optional(const std::string& name, std::string& target, const std::string& help) {
  const auto reader = [&target](const std::string& text) -> std::string {
    target = text;
    return {};
  };
  state_->positionals.push_back({name, state_->read_with(name, reader, help, " "), false});
}

void Arguments::note(const std::string& line) {
  state_->notes += line + "\n";
}

std::optional<int> Arguments::parse(const std::vector<std::string>& words) {
  State& state = *state_;
  try {
    state.app.footer(state.notes);
    state.app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    return print_and_end(state.help());
  } catch (const CLI::ArgumentMismatch& fault) {
    const std::string flag =
        std::string(fault.what()).substr(0, std::string(fault.what()).find(':'));
    state.complain_about(Error::missing_argument, flag + " needs a value");
  } catch (const CLI::ParseError& fault) {
    state.complain_about(Error::bad_flag_value, fault.what());
  }
  const CLI::Option* json = state.app.get_option_no_throw("--json");
  if (json != nullptr && json->count() > 0) complain_in_json();
  const std::string where = " (`abuzz " + state.verb + " --help` says more)";
  std::vector<std::string> unknown = state.app.remaining();
  std::erase(unknown, "--");  // CLI11 keeps the mark that ends the flags
  if (!unknown.empty() && unknown.front().starts_with('-') && unknown.front() != "-") {
    std::vector<std::string> known;
    for (const CLI::Option* option : state.app.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
    const std::vector<std::string_view> candidates(known.begin(), known.end());
    const std::string_view near = nearest(unknown.front(), candidates);
    std::string line = in_quotes(unknown.front()) + " is not a flag of `abuzz " + state.verb + "`";
    line += near.empty() ? where : "; did you mean " + std::string(near) + "?";
    return complain(Error::unknown_flag, line);
  }
  if (!state.problem.empty()) return complain(state.problem_error, state.problem + where);
  if (!unknown.empty()) {
    return complain(Error::unknown_flag, in_quotes(unknown.front()) +
                                             " is one argument too many for `abuzz " + state.verb +
                                             "`" + where);
  }
  for (const State::Positional& positional : state.positionals) {
    if (!positional.is_required || positional.option->count() != 0) continue;
    return complain(Error::missing_argument,
                    "`abuzz " + state.verb + "` needs " + positional.name + where);
  }
  return std::nullopt;
}

}  // namespace abuzz::tools
