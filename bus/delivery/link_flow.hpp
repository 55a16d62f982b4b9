#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "bus/wire/layout.hpp"

namespace abuzz::delivery {

// How much one end of a link may have in flight, and what it owes the other end: link sequences and
// link credit, the same at the agent and at the node (schema/wire.md, "Link credit"). One thread.
class LinkFlow {
 public:
  static constexpr std::size_t classes = 3;  // high, normal, bulk; control is exempt
  static constexpr std::uint32_t frames_in_flight_max = 64;
  static constexpr std::uint32_t ack_every_frames = 4;  // at the latest

  // Data in one frame, by lane class, in units of 64 bytes.
  struct Load {
    std::array<std::uint32_t, classes> units{};
    bool is_data = false;

    void add(wire::Lane lane, std::uint32_t slice_bytes) noexcept {
      if (lane == wire::Lane::control) return;
      units[static_cast<std::size_t>(lane) - 1] += (slice_bytes + 63) / 64;
      is_data = true;
    }
  };

  explicit LinkFlow(std::array<std::uint32_t, classes> window_bytes) noexcept
      : window_bytes_(window_bytes) {}

  // --- Sending ---
  std::uint32_t frames_in_flight() const noexcept { return frames_sent_ - frames_acked_; }
  // Whether `bytes` more may be put on this lane beside `load`, which is not sent yet. One unit of
  // any size may go when nothing of its class is in flight.
  bool has_room(wire::Lane lane, std::size_t bytes, const Load& load) const noexcept {
    if (lane == wire::Lane::control) return true;
    if (frames_in_flight() >= frames_in_flight_max) return false;
    const std::size_t index = static_cast<std::size_t>(lane) - 1;
    const std::uint64_t used = std::uint64_t{sent_[index] - acked_[index] + load.units[index]} * 64;
    return used == 0 || used + bytes <= window_bytes_[index];
  }
  std::uint32_t window_bytes(wire::Lane lane) const noexcept {
    return window_bytes_[static_cast<std::size_t>(lane) - 1];
  }
  // Fills sequence and acknowledgements; the frame counts as sent.
  void stamp(wire::FrameHead& head, const Load& load) noexcept {
    head.link_seq = next_seq_++;
    for (std::size_t index = 0; index < classes; ++index) {
      sent_[index] += load.units[index];
      head.link_ack[index] = processed_[index];
    }
    head.frames_acked = frames_processed_;
    if (load.is_data) ++frames_sent_;
    told_ = processed_;
    frames_told_ = frames_processed_;
  }

  // --- Receiving ---
  // False for a hole in the link's sequence, or acknowledgements of what was never sent.
  bool on_frame(const wire::FrameHead& head) noexcept {
    if (head.link_seq != expected_seq_) return false;
    ++expected_seq_;
    for (std::size_t index = 0; index < classes; ++index) {
      if (head.link_ack[index] - acked_[index] > sent_[index] - acked_[index]) return false;
      acked_[index] = head.link_ack[index];
    }
    if (head.frames_acked - frames_acked_ > frames_sent_ - frames_acked_) return false;
    frames_acked_ = head.frames_acked;
    return true;
  }
  void on_processed(const Load& load) noexcept {
    for (std::size_t index = 0; index < classes; ++index) processed_[index] += load.units[index];
    if (load.is_data) ++frames_processed_;
  }
  // Whether an acknowledgement must not wait for a frame that carries it along.
  bool is_ack_due() const noexcept {
    if (frames_processed_ - frames_told_ >= ack_every_frames) return true;
    for (std::size_t index = 0; index < classes; ++index)
      if (std::uint64_t{processed_[index] - told_[index]} * 64 >= window_bytes_[index] / 4)
        return true;
    return false;
  }

 private:
  const std::array<std::uint32_t, classes> window_bytes_;
  std::uint64_t next_seq_ = 1;
  std::uint64_t expected_seq_ = 1;
  std::array<std::uint32_t, classes> sent_{}, acked_{}, processed_{}, told_{};  // mod 2^32
  std::uint32_t frames_sent_ = 0, frames_acked_ = 0, frames_processed_ = 0, frames_told_ = 0;
};

}  // namespace abuzz::delivery
