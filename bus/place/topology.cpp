#include "bus/place/topology.hpp"

#include <dlfcn.h>
#include <hwloc.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "bus/place/affinity.hpp"

namespace abuzz {

std::size_t Topology::processor_count() const noexcept {
  std::size_t count = 0;
  for (const Core& core : cores) count += core.processors.size();
  return count;
}

namespace place {
namespace {

constexpr std::uint64_t processors_max = 4096;
constexpr const char* library_name = "libhwloc.so.15";

// The functions of hwloc that are used. Linking to it would load it, and libudev behind it, into
// every agent.
class Hwloc {
 public:
  Hwloc() : library_(dlopen(library_name, RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    is_complete_ = find("hwloc_get_api_version", get_api_version) &&
                   get_api_version() >> 16 == HWLOC_API_VERSION >> 16 &&
                   find("hwloc_topology_init", init) && find("hwloc_topology_destroy", destroy) &&
                   find("hwloc_topology_set_flags", set_flags) &&
                   find("hwloc_topology_set_synthetic", set_synthetic) &&
                   find("hwloc_topology_set_xml", set_xml) && find("hwloc_topology_load", load) &&
                   find("hwloc_topology_get_support", get_support) &&
                   find("hwloc_get_type_depth", get_type_depth) &&
                   find("hwloc_get_nbobjs_by_depth", get_count) &&
                   find("hwloc_get_obj_by_depth", get_object) &&
                   find("hwloc_topology_get_complete_cpuset", get_complete_cpuset) &&
                   find("hwloc_bitmap_weight", weigh) && find("hwloc_bitmap_first", get_first) &&
                   find("hwloc_cpukinds_get_nr", count_kinds) &&
                   find("hwloc_cpukinds_get_by_cpuset", get_kind) &&
                   find("hwloc_cpukinds_get_info", get_kind_info);
  }
  ~Hwloc() {
    if (library_ != nullptr) dlclose(library_);
  }
  Hwloc(const Hwloc&) = delete;
  Hwloc& operator=(const Hwloc&) = delete;

  bool is_complete() const noexcept { return is_complete_; }

  decltype(&hwloc_get_api_version) get_api_version = nullptr;
  decltype(&hwloc_topology_init) init = nullptr;
  decltype(&hwloc_topology_destroy) destroy = nullptr;
  decltype(&hwloc_topology_set_flags) set_flags = nullptr;
  decltype(&hwloc_topology_set_synthetic) set_synthetic = nullptr;
  decltype(&hwloc_topology_set_xml) set_xml = nullptr;
  decltype(&hwloc_topology_load) load = nullptr;
  decltype(&hwloc_topology_get_support) get_support = nullptr;
  decltype(&hwloc_get_type_depth) get_type_depth = nullptr;
  decltype(&hwloc_get_nbobjs_by_depth) get_count = nullptr;
  decltype(&hwloc_get_obj_by_depth) get_object = nullptr;
  decltype(&hwloc_topology_get_complete_cpuset) get_complete_cpuset = nullptr;
  decltype(&hwloc_bitmap_weight) weigh = nullptr;
  decltype(&hwloc_bitmap_first) get_first = nullptr;
  decltype(&hwloc_cpukinds_get_nr) count_kinds = nullptr;
  decltype(&hwloc_cpukinds_get_by_cpuset) get_kind = nullptr;
  decltype(&hwloc_cpukinds_get_info) get_kind_info = nullptr;

 private:
  template <class Function>
  bool find(const char* name, Function& function) noexcept {
    void* symbol = dlsym(library_, name);
    std::memcpy(&function, &symbol, sizeof symbol);
    return symbol != nullptr;
  }

  void* library_;
  bool is_complete_ = false;
};

// A topology of hwloc's, destroyed before the library is closed.
class Loaded {
 public:
  explicit Loaded(const Hwloc& hwloc) : hwloc_(hwloc) {
    if (hwloc_.init(&topology_) != 0) topology_ = nullptr;
  }
  ~Loaded() {
    if (topology_ != nullptr) hwloc_.destroy(topology_);
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  hwloc_topology_t get() const noexcept { return topology_; }

 private:
  const Hwloc& hwloc_;
  hwloc_topology_t topology_ = nullptr;
};

// Whether the kinds of cores are ranked, so that their indices mean something.
std::uint32_t ranked_kinds(const Hwloc& hwloc, hwloc_topology_t topology) {
  const int count = hwloc.count_kinds(topology, 0);
  int efficiency = -1;
  if (count < 2) return 1;
  if (hwloc.get_kind_info(topology, 0, nullptr, &efficiency, nullptr, nullptr, 0) != 0) return 1;
  return efficiency < 0 ? 1 : static_cast<std::uint32_t>(count);
}

std::uint32_t number_of(const hwloc_obj& object) {
  return object.os_index != HWLOC_UNKNOWN_INDEX ? object.os_index : object.logical_index;
}

// One processor as hwloc has it. Its core is the object, or itself.
struct Place {
  const void* core;
  std::uint32_t processor;
  Topology::Core shape;  // without processors
};

Place place_of(const Hwloc& hwloc, const hwloc_obj& processor, Topology& into) {
  Place place{&processor, processor.os_index, {}};
  bool has_cache = false;
  for (const hwloc_obj* object = processor.parent; object != nullptr; object = object->parent) {
    if (object->type == HWLOC_OBJ_CORE) {
      place.core = object;
      into.knows_cores = true;
    } else if (object->type == HWLOC_OBJ_L3CACHE) {
      place.shape.cache = object->logical_index;
      has_cache = into.knows_caches = true;
    } else if (object->type == HWLOC_OBJ_PACKAGE) {
      place.shape.package = number_of(*object);
    }
  }
  // Beyond any number of a cache, so that a package without one is no part of another's.
  if (!has_cache) place.shape.cache = (1u << 16u) + place.shape.package;
  const int numa = processor.nodeset != nullptr ? hwloc.get_first(processor.nodeset) : -1;
  place.shape.numa = numa < 0 ? 0 : static_cast<std::uint32_t>(numa);
  return place;
}

void sort_cores(Topology& topology) {
  for (Topology::Core& core : topology.cores) std::ranges::sort(core.processors);
  std::ranges::sort(topology.cores, {}, [](const Topology::Core& core) {
    return std::tuple(core.package, core.numa, core.cache, core.processors.front());
  });
}

// `is_allowed` says which processors count.
template <class Allowed>
Topology convert(const Hwloc& hwloc, hwloc_topology_t loaded, const Allowed& is_allowed) {
  Topology topology;
  topology.kind_count = ranked_kinds(hwloc, loaded);
  topology.knows_numa = hwloc.get_support(loaded)->discovery->numa != 0;
  std::vector<const void*> cores;  // the object of each of ours
  const int depth = hwloc.get_type_depth(loaded, HWLOC_OBJ_PU);
  const unsigned count = hwloc.get_count(loaded, depth);
  for (unsigned i = 0; i < count; ++i) {
    const hwloc_obj& processor = *hwloc.get_object(loaded, depth, i);
    if (!is_allowed(processor.os_index)) continue;
    Place place = place_of(hwloc, processor, topology);
    if (topology.kind_count > 1) {
      const int kind = hwloc.get_kind(loaded, processor.cpuset, 0);
      place.shape.kind = kind < 0 ? 0 : static_cast<std::uint32_t>(kind);
    }
    const auto known = std::ranges::find(cores, place.core);
    if (known == cores.end()) {
      cores.push_back(place.core);
      topology.cores.push_back(place.shape);
      topology.cores.back().processors.push_back(place.processor);
    } else {
      const auto index = static_cast<std::size_t>(known - cores.begin());
      topology.cores[index].processors.push_back(place.processor);
    }
  }
  sort_cores(topology);
  return topology;
}

// The product of the counts in "pack:2 core:4": what hwloc would build. Brackets hold attributes.
std::uint64_t promised_processors(const std::string& description) {
  std::uint64_t product = 1;
  bool is_attribute = false;
  for (std::size_t i = 0; i < description.size(); ++i) {
    const char c = description[i];
    if (c == '(' || c == '[') is_attribute = true;
    if (c == ')' || c == ']') is_attribute = false;
    const bool begins = i == 0 || description[i - 1] == ':' || description[i - 1] == ' ';
    if (is_attribute || !begins || c < '0' || c > '9') continue;
    // As hwloc reads it: also "0x10" and "010". What is too long for it comes out as the greatest.
    const std::uint64_t count = std::strtoull(&description[i], nullptr, 0);
    if (count > processors_max) return processors_max + 1;
    product = std::min(product * std::max<std::uint64_t>(count, 1), processors_max + 1);
  }
  return product;
}

Failure refused(const std::string& description, const std::string& why) {
  return {Error::bad_flag_value, "'" + description + "' is not a machine: " + why};
}

std::uint32_t online_processors() {
  const long count = sysconf(_SC_NPROCESSORS_ONLN);
  return count < 1 ? 1 : static_cast<std::uint32_t>(count);
}

}  // namespace

Topology flat_topology(const std::vector<std::uint32_t>& processors) {
  Topology topology;
  for (const std::uint32_t processor : processors) topology.cores.push_back({{processor}});
  if (topology.cores.empty()) topology.cores.push_back({{0}});
  topology.online_count = static_cast<std::uint32_t>(topology.cores.size());
  return topology;
}

Topology read_topology_within(const std::vector<std::uint32_t>& allowed) {
  const auto is_allowed = [&](std::uint32_t processor) {
    return std::ranges::binary_search(allowed, processor);
  };
  Topology topology;
  const Hwloc hwloc;
  if (!hwloc.is_complete()) {
    topology.note = std::string("hwloc is not installed (") + library_name + ")";
  } else {
    const Loaded loaded(hwloc);
    const unsigned long flags = HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING |
                                HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM |
                                HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING;
    if (loaded.get() == nullptr || hwloc.set_flags(loaded.get(), flags) != 0 ||
        hwloc.load(loaded.get()) != 0) {
      topology.note = "hwloc could not read this machine";
    } else {
      topology = convert(hwloc, loaded.get(), is_allowed);
    }
  }
  // Also what hwloc does not list may be used.
  std::vector<std::uint32_t> listed;
  for (const Topology::Core& core : topology.cores) {
    listed.insert(listed.end(), core.processors.begin(), core.processors.end());
  }
  for (const std::uint32_t processor : allowed) {
    if (std::ranges::find(listed, processor) == listed.end()) {
      topology.cores.push_back({{processor}});
      if (topology.note.empty()) topology.note = "hwloc does not list every processor";
    }
  }
  if (topology.cores.empty()) topology.cores.push_back({{0}});
  sort_cores(topology);
  return topology;
}

Topology read_processors() {
  Topology topology = flat_topology(read_affinity());
  topology.is_this_machine = topology.knows_cores = true;
  topology.quota = read_cpu_quota();
  return topology;
}

}  // namespace place

Topology read_topology() {
  Topology topology = place::read_topology_within(place::read_affinity());
  topology.origin = "this machine";
  topology.is_this_machine = true;
  topology.online_count =
      std::max(place::online_processors(), static_cast<std::uint32_t>(topology.processor_count()));
  const long configured = sysconf(_SC_NPROCESSORS_CONF);
  if (configured > static_cast<long>(topology.online_count)) {
    topology.offline_count = static_cast<std::uint32_t>(configured) - topology.online_count;
  }
  topology.quota = read_cpu_quota();
  return topology;
}

Result<Topology> make_topology(const std::string& description) {
  using namespace place;
  const bool is_file = description.find('/') != std::string::npos || description.ends_with(".xml");
  const std::string limit = "it has more than " + std::to_string(processors_max) + " processors";
  if (!is_file && promised_processors(description) > processors_max) {
    return refused(description, limit);
  }
  const Hwloc hwloc;
  if (!hwloc.is_complete()) return refused(description, "hwloc is not installed");
  const Loaded loaded(hwloc);
  if (loaded.get() == nullptr) return Error::out_of_memory;
  const int taken = is_file ? hwloc.set_xml(loaded.get(), description.c_str())
                            : hwloc.set_synthetic(loaded.get(), description.c_str());
  if (taken != 0 || hwloc.load(loaded.get()) != 0) {
    return refused(description,
                   is_file ? "hwloc cannot read the file"
                           : "hwloc takes such as \"pack:2 numa:2 core:16 pu:2\", pu last");
  }
  Topology topology = convert(hwloc, loaded.get(), [](std::uint32_t) { return true; });
  if (topology.processor_count() > processors_max) return refused(description, limit);
  if (topology.cores.empty()) return refused(description, "it has no processor");
  topology.origin = description;
  topology.online_count = static_cast<std::uint32_t>(topology.processor_count());
  const int all = hwloc.weigh(hwloc.get_complete_cpuset(loaded.get()));
  if (all > static_cast<int>(topology.online_count)) {
    topology.offline_count = static_cast<std::uint32_t>(all) - topology.online_count;
  }
  return topology;
}

}  // namespace abuzz
