#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "bus/base/position.hpp"
#include "bus/base/units.hpp"
#include "bus/client/receipt_window.hpp"
#include "bus/client/segment.hpp"
#include "bus/delivery/retained_intake.hpp"
#include "bus/delivery/ring.hpp"
#include "bus/mem/buffer.hpp"
#include "bus/message.hpp"
#include "bus/receipt.hpp"
#include "bus/stats.hpp"

namespace abuzz::client {

// States of a publication, as the agent sees it. Stream::state changes in Session only.
//   advertising  told to the node (or waiting for one), no answer yet
//   open         may send inside its credit
//   refused      the node answered with an error; nothing will be sent
//   closing      no more is published; what is staged is still sent, then it is withdrawn
enum class StreamState : std::uint8_t { advertising, open, refused, closing };

// What several threads know of one publisher's stream. Written inside the session's combiner, read
// by the publisher's thread.
struct StreamNews {
  explicit StreamNews(const base::Position<std::uint32_t>& mark_of_lane)
      : knock_bytes(mark_of_lane) {}

  // Staged bytes at which a publisher of this lane knocks: 0 when the link is idle; more while
  // small frames are in flight. It stands in the session, which the publisher keeps alive. A
  // publisher that credit holds need not knock at all. The publisher commits (seq_cst), then reads
  // both (seq_cst); the session lowers one of them, then looks for commits: one of the two sees the
  // other.
  const base::Position<std::uint32_t>& knock_bytes;
  base::Position<bool> is_held{false};
  bool wants_knock(std::uint32_t staged_bytes) const noexcept {
    return staged_bytes >= knock_bytes.read_fenced() && !is_held.read_fenced();
  }
  base::Position<std::uint64_t> sealed_bytes{0};  // payload bytes sealed, in all
  // Where sealed_bytes has to be before a publisher that waits for room is woken; 0: it does not
  // wait for room, or for any. The publisher's thread stores it and then reads sealed_bytes, the
  // session the other way round, all of it seq_cst: one of the two sees the other.
  base::Position<std::uint64_t> room_at{0};
  base::Position<std::uint64_t> last_seq{0};  // sealed
  base::Position<std::uint64_t> accepted_seq{0};
  base::Position<std::uint64_t> delivered{0}, no_subscriber{0}, dropped{0}, unknown{0};
  std::array<base::Position<std::uint64_t>, drop_reason_count> dropped_by;  // by DropReason
  base::Position<std::uint32_t> match_count{0};
  // A batch has no more messages than the shortest queue that holds publishers; 0: no such bound.
  base::Position<std::uint32_t> batch_messages_max{0};
  base::Position<std::uint64_t> held_by{0};
  base::Position<std::uint16_t> error{0};  // of a refused publication
  base::Position<StreamState> state{StreamState::advertising};
};

// One sealed batch that is kept: until the node has accepted it and every lossless subscriber's
// process has received it, so that the next node can be given it again.
struct SealedBatch {
  mem::Buffer bytes;       // the sealed batch
  mem::Buffer block;       // the whole block, while a frame may be written in front of it
  std::size_t offset = 0;  // of the batch in the block
  std::uint64_t first_seq = 0;
  std::uint32_t count = 0;  // messages; 0 for a chunk that is not the last
  std::uint64_t charge = 0;
  std::uint32_t ttl_ms = 0;
  base::Nanos expires_at = 0;  // 0: never
  bool is_chunk = false;
  bool is_void = false;      // expired before it was sent: only its sequences are told
  bool is_restored = false;  // settled at an earlier node, and retained
  bool is_sent = false;      // on some link
  bool may_repeat = false;   // an earlier node had it, and may have delivered it
  bool is_counted = true;    // in Stream::sent_bytes of the present link

  // Of a chunk that is not the last: the sequence that the last one will use up.
  std::uint64_t last_seq() const noexcept { return first_seq + (count > 0 ? count : 1) - 1; }
};

// The session's side of one publication. Inside the combiner only, but for `news`.
struct Stream {
  std::uint32_t handle = 0;
  std::uint32_t publisher_id = 0;
  std::uint32_t publisher_epoch = 1;
  std::string topic;
  Lane lane = Lane::normal;
  std::uint32_t retain_messages = 0;
  std::unique_ptr<delivery::RetainedIntake::Source> retained;  // nullptr: nothing is

