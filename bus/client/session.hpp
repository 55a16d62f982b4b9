#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bus/base/clock.hpp"
#include "bus/base/position.hpp"
#include "bus/base/random.hpp"
#include "bus/client/executor.hpp"
#include "bus/client/request_mail.hpp"
#include "bus/client/staged.hpp"
#include "bus/client/stream.hpp"
#include "bus/client/subscription_core.hpp"
#include "bus/config.hpp"
#include "bus/delivery/lane_turn.hpp"
#include "bus/delivery/link_flow.hpp"
#include "bus/delivery/link_probe.hpp"
#include "bus/delivery/retained_intake.hpp"
#include "bus/link/network.hpp"
#include "bus/mem/budget.hpp"
#include "bus/mem/pool.hpp"
#include "bus/stats.hpp"
#include "bus/wire/control.hpp"
#include "bus/wire/frame.hpp"

namespace abuzz::client {

// An agent's session with its node, through all of its links and all of its nodes.
//
// | state    | event                    | next, action                                          |
// |----------|--------------------------|-------------------------------------------------------|
// | down     | back-off over            | greeting: call at the door, say hello                 |
// |          | nobody at the door       | down: wants_launch, back-off 10 ms doubling to 1 s    |
// | greeting | welcome                  | live: open a link, register everything                |
// |          | refusal                  | down (or refused for good: name taken, denied, ...)   |
// |          | hang-up, 2 s             | down                                                  |
// | live     | door hung up, link error | down: batches not accepted are kept and sent again    |
// |          | Goodbye from the node    | down                                                  |
// |          | another welcome          | live: another link, register everything               |
// |          | close()                  | leaving                                               |
// | leaving  | all accepted and settled | goodbye sent; then the node hangs up: closed          |
// | any      | deadline of close()      | closed                                                |
//
// Threads: everything inside the owner's combiner, but for the Positions. It is stepped: time,
// links and chance are handed in. Cost: a step with nothing to do asks the link once.
enum class SessionState : std::uint8_t { down, greeting, live, leaving, closed };

class Session final : private wire::ControlSink {
 public:
  struct Identity {
    std::string name, kind, description;
    std::uint32_t pid = 0;
    std::uint64_t start_ticks = 0;
    std::string counters_path;  // file name in the runtime directory's agents/, or empty
  };
  struct Parts {
    link::Network& network;
    mem::Pool& pool;
    const Config& config;
    StatsFile& stats;
    StagedIntake& intake;
    Executor& executor;
    base::Clock& clock;
    base::Random& random;
    Identity identity;
  };
  explicit Session(Parts parts);
  ~Session() override;

  // One bounded duty cycle; returns the number of things done.
  std::size_t step();
  // When step must be called again although nothing arrives; negative: no such time.
  base::Nanos next_deadline() const noexcept;
  // The door has something to say (asked of the descriptor by the thread that polls).
  void note_door() noexcept { check_door_ = true; }
  // The link's descriptor became readable. Until then, or until has_input says so, a step does not
  // ask the link: each question is a system call.
  void note_link() noexcept { may_have_input_ = true; }
  // The link has something, or something was handed over: step again before sleeping.
  bool has_input() noexcept;
  // Something is staged that credit of the link holds back.
  bool awaits_credit() const noexcept {
    return std::any_of(knock_levels_.begin(), knock_levels_.end(),
                       [](std::uint32_t level) { return level != 0; });
  }
  // The same without asking the link.
  bool has_noted_input() const noexcept { return link_ && may_have_input_; }

