#include <optional>

#include "bus/placement.hpp"
#include "tools/complaint.hpp"
#include "tools/json_writer.hpp"
#include "tools/settings.hpp"
#include "tools/terminal.hpp"
#include "tools/topo_json.hpp"
#include "tools/verbs.hpp"

namespace abuzz::tools {

int run_topo(const Words& words) {
  SharedFlags flags;
  std::string machine;
  Arguments arguments("topo", "The machine as the bus sees it: what this process may use of it.");
  arguments.text("--machine", machine,
                 "Another machine, as hwloc describes it (\"pack:2 numa:2 core:16 pu:2\"), or an "
                 "XML file of hwloc",
                 "TEXT");
  add_shared_flags(arguments, flags);
  if (const auto code = arguments.parse(words)) return *code;
  const Result<LoadedConfig> loaded = load_settings(flags);
  if (!loaded.ok()) return complain(loaded.failure());
  Topology topology;
  if (machine.empty()) {
    topology = read_topology();
  } else {
    Result<Topology> made = make_topology(machine);
    if (!made.ok()) return complain(made.failure());
    topology = std::move(made).value();
  }
  if (!flags.json) return print_and_end(topology_text(topology));
  std::string text;
  JsonWriter json(text);
  json.begin_object().field("v", 1u).key("topology");
  write_topology(json, topology);
  json.end_object();
  return print_and_end(text + "\n");
}

}  // namespace abuzz::tools
