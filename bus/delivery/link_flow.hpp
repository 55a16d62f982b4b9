#pragma once

#include <algorithm>
#include <array>
#include <bit>
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

  // What is in one frame: units of 64 bytes, by lane class.
  struct Load {
    std::array<std::uint32_t, classes> units{};
    std::uint8_t lanes = 0;  // that it has records of, a bit each
    bool has_control = false;

    void add(wire::Lane lane, std::uint32_t slice_bytes) noexcept {
      if (lane == wire::Lane::control) {
        has_control = true;
        return;
      }
      units[wire::lane_index(lane)] += (slice_bytes + 63) / 64;
      lanes |= static_cast<std::uint8_t>(1u << wire::lane_index(lane));
    }
    bool is_data() const noexcept { return lanes != 0; }
  };

  explicit LinkFlow(std::array<std::uint32_t, classes> window_bytes) noexcept
      : window_bytes_(window_bytes) {}

  // --- Sending ---
  std::uint32_t frames_in_flight() const noexcept { return frames_sent_ - frames_acked_; }
  // Of them, those with records of this lane or a higher one.
  std::uint32_t frames_in_flight(wire::Lane lane) const noexcept {
    const std::uint32_t count = frames_in_flight();
    if (count == 0 || lane == wire::Lane::bulk) return count;
    const std::uint64_t places = count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    std::uint64_t frames = carried_[0];
    if (lane == wire::Lane::normal) frames |= carried_[1];
    const int first = static_cast<int>(frames_acked_ % 64);
    return static_cast<std::uint32_t>(std::popcount(frames & std::rotl(places, first)));
  }
  // The most bytes of bulk that were not acknowledged when a record of control or of the lane high
  // was put behind them.
  std::uint64_t bulk_ahead_bytes() const noexcept { return bulk_ahead_bytes_; }
  // Whether `bytes` more may be put on this lane beside `load`, which is not sent yet. One unit of
  // any size may go when nothing of its class is in flight.
  bool has_room(wire::Lane lane, std::size_t bytes, const Load& load) const noexcept {
    if (lane == wire::Lane::control) return true;
    if (frames_in_flight() >= frames_in_flight_max) return false;
    const std::size_t index = wire::lane_index(lane);
    const std::uint64_t used = std::uint64_t{sent_[index] - acked_[index] + load.units[index]} * 64;
    return used == 0 || used + bytes <= window_bytes_[index];
  }
  std::uint32_t window_bytes(wire::Lane lane) const noexcept {
    return window_bytes_[wire::lane_index(lane)];
  }
  // Fills sequence and acknowledgements; the frame counts as sent.
  void stamp(wire::FrameHead& head, const Load& load) noexcept {
    head.link_seq = next_seq_++;
    for (std::size_t index = 0; index < classes; ++index) {
      sent_[index] += load.units[index];
      head.link_ack[index] = processed_[index];
    }
    head.frames_acked = frames_processed_;
    if (load.has_control || load.units[0] > 0)
      bulk_ahead_bytes_ =
          std::max(bulk_ahead_bytes_, std::uint64_t{sent_[classes - 1] - acked_[classes - 1]} * 64);
    if (load.is_data()) note_carried(load);
    told_ = processed_;
    frames_told_ = frames_processed_;
  }

  // --- Receiving ---
  // Frames before this one did not come: the link has lost them. Whoever sent them did no wrong.
  bool misses_some_before(const wire::FrameHead& head) const noexcept {
    return head.link_seq > expected_seq_;
  }
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
    if (load.is_data()) ++frames_processed_;
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
  void note_carried(const Load& load) noexcept {
    const std::uint64_t place = std::uint64_t{1} << (frames_sent_ % 64);
    for (std::size_t index = 0; index < classes - 1; ++index)
      carried_[index] =
          (load.lanes >> index & 1) != 0 ? carried_[index] | place : carried_[index] & ~place;
    ++frames_sent_;
  }

  static_assert(frames_in_flight_max <= 64);  // one bit each
  const std::array<std::uint32_t, classes> window_bytes_;
  std::uint64_t next_seq_ = 1;
  std::uint64_t expected_seq_ = 1;
  std::array<std::uint32_t, classes> sent_{}, acked_{}, processed_{}, told_{};  // mod 2^32
  std::uint32_t frames_sent_ = 0, frames_acked_ = 0, frames_processed_ = 0, frames_told_ = 0;
  std::array<std::uint64_t, classes - 1> carried_{};  // high, normal: by frame number, mod 64
  std::uint64_t bulk_ahead_bytes_ = 0;
};

}  // namespace abuzz::delivery