  // --- Registrations. ---
  Stream& add_stream(std::string topic, const PublisherOptions& options);
  void close_stream(Stream& stream, StagedIntake::Producer producer);
  void add_subscription(std::shared_ptr<SubscriptionCore> subscription);
  void remove_subscription(SubscriptionCore& subscription);
  // A word about messages leased to it. False when their lease is over: the node that gave it is
  // gone, or the subscription is.
  bool add_lease_act(SubscriptionCore& subscription, std::uint32_t generation,
                     const wire::LeaseAct& act);
  // From now on it hands over what concerns requests, and sends what stands there.
  void set_request_mail(RequestMail* mail) noexcept { request_mail_ = mail; }
  // Nothing more is published; say goodbye when all is accepted. Who waits for it gives up at
  // `until`.
  void leave(base::Nanos until) noexcept;
  // The node is asked to tell what became of all up to `seq`, once that is sent.
  void ask_outcomes(Stream& stream, std::uint64_t seq);
  // What became of a message, staged, sealed or sent; see Publisher::receipt and retry.
  Receipt receipt(Stream& stream, std::uint64_t seq);
  Receipt retry_receipt(Stream& stream, std::uint64_t seq);
  // Gives the link and the door up, at once.
  void abandon();

  std::uint64_t unaccepted_messages() const noexcept;
  // Received for subscriptions that are still there, neither handled nor polled.
  std::uint64_t unhandled_messages() const noexcept;
  // Deliveries for subscriptions whose handlers run on a pool, in all.
  std::uint64_t shared_pushed() const noexcept { return shared_pushed_; }
  template <class Visit>
  void for_each_stream(Visit&& visit) {
    for (auto& stream : streams_)
      if (stream) visit(*stream);
  }
  std::size_t stream_count() const noexcept { return stream_count_; }
  std::size_t subscription_count() const noexcept { return subscription_count_; }
  // Whether a place will be free soon: its holder is gone, and the node has yet to hear or say so.
  bool has_departing_stream() const noexcept;
  bool has_departing_subscription() const noexcept;

  // --- Read by any thread. ---
  base::Position<SessionState> state{SessionState::down};
  base::Position<std::uint32_t> node_epoch{0};
  base::Position<std::uint64_t> agent_id{0};
  base::Position<std::uint16_t> refusal{0};  // the last refusal's number
  // Refusals for want of room, in a row: a place may become free, but who waits should hear why.
  base::Position<std::uint32_t> refusals_full{0};
  base::Position<bool> wants_launch{false};  // nobody is at the door
  base::Position<int> door_descriptor{-1}, link_descriptor{-1};
  base::Position<std::uint64_t> news{0};  // rises when something that callers wait for changed
  base::Position<std::uint32_t> links_opened{0};
  const std::string& name() const noexcept { return parts_.identity.name; }
  const std::string& refusal_text() const noexcept { return refusal_text_; }

 private:
  // session_handshake.cpp
  void try_call(base::Nanos now);
  void poll_door(base::Nanos now);
  void on_datagram(base::Nanos now);
  void on_welcome(const wire::DoorWelcome& welcome, base::Nanos now);
  void on_refusal(const wire::DoorRefusal& refusal, base::Nanos now);
  void move_link(const wire::DoorWelcome& welcome, base::Nanos now);
  void note_refusal(std::uint16_t error, std::string_view text);
  void lose_link(base::Nanos now);  // the link only: the session may be resumed
  void lose_node(base::Nanos now);  // the door too
  void begin_epoch(bool same_node);
  void set_state(SessionState next) noexcept;

  // session_input.cpp
  std::size_t receive(base::Nanos now);
  bool is_in_turn(const wire::FrameHead& head);
  bool take_frame();
  bool take_delivery(const wire::FrameView& view, const wire::Record& record);
  void begin_outcomes(Stream& stream, std::uint64_t accepted_seq);
  void tell_outcomes(Stream& stream, const wire::Outcome& item);
  void take_positions(Stream& stream, const wire::Credit& item);
  void keep(SealedBatch& batch);
  void on(const wire::Credit& item) override;
  void on(const wire::Outcome& item) override;
  void on(const wire::Drops& item) override;
  void on(const wire::Interest& item) override;
  void on(const wire::Subscribed& item) override;
  void on(const wire::Advertised& item) override;
  void on(const wire::Gone& item) override;
  void on(const wire::Held& item) override;
  void on(const wire::Goodbye& item) override;
  void on(const wire::RequestAct& item) override;
  void on(const wire::ReplyEnd& item) override;
  void end_subscription(SubscriptionCore& subscription, SubscriptionState state);
  // session_receipts.cpp
  void on(const wire::Receipt& item) override;
  void note_asked(Stream& stream, std::uint64_t first_seq, std::uint32_t count, bool is_expired);
  void note_expired(Stream& stream, std::uint64_t first_seq, std::uint32_t count);
  void lose_receipts(Stream& stream);
  void begin_receipts(Stream& stream, std::uint64_t accepted_seq);

