#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bus/delivery/link_flow.hpp"
#include "bus/delivery/switch.hpp"
#include "bus/link/link.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/node/shard_mail.hpp"
#include "bus/wire/frame.hpp"

namespace abuzz::node {

// One frame to an agent between being collected, inside a turn, and being written, outside. What it
// takes of the switch it takes by reference, and its own shares keep that alive meanwhile.
//
// One thread. Cost: 23 KiB each; no allocation once `control` has grown.
class Parcel {
 public:
  // A slice this big goes as a part of its own, by reference; a smaller one is copied into the
  // head, when it is written.
  static constexpr std::uint32_t reference_bytes_min = 8 * 1024;
  static constexpr std::size_t bytes_target = 128 * 1024;

  Parcel() = default;
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;

  void begin(SessionId to) noexcept;
  // Lets go of everything; also of a frame that nobody took.
  void clear() noexcept;
  void add_control(std::span<const std::byte> control);
  // Whether it takes this one, too, besides what is in it.
  bool has_room(const delivery::Routed& routed) const noexcept;
  // Its record, its slice and its target. Requires: has_room.
  void add(const delivery::Switch::Outgoing& next);
  // The target alone, where the record is that of the one before: more messages of it, or the same
  // ones for another subscription. Its bytes need not go again.
  bool try_add_target(const delivery::Switch::Outgoing& next);

  bool has_records() const noexcept { return builder_.record_count() > 0; }
  const delivery::LinkFlow::Load& load() const noexcept { return load_; }
  std::uint64_t messages() const noexcept { return messages_; }
  std::uint64_t batches() const noexcept { return batches_; }
  // Of part 0.
  std::size_t head_bytes() const noexcept { return builder_.head_bytes(); }
  // Of all parts.
  std::size_t frame_bytes() const noexcept { return builder_.head_bytes() + referenced_bytes_; }

  // Writes it into `first`, which becomes part 0, and keeps the frame alone. Requires: `first` has
  // head_bytes() bytes.
  link::Frame& finish(mem::Buffer&& first);

  SessionId session = 0;
  wire::FrameHead head;  // stamped when it was collected

 private:
  void add_target(const delivery::Switch::Outgoing& next);

  static constexpr std::size_t records_max = 256;
  static constexpr std::size_t aborts_max = 16;

  std::array<wire::Record, records_max> records_;
  std::array<wire::Target, records_max> targets_;
  std::array<std::span<const std::byte>, records_max> slices_;
  wire::FrameBuilder builder_{{records_, targets_, slices_}};
  std::array<mem::Buffer, records_max> shares_;  // of slices that are to be copied
  std::array<wire::AbortKey, aborts_max> aborts_;
  std::vector<std::byte> control_;
  link::Frame frame_;
  delivery::LinkFlow::Load load_;
  delivery::Switch::Outgoing last_;
  std::size_t share_count_ = 0, abort_count_ = 0;
  std::size_t bytes_ = 0, referenced_bytes_ = 0;
  std::uint64_t messages_ = 0, batches_ = 0;
};

}  // namespace abuzz::node
