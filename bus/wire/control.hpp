#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bus/receipt.hpp"
#include "bus/wire/frame.hpp"

namespace abuzz::wire {

inline constexpr std::uint32_t credit_is_fresh = 1;
inline constexpr std::uint16_t verdict_passed_over = 0;

// One number for each data lane: high, normal, bulk.
using LaneNumbers = std::array<std::uint64_t, data_lanes>;

// Control items as plain structs, one for each table and struct of schema/control.fbs, same names
// and same fields; see there for their meaning.
struct Credit {
  std::uint32_t publication = 0;
  std::uint32_t flags = 0;
  std::uint64_t accepted_seq = 0, limit_messages = 0, limit_bytes = 0, settled_seq = 0;
};
struct Outcome {
  std::uint32_t publication = 0;
  std::uint64_t delivered = 0, no_subscriber = 0, dropped = 0, unknown = 0;
};
struct Drops {
  std::uint32_t publication = 0;
  DropReason reason = DropReason::queue_full;
  std::uint64_t count = 0;
};
struct Receipt {
  std::uint32_t publication = 0;
  std::uint32_t count = 0;
  std::uint64_t first_seq = 0, number = 0;
  std::uint32_t delivered = 0;
  ReceiptOutcome outcome = ReceiptOutcome::pending;
  DropReason reason = DropReason::queue_full;
  bool is_partial = false;
};
struct Interest {
  std::uint32_t publication = 0, match_count = 0, lossless_count = 0, generation = 0;
  std::uint32_t queue_messages = 0;
};
struct Held {
  std::uint32_t publication = 0, since_ms = 0;
  std::uint64_t agent_id = 0;
};
struct Want {
  std::uint32_t publication = 0;
  std::uint64_t limit_messages = 0, limit_bytes = 0;
};
struct FlushAsk {
  std::uint32_t publication = 0;
  std::uint64_t seq = 0, receipts_seen = 0;
};
struct Settle {
  std::uint32_t subscription = 0;
  Lane lane = Lane::normal;
  std::uint64_t received_no = 0, done_no = 0, consumed_messages = 0, consumed_bytes = 0;
};
struct Verdict {
  std::uint32_t subscription = 0;
  std::uint16_t reason = 0;
  Lane lane = Lane::normal;
  std::uint64_t first_delivery = 0, count = 0;
};
enum class LeaseWord : std::uint8_t { ack = 0, nak = 1, in_progress = 2 };
inline constexpr std::uint32_t delay_by_node = 0xFFFF'FFFF;
struct LeaseAct {
  std::uint32_t subscription = 0;
  LeaseWord kind = LeaseWord::ack;
  Lane lane = Lane::normal;
  std::uint64_t first_delivery = 0;
  std::uint32_t count = 0;
  std::uint32_t delay_ms = 0;
};
struct Subscribed {
  std::uint32_t subscription = 0;
  std::uint16_t error = 0;
  std::uint32_t generation = 0, matched_publications = 0;
};
struct Advertised {
  std::uint32_t publication = 0;
  std::uint16_t error = 0;
};
struct Withdraw {
  std::uint32_t publication = 0;
};
struct Unsubscribe {
  std::uint32_t subscription = 0;
};
struct Gone {
  std::uint32_t subscription = 0, reason = 0;
};
struct Advertise {
  std::uint32_t publication = 0, publisher_id = 0, publisher_epoch = 0;
  std::string_view topic;
  std::uint64_t base_seq = 0;
  bool returns = false;
  std::uint32_t lossless_count = 0;
  Lane lane = Lane::normal;
  std::uint32_t retain = 0;
};
// Values of Subscribe::retained.
enum class Retained : std::uint8_t { none = 0, then_live = 1, last_value = 2 };
struct Subscribe {
  std::uint32_t subscription = 0;
  std::string_view pattern;
  std::uint8_t policy = 0;
  std::uint64_t bound_messages = 0, bound_bytes = 0, window_messages = 0, window_bytes = 0;
  std::uint32_t stall_ms = 0;
  bool resumes = false;
  LaneNumbers resume_received{};
  std::uint32_t latest = 0;
  bool returns = false;
  Retained retained = Retained::none;
  std::string_view group = {};  // empty: not a member of one
  std::uint8_t group_mode = 0;
  std::uint32_t ack_ms = 0, attempts_max = 0;
  std::uint64_t key = 0;
};
struct Goodbye {
  std::uint32_t reason = 0, deadline_ms = 0;
};
struct Notice {
  std::uint16_t error = 0;
  std::string_view text;
};

// What a requester tells its responder through the node. Values are on the wire.
enum class RequestActKind : std::uint8_t { cancel = 1, go_on = 2 };
struct RequestAct {
  std::uint64_t correlation = 0, agent_id = 0;
  std::uint32_t publication = 0;
  RequestActKind kind = RequestActKind::cancel;
  std::uint64_t parts = 0;
};
struct ReplyEnd {
  std::uint64_t agent_id = 0;
  std::uint32_t publisher_id = 0;
};

// Collects control items and writes them as one Control FlatBuffer. Reused for ever: it does not
// allocate once it has grown to its working size (which reserve() does ahead). One thread.
// Strings must stay valid until finish().
class ControlBuilder {
 public:
  ControlBuilder();
  ~ControlBuilder();
  ControlBuilder(const ControlBuilder&) = delete;
  ControlBuilder& operator=(const ControlBuilder&) = delete;