  delivery::Ring<mem::Buffer> staged;  // segments, oldest first; the head may be taken
  bool head_is_taken = false;
  std::uint32_t head_count = 0;        // of a taken head
  bool voids_train = false;            // the chunk train under way expired before its first chunk
  delivery::Ring<SealedBatch> sealed;  // not settled yet
  std::size_t unsent = 0;              // of them, at the end
  // What is retained of what was settled, for a node that has not had it; sent before all else.
  delivery::Ring<SealedBatch> restored;
  std::size_t restored_sent = 0;  // of them, at the front; kept while a frame may point at them
  bool needs_restore = false;
  std::size_t kept = 0;          // of them, at the front: accepted, in buffers of their size
  bool awaits_position = false;  // what of them the node has is not known yet
  std::uint64_t last_seq = 0;    // sealed
  std::uint64_t sent_bytes = 0;  // charge sent since the last Advertise
  std::uint64_t limit_seq = 0;   // credit
  std::uint64_t limit_bytes = 0;
  std::uint64_t accepted_seq = 0;
  std::uint32_t lossless_told = 0;   // lossless subscriptions, as last told
  std::uint32_t lossless_count = 0;  // the same; of the last node while subscribers return
  bool was_open = false;             // at some node
  bool returns = false;              // it was open at an earlier node than the present one
  bool awaits_returns = false;       // the present node gave no credit yet
  // Outcomes that earlier nodes told, which the present one does not know.
  struct Outcomes {
    std::uint64_t delivered = 0, no_subscriber = 0, dropped = 0, unknown = 0;
    std::array<std::uint64_t, drop_reason_count> dropped_by{};
  } past;
  std::uint64_t unknown = 0;    // accepted by earlier nodes, which did not tell
  std::uint32_t match_max = 0;  // subscriptions at one time, at the present node
  // Of messages that asked for one; from the first that did.
  std::unique_ptr<ReceiptWindow> receipts;
  std::uint64_t receipts_seen = 0;  // the number of the last item, from the present node
  std::uint64_t receipts_told = 0;  // the same, as the node was told on the present link
  std::uint64_t wanted_seq = 0;     // for which a Want was sent
  std::uint64_t flush_to = 0;       // outcomes up to here are asked for
  std::uint64_t flush_told = 0;     // the same, as the node was told on the present link
  bool is_asking = false;           // stands in Session's list of those with a question
  bool is_listed = false;           // stands in Session's list of streams with something staged
  bool needs_advertise = true;
  bool is_advertised = false;  // on the present link
  bool is_withdrawing = false;
  // What is owed to the node, or asked of it: outcomes up to a sequence, receipts that arrived.
  bool has_question() const noexcept {
    return flush_to > flush_told || receipts_seen != receipts_told;
  }
  // Something that has its sequences is to be put on the link.
  bool has_unsent() const noexcept { return unsent > 0 || has_restored(); }
  bool has_restored() const noexcept { return restored_sent < restored.count(); }
  void note_framed(const SealedBatch& batch) noexcept {
    if (!batch.is_restored)
      --unsent;
    else
      needs_restore = ++restored_sent < restored.count();
  }
  void drop_restored() noexcept {
    while (!restored.is_empty()) restored.pop_front();
    restored_sent = 0;
  }
  // Nobody will be sent what was sealed.
  void drop_sealed() noexcept {
    while (!sealed.is_empty()) sealed.pop_front();
    unsent = kept = 0;
  }
  // No node has heard of what is behind it.
  std::uint64_t sent_seq() noexcept {
    for (std::size_t index = 0; index < sealed.count(); ++index)
      if (!sealed.at(index).is_sent) return sealed.at(index).first_seq - 1;
    return last_seq;
  }
  ReceiptWindow& asked_receipts() {
    if (!receipts) receipts = std::make_unique<ReceiptWindow>();
    return *receipts;
  }
  // The node has all of it.
  bool is_accepted() const noexcept {
    return staged.is_empty() && unsent == 0 && last_seq <= accepted_seq;
  }
  StatsRow* row = nullptr;
  std::shared_ptr<StreamNews> news;  // shared with the publisher, which may outlive the session
};

}  // namespace abuzz::client
