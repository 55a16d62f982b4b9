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

void write_measures(JsonWriter& json, const Measures& measures) {
  json.begin_object().key("pairs").begin_array();
  for (const Measures::Pair& pair : measures.pairs) {
    json.begin_object().field("left", pair.left).field("right", pair.right);
    json.field_real("line_ns", pair.line_ns).field_real("wake_us", pair.wake_us).end_object();
  }
  json.end_array().field_real("wake_across_us", measures.wake_across_us());
  json.field_real("wake_same_us", measures.wake_same_us);
  json.field_real("timer_late_us", measures.timer_late_us);
  json.field_real("timer_late_most_us", measures.timer_late_most_us);
  json.field("took_ns", static_cast<std::uint64_t>(measures.took.count())).end_object();
}

void write_plan(JsonWriter& json, const Plan& plan) {
  json.begin_object().field("shards", plan.shard_count).field("shard_reason", plan.shard_reason);
  json.field("workers", plan.worker_count).field("worker_reason", plan.worker_reason);
  json.field_bool("pins", plan.pins).field("pin_reason", plan.pin_reason);
  json.field("conversation", plan.conversation).key("threads").begin_array();
  for (const PlannedThread& thread : plan.threads) {
    json.begin_object().field("name", thread.name());
    write_processors(json, "processors", thread.processors);
    json.field("reason", thread.reason).end_object();
  }
  json.end_array();
  write_processors(json, "left", plan.left);
  json.field("left_reason", plan.left_reason).end_object();
}

}  // namespace abuzz::tools