  void add(const Credit& item);
  void add(const Outcome& item);
  void add(const Drops& item);
  void add(const Receipt& item);
  void add(const Interest& item);
  void add(const Held& item);
  void add(const Want& item);
  void add(const FlushAsk& item);
  void add(const Settle& item);
  void add(const Verdict& item);
  void add(const LeaseAct& item);
  void add(const Subscribed& item);
  void add(const Advertised& item);
  void add(const Withdraw& item);
  void add(const Unsubscribe& item);
  void add(const Gone& item);
  void add(const Advertise& item);
  void add(const Subscribe& item);
  void add(const RequestAct& item);
  void add(const ReplyEnd& item);
  void set(const Goodbye& item);
  void set(const Notice& item);  // a text over its limit is cut

  bool is_empty() const noexcept;
  // About how many bytes finish() would give: callers split at control_bytes_max.
  std::size_t bytes_estimate() const noexcept;
  // The FlatBuffer; valid until the next call. Empties the builder.
  std::span<const std::byte> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

inline constexpr std::size_t control_bytes_max = 48 * 1024;
// What a reader takes: more than a writer gives, because the estimate is one.
inline constexpr std::size_t control_bytes_read_max = 64 * 1024;
inline constexpr std::size_t notice_bytes_max = 512;

// Receives the items of one Control in field-id order (advertises first, drops last), but verdicts
// and words about leases before settles, and drops before outcomes: they are exceptions inside what
// a settle covers, and parts of what an outcome says.
class ControlSink {
 public:
  virtual ~ControlSink() = default;
  virtual void on(const Advertise&) {}
  virtual void on(const Subscribe&) {}
  virtual void on(const Withdraw&) {}
  virtual void on(const Unsubscribe&) {}
  virtual void on(const Credit&) {}
  virtual void on(const Outcome&) {}
  virtual void on(const Drops&) {}
  virtual void on(const Receipt&) {}
  virtual void on(const Interest&) {}
  virtual void on(const Settle&) {}
  virtual void on(const Verdict&) {}
  virtual void on(const LeaseAct&) {}
  virtual void on(const Want&) {}
  virtual void on(const FlushAsk&) {}
  virtual void on(const Subscribed&) {}
  virtual void on(const Advertised&) {}
  virtual void on(const Gone&) {}
  virtual void on(const Held&) {}
  virtual void on(const Goodbye&) {}
  virtual void on(const Notice&) {}
  virtual void on(const RequestAct&) {}
  virtual void on(const ReplyEnd&) {}
};

// Verifies `bytes` (any alignment; copied when misaligned into the aligned `scratch`, which must be
// at least as long: control_bytes_read_max always is) and then hands every item to `sink`. Refuses
// with Reject::control, before the first item is handed over, what the verifier refuses, handles
// that are 0, reserved fields that are not, strings and values out of range. Strings of items are
// valid until `bytes` and `scratch` change.
Reject read_control(std::span<const std::byte> bytes, std::span<std::byte> scratch,
                    ControlSink& sink);

// --- The door: hello, welcome, refusal. Off the message route; these may allocate. ---

struct DoorHello {
  std::string name, kind;
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t agent_id = 0;
  std::vector<std::byte> token;  // 16 bytes, or empty for a new agent
  std::uint32_t session_epoch = 0;
  std::uint32_t node_epoch_seen = 0;
  std::string counters_path;
  std::string description;
};
struct DoorWelcome {
  std::uint8_t version = 0;
  std::uint64_t node_id = 0;
  std::uint32_t node_epoch = 0;
  std::uint32_t session_epoch = 0;
  std::uint64_t agent_id = 0;
  std::vector<std::byte> token;  // 16 bytes
  std::string endpoint;
  std::vector<std::byte> secret;  // 16 bytes
  std::uint32_t payload_bytes_max = 0, batch_bytes_max = 0, batch_messages_max = 0;
  std::uint32_t subscriptions_max = 0;
  std::vector<std::uint32_t> window_bytes;  // high, normal, bulk
};
struct DoorRefusal {
  std::uint16_t error = 0;
  std::string text;
};

inline constexpr std::size_t door_bytes_max = 4096;

std::vector<std::byte> write_door(const DoorHello& hello);
std::vector<std::byte> write_door(const DoorWelcome& welcome);
std::vector<std::byte> write_door(const DoorRefusal& refusal);
// The head only: magic, sizes, reserved bytes. Versions are the caller's to judge.
Reject read_door_head(std::span<const std::byte> datagram, DoorHead& head) noexcept;
Reject read_door(std::span<const std::byte> datagram, DoorHello& hello);
Reject read_door(std::span<const std::byte> datagram, DoorWelcome& welcome);
Reject read_door(std::span<const std::byte> datagram, DoorRefusal& refusal);

}  // namespace abuzz::wire
