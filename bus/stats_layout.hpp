#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "bus/error.hpp"
#include "bus/stats.hpp"

// Behind bus/stats.hpp and for its translation units only: what stands where in a counter file. A
// header page, the descriptors, the rows, each array at an offset that the header states. Native
// byte order: only processes of one host read it.

namespace abuzz {
namespace detail {

inline constexpr std::uint32_t file_magic = 0x535a4241;  // "ABZS", little-endian
inline constexpr std::uint32_t file_version = 1;
inline constexpr std::size_t page_bytes = 4096;
inline constexpr std::size_t rows_step = 64;
// Far above any configuration; bounds what a garbage header can make a reader do.
inline constexpr std::size_t rows_limit = 4u << 20;
inline constexpr std::size_t descriptors_limit = 4096;

struct FileHeader {
  // Stored last, with release: a reader that sees it sees the rest.
  std::atomic<std::uint32_t> magic;
  std::uint32_t version;
  std::uint32_t header_bytes;
  std::uint32_t row_bytes;
  std::uint64_t rows_offset;
  // Grows only; stored by the thread that adds rows, with release, after the row is complete.
  std::atomic<std::uint32_t> row_count;
  std::uint32_t pid;
  std::uint64_t start_ticks;
  std::uint64_t node_id;
  std::uint64_t agent_id;
  std::uint32_t node_epoch;
  std::uint32_t descriptor_count;
  std::uint64_t descriptors_offset;
};
static_assert(sizeof(FileHeader) == 72);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

struct Descriptor {
  std::uint16_t kind;
  std::uint16_t id;
  char label[counter_label_bytes];
  char unit[counter_unit_bytes];
  std::uint8_t is_gauge;
  std::uint8_t reserved[7];
};
static_assert(sizeof(Descriptor) == 64);

inline Failure system_failure(const char* call, const std::string& path, int cause) {
  return {Error::system, std::string(call) + " " + path + ": " + std::strerror(cause)};
}

}  // namespace detail

// What may look inside a row, for the writer and the reader.
struct StatsLayout {
  static constexpr std::size_t ids_max = 6;
  static constexpr std::size_t text_words = sizeof(StatsRow::text_) / 8;
  static_assert(offsetof(StatsRow, text_) % 8 == 0 && sizeof(StatsRow::text_) % 8 == 0);

  // The seqlock's writer. The version is odd while the row changes. Every word is stored with
  // release, so whoever sees a new word also sees the odd version that was stored before it.
  // Pairs with RowReader, which reads the version before and after the words.
  static void begin(StatsRow& row) {
    row.version_.store(row.version_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static void end(StatsRow& row) {
    row.version_.store(row.version_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  static void set_kind(StatsRow& row, RowKind kind) {
    std::atomic_ref(row.kind_).store(static_cast<std::uint16_t>(kind), std::memory_order_release);
  }
  static void set_ids(StatsRow& row, std::span<const std::uint64_t> ids) {
    for (std::size_t i = 0; i < ids_max; ++i) {
      std::atomic_ref(row.ids_[i]).store(i < ids.size() ? ids[i] : 0, std::memory_order_release);
    }
  }
  // One behind the other, each with a terminating zero.
  static void set_text(StatsRow& row, std::string_view first, std::string_view second,
                       std::string_view third) {
    char text[sizeof(StatsRow::text_)] = {};
    std::size_t at = 0;
    std::size_t zeros = 3;
    for (std::string_view part : {first, second, third}) {
      part = part.substr(0, part.find('\0')).substr(0, sizeof text - zeros-- - at);
      if (!part.empty()) std::memcpy(text + at, part.data(), part.size());
      at += part.size() + 1;
    }
    for (std::size_t i = 0; i < text_words; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, text + i * 8, 8);
      std::atomic_ref(*reinterpret_cast<std::uint64_t*>(row.text_ + i * 8))
          .store(word, std::memory_order_release);
    }
  }
  static void clear_counters(StatsRow& row) {
    for (auto& word : row.counters_) word.store(0, std::memory_order_release);
  }
  static std::uint32_t version(const StatsRow& row) {
    return row.version_.load(std::memory_order_relaxed);
  }
  static void copy(const StatsRow& row, RowSnapshot& snapshot);
};

}  // namespace abuzz
