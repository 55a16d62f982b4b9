#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bus/delivery/link_flow.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/node/shard_mail.hpp"
#include "bus/wire/batch.hpp"
#include "bus/wire/frame.hpp"
#include "bus/wire/layout.hpp"

namespace abuzz::node {

// One record of a frame, checked as far as that needs nobody else.
struct CheckedRecord {
  wire::Record record;
  wire::BatchHead head;         // of a batch
  const char* fault = nullptr;  // what it is refused for; static
};

// What came over a link and waits for the shard's turn.
struct Arrival {
  enum class Kind : std::uint8_t {
    frame,
    refused,   // a frame that breaks a rule of the link
    gap,       // frames before it are lost
    attached,  // the link is up
  };
  Kind kind = Kind::frame;
  SessionId session = 0;
  mem::Buffer frame;
  std::uint64_t bytes = 0;
  std::size_t first = 0, count = 0;  // of its records, in Arrivals::records
  delivery::LinkFlow::Load load;
  const char* fault = nullptr;  // of a refused one; static
};

// Frames that a shard has received and checked, in their order. One thread; reused for ever.
class Arrivals {
 public:
  static constexpr std::size_t frames_max = 64;
  static constexpr std::size_t records_max = 512;  // then no further frame is taken

  Arrivals() {
    arrivals_.reserve(frames_max);
    records_.reserve(records_max);
  }

  bool is_full() const noexcept {
    return arrivals_.size() >= frames_max || records_.size() >= records_max;
  }
  bool is_empty() const noexcept { return arrivals_.empty(); }
  std::size_t count() const noexcept { return arrivals_.size(); }
  // Requires: !is_full().
  Arrival& add(Arrival::Kind kind, SessionId session) {
    Arrival& arrival = arrivals_.emplace_back();
    arrival.kind = kind;
    arrival.session = session;
    arrival.first = records_.size();
    return arrival;
  }
  // Of the arrival that was added last.
  CheckedRecord& add_record() {
    ++arrivals_.back().count;
    return records_.emplace_back();
  }
  void set_load(const delivery::LinkFlow::Load& load) noexcept { arrivals_.back().load = load; }
  std::span<const Arrival> all() const noexcept { return arrivals_; }
  std::span<const CheckedRecord> records(const Arrival& arrival) const noexcept {
    return std::span(records_).subspan(arrival.first, arrival.count);
  }
  void clear() noexcept {
    arrivals_.clear();
    records_.clear();
  }

 private:
  std::vector<Arrival> arrivals_;
  std::vector<CheckedRecord> records_;
};

}  // namespace abuzz::node
