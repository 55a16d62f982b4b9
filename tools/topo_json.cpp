#include "tools/topo_json.hpp"

namespace abuzz::tools {
namespace {

void write_processors(JsonWriter& json, std::string_view name,
                      const std::vector<std::uint32_t>& processors) {
  json.key(name).begin_array();
  for (const std::uint32_t processor : processors) json.number(processor);
  json.end_array();
}

}  // namespace

void write_topology(JsonWriter& json, const Topology& topology) {
  json.begin_object().field("origin", topology.origin).key("cores").begin_array();
  for (const Topology::Core& core : topology.cores) {
    json.begin_object();
    write_processors(json, "processors", core.processors);
    json.field("package", core.package).field("numa", core.numa).field("cache", core.cache);
    json.field("kind", core.kind).end_object();
  }
  json.end_array().field("online", topology.online_count).field("offline", topology.offline_count);
  json.field("kinds", topology.kind_count).field_bool("knows_cores", topology.knows_cores);
  json.field_bool("knows_caches", topology.knows_caches);
  json.field_bool("knows_numa", topology.knows_numa);
  if (topology.quota) json.field_real("quota", *topology.quota);
  json.field("note", topology.note).end_object();
}

}  // namespace abuzz::tools
