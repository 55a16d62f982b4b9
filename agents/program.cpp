#include "agents/program.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "agents/team_talk.hpp"

namespace abuzz::demo {
namespace {

int refuse(const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.message().c_str());
  return error_info(failure.error).exit_code;
}

}  // namespace

int run_program(int argc, char** argv, const char* summary, Status (*work)(const Options&)) {
  Options options;
  CLI::App app(summary);
  app.add_option("--run", options.run, "Name of the run, the same for the whole team");
  app.add_option("--indexers", options.indexers, "How many indexers there are")
      ->check(CLI::Range(1, 64));
  app.add_option("--index", options.index, "Which indexer this is, from 0");
  app.add_option("--top", options.top, "How many words the collector reports");
  app.add_option("--list", options.list, "File with the texts, as `abuzz demo` writes it");
  app.add_option("paths", options.paths, "Files and folders to read");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ExtrasError& error) {
    return refuse({Error::unknown_flag, error.what()});
  } catch (const CLI::ParseError& error) {
    return refuse({Error::bad_flag_value, error.what()});
  }
  const Status status = work(options);
  if (status) return 0;
  Report report;
  report.event = "failed";
  report.text = status.failure().message();
  tell(report);
  return error_info(status.error()).exit_code;
}

}  // namespace abuzz::demo