  Stream* find_stream(std::uint32_t handle) noexcept;
  SubscriptionCore* find_subscription(std::uint32_t handle) noexcept;
  void changed() noexcept { news.publish(news.hint() + 1); }

  // session_retained.cpp
  void begin_retaining(Stream& stream);
  void retain(Stream& stream, const SealedBatch& batch);
  void restore(Stream& stream);
  void add_restored(Stream& stream, const delivery::RetainedPiece& piece);
  void forget_retained(Stream& stream);

  // session_seal.cpp
  void take_staged();
  void list(Stream& stream);
  void unlist(Stream& stream) noexcept;
  bool seal_head(Stream& stream, bool is_held);
  bool void_head(Stream& stream);
  void note_sealed(Stream& stream, std::uint64_t bytes) noexcept;
  bool is_over(base::Nanos expires_at) const noexcept;
  void expire(Stream& stream, SealedBatch& batch);
  wire::Envelope envelope_of(const Stream& stream, const Segment& segment);
  bool has_credit(Stream& stream, std::uint32_t count, std::uint64_t charge);
  void hold(Stream& stream, std::uint64_t last_seq, std::uint64_t charge);

  // session_output.cpp
  std::size_t send(base::Nanos now);
  void update_knocks(bool is_raising);
  std::uint32_t eager_bytes(Lane lane) const noexcept;
  std::uint32_t knock_level(Lane lane) const noexcept;
  void set_knock_level(std::size_t lane, std::uint32_t level) noexcept;
  // What became of an attempt to send one batch.
  enum class Sent : std::uint8_t { one, none, link_full };
  bool send_batches();
  Sent send_unit(std::size_t lane, std::uint64_t& bytes);
  Sent send_head(Stream& stream, std::uint64_t& bytes);
  Sent send_restored(Stream& stream, std::uint64_t& sent_bytes);
  Sent send_sealed(Stream& stream, SealedBatch& batch);
  bool send_in_place(Stream& stream, SealedBatch& batch);
  bool send_copy(Stream& stream, SealedBatch& batch);
  bool count_again(Stream& stream, SealedBatch& batch);
  void add_inline(Stream& stream, SealedBatch& batch);
  wire::Record record_of(const Stream& stream, const SealedBatch& batch) const noexcept;
  void add_control();
  bool flush_frame();
  bool send_frame(mem::Buffer&& part);
  wire::FrameHead stamped_head(bool has_news);

  // session_control.cpp
  void collect_control(base::Nanos now);
  void collect_registrations();
  static std::uint64_t window_of(const SubscribeOptions& options) noexcept;
  wire::Subscribe subscribe_of(const SubscriptionCore& subscription) const;
  void collect_goodbye(base::Nanos now);
  void list_question(Stream& stream);
  void collect_questions(base::Nanos now);
  void add_question(Stream& stream, bool is_due);

  // session_settles.cpp
  bool collect_verdicts();
  void collect_settles(base::Nanos now);
  void list_words(SubscriptionCore& subscription);
  bool collect_lease_words();
  bool is_settle_due(const SubscriptionCore& subscription, const wire::Settle& news,
                     const wire::Settle& told) const noexcept;
  bool is_all_settled() const noexcept;
  wire::Settle settle_of(const SubscriptionCore& subscription, std::size_t lane) const noexcept;
  bool has_mute_reply() const noexcept;
  bool tell_settles(SubscriptionCore& subscription);
  void collect_departed();

  Parts parts_;
  std::unique_ptr<link::DoorCall> door_;
  // Of a session whose link was lost: its hang-up would say that the agent is gone.
  std::unique_ptr<link::DoorCall> previous_door_;
  std::unique_ptr<link::Link> link_;
  std::optional<delivery::LinkFlow> flow_;
  delivery::LinkProbe probe_;
  std::vector<std::byte> datagram_;
  std::vector<std::byte> token_;
  std::string refusal_text_;
  std::uint64_t node_id_ = 0;
  std::uint32_t session_epoch_ = 0;
  base::Nanos retry_at_ = 0, greeting_until_ = 0, back_off_ = 0;
  base::Nanos now_ = 0;  // of the present step
  bool check_door_ = true;
  bool node_leaves_ = false;    // it said goodbye
  bool may_have_input_ = true;  // the link was not found empty since it was last noted

  std::vector<std::unique_ptr<Stream>> streams_;  // by handle - 1
  // By lane: streams with something staged or unsent; those of a lane are served in turn.
  struct Active {
    std::vector<Stream*> streams;
    std::size_t next = 0;
    std::uint64_t turn_bytes = 0;  // sent of the one whose turn it is
    bool is_held = false;          // small batches wait for an acknowledgement, in this step
  };
  std::array<Active, wire::data_lanes> active_;
  delivery::LaneTurn turn_;
  std::vector<std::shared_ptr<SubscriptionCore>>
      subscriptions_;  // by handle - 1; shared with owners
  // Those with something to tell, so that a step need not look at all there are.
  std::vector<SubscriptionCore*> unsettled_;
  std::vector<SubscriptionCore*> wordy_;  // about leases
  std::vector<Stream*> asking_;           // for outcomes, or of receipts that came
  // Of what the publishers here wished to be retained, by publisher; for the next node.
  delivery::RetainedStore retained_{nullptr, mem::agent_budget_bytes / 8};
  delivery::RetainedIntake retained_intake_;
  struct Departed {
    std::shared_ptr<SubscriptionCore> subscription;  // until no delivery names it any more
    LaneQueues::Counts pushed;
  };
  std::vector<Departed> departed_;
  std::uint64_t shared_pushed_ = 0;
  std::uint64_t last_subscription_serial_ = 0;
  // Shared with subscriptions whose consumer is a thread of its own: they may live longer.
  const std::shared_ptr<VerdictIntake> verdicts_ =
      std::make_shared<VerdictIntake>(1 + std::size_t{2} * parts_.config.agent.subscriptions_max);
  VerdictIntake::Producer executor_verdicts_{verdicts_->producer()};
  RequestMail* request_mail_ = nullptr;
  // What was refused lately, oldest first, of the present node: what was told may have been lost
  // with the link, and is told again on the next one.
  delivery::Ring<Refusal> refusals_;
  std::size_t refusals_untold_ = 0;  // of them, at the end
  std::size_t stream_count_ = 0, subscription_count_ = 0;
  std::uint32_t next_publisher_id_ = 1;
  bool registrations_changed_ = false;
  bool settle_now_ = false;
  bool is_leaving_ = false, told_leaving_ = false, said_goodbye_ = false;
  base::Nanos leave_until_ = 0;
  base::Nanos last_word_at_ = 0;  // goodbye is said then, whatever is not accepted yet
  base::Nanos settle_at_ = 0;     // 0: nothing waits
  std::array<std::uint32_t, wire::data_lanes> knock_levels_{};
  std::array<base::Position<std::uint32_t>, wire::data_lanes> knock_bytes_;  // see StreamNews

  // The frame under construction.
  std::array<wire::Record, 256> records_;
  std::array<std::span<const std::byte>, 256> slices_;
  wire::FrameBuilder builder_{{records_, {}, slices_}};
  wire::ControlBuilder control_;
  delivery::LinkFlow::Load load_;
  link::Frame incoming_, unsent_;
  mem::Buffer reserve_;  // for a frame's head when the pool has none
  std::vector<std::byte> control_scratch_;
};

}  // namespace abuzz::client
