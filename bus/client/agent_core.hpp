#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "bus/base/clock.hpp"
#include "bus/base/doorbell.hpp"
#include "bus/base/event_count.hpp"
#include "bus/base/fork_mark.hpp"
#include "bus/base/position.hpp"
#include "bus/base/random.hpp"
#include "bus/client/answer_desk.hpp"
#include "bus/client/executor.hpp"
#include "bus/client/publisher_core.hpp"
#include "bus/client/request_desk.hpp"
#include "bus/client/session.hpp"
#include "bus/client/staged.hpp"
#include "bus/client/work_pool.hpp"
#include "bus/config.hpp"
#include "bus/mem/pool.hpp"
#include "bus/queue/combiner.hpp"

namespace abuzz::client {

// What a sleep in poll(2) found.
struct Readable {
  bool link = false;
  bool door = false;
};

// One agent without its threads: the session inside its combiner, the executor, and the places
// where callers wait. A simulation calls do_work; AgentThreads does it on threads.
//
// Threads: any, but where noted. Ownership: network, pool, stats and clock outlive it.
// Invariants: the session is touched inside `combiner_` only. Whoever finds it free does the work
// of all; who does not find it free leaves a mark, and the one inside does it.
class AgentCore {
 public:
  struct Parts {
    link::Network& network;
    mem::Pool& pool;
    const Config& config;
    StatsFile& stats;
    base::Clock& clock;
    std::uint64_t seed;
    Session::Identity identity;
  };
  explicit AgentCore(Parts parts);

  // --- Stepping. ---
  // The session's work, then handlers, once. Returns the number of things done.
  // `readable` is cleared once the session knows of it; the next call may have to tell it.
  std::size_t do_work(Readable& readable);
  std::size_t do_work() {
    Readable nothing;
    return do_work(nothing);
  }
  // The session's work only; never blocks. Wakes the agent's thread when there is something to
  // handle.
  void step_now() { step_now(true); }
  // When do_work must be called again although nothing arrives; negative: no such time.
  base::Nanos next_deadline();
  // True if something arrived that no step has seen yet; asked before sleeping.
  bool has_input() { return look_for_input() != Input::none; }
  // Unknown: another thread is inside, and does what there is to do.
  enum class Input : std::uint8_t { none, some, unknown };
  Input look_for_input();
  // So long the agent's own thread sleeps at most while another one is inside. That one may have
  // been interrupted there, for this one: who spins instead keeps it from going on.
  static constexpr base::Nanos inside_span = 200 * base::microsecond;

  // --- The pool, of subscriptions that asked for concurrency or batches. ---
  // Who gives it threads; before the first of them.
  void set_worker_host(WorkerHost& host) noexcept { worker_host_ = &host; }
  // nullptr until one was opened.
  WorkPool* work_pool() const noexcept { return work_pool_told_.read(); }
  // One call of a handler, and what it brought about. By the worker of the place; false: there was
  // none.
  bool run_worker(std::size_t place);
  // What may run is given to workers; wakes the agent's thread where that has to know.
  void step_workers();
  // Waits for what was begun, at most until `deadline`; nothing more is.
  void drain_workers(base::Nanos deadline);
  // Whether the calling thread is inside a handler of this agent.
  bool is_inside_handler() const noexcept;
  // A delivery waits for a buffer.
  bool is_starved() const noexcept;

  // --- Waiting for news, in any thread, also inside a handler. ---
  using Key = base::EventCount::Key;
  Key prepare_wait() noexcept { return events_.prepare(); }
  void cancel_wait() noexcept { events_.cancel(); }
  // Returns when something changed, or some milliseconds passed; false once `deadline` is over.
  bool wait_for_news(Key key, base::Nanos deadline);

  // --- Registrations. These do not wait: the answer is the state of the publication's news or of
  // the subscription. ---
  Result<std::shared_ptr<PublisherCore>> open_publisher(std::shared_ptr<AgentCore> self,
                                                        std::string_view topic,
                                                        const PublisherOptions& options);
  Result<std::shared_ptr<SubscriptionCore>> open_subscription(std::string_view pattern,
                                                              Handlers handlers,
                                                              const SubscribeOptions& options,
                                                              const SubscriptionUse& use = {});
  // Of the library itself, on a reserved topic too.
  Result<std::shared_ptr<PublisherCore>> make_publisher(std::shared_ptr<AgentCore> self,
                                                        std::string_view topic,
                                                        const PublisherOptions& options);
  // To the agent's own reply topic. Requires: it was connected.
  Result<std::shared_ptr<SubscriptionCore>> open_reply_subscription();
  // These wait for the node's answer until `deadline`.
  Result<std::shared_ptr<PublisherCore>> add_publisher(std::shared_ptr<AgentCore> self,
                                                       std::string_view topic,
                                                       const PublisherOptions& options,
                                                       base::Nanos deadline);
  Result<std::shared_ptr<SubscriptionCore>> add_subscription(std::string_view pattern,
                                                             const Handlers& handlers,
                                                             const SubscribeOptions& options,
                                                             base::Nanos deadline,
                                                             const SubscriptionUse& use = {});
  // The last value that is retained on a topic: of a key, or of any (0). Nothing else of the topic
  // is received.
  Result<RetainedMessage> get(std::string_view topic, std::uint64_t key, base::Nanos deadline);
  void remove_subscription(SubscriptionCore& subscription);
  void release_stream(Stream& stream, StagedIntake::Producer producer);
  // Waits for a session; the refusal or `no_node` where there is none by the deadline. A node that
  // says that it has no room is asked a few times, then its refusal is the answer at once.
  Status wait_connected(base::Nanos deadline);
  // Polls a subscription without a handler.
  std::size_t poll(SubscriptionCore& subscription, const Handler& handler, std::size_t max,
                   base::Nanos patience);
  FlushReport flush(base::Nanos patience);

  // --- Requests. ---
  RequestDesk& requests() noexcept { return requests_; }
  AnswerDesk& answers() noexcept { return answers_; }
  // What the session and the desks hand each other; nullptr until one of them was opened.
  RequestMail* request_mail() const noexcept { return mail_told_.read(); }
  void open_request_mail();
  void open_answers();
  // A handler begins that may take long: the keeper looks more often for a while.
  void note_long_handler() noexcept;
  base::Nanos attentive_until() const noexcept { return attentive_until_.read(); }
  base::EventCount& keeper_events() noexcept { return keeper_events_; }

  // --- The end. ---
  void mark_closed() noexcept { closed_.publish_fenced(true); }
  bool is_closed() const noexcept { return closed_.hint() || is_forked(); }
  // Requests that are worked on here have failed, and their requesters are told.
  void end_requests();
  // In a child process the core is dead: what it names (threads, sockets, whoever was inside the
  // combiner) is the parent's, and nothing of it is touched or waited for.
  bool is_forked() const noexcept { return mark_.is_forked(); }
  // Says goodbye when all that was published is accepted; returns what was not by the deadline.
  std::uint64_t leave(base::Nanos deadline);
  void abandon();
  std::uint64_t unhandled_messages();

  mem::Pool& pool() noexcept { return parts_.pool; }
  base::Clock& clock() noexcept { return parts_.clock; }
  std::size_t batch_messages_max() const noexcept {
    return parts_.config.limits.batch_messages_max;
  }
  std::size_t batch_bytes_max() const noexcept { return parts_.config.limits.batch_bytes_max; }
  void note_pool_miss() noexcept;
  // Grows the pool where it was asked in vain, gives back what idles. Off the message route.
  // Returns how much came or went.
  std::size_t maintain_pool();
  // Whether every publisher of this agent may keep a block of that size while it is idle.
  bool has_blocks_for_all(std::size_t block_bytes) const noexcept;
  const Config& config() const noexcept { return parts_.config; }
  Executor& executor() noexcept { return executor_; }
  const Session& session() const noexcept { return session_; }
  base::Doorbell& doorbell() noexcept { return doorbell_; }
  // The door's descriptor became readable.
  void note_door();
  StatsFile& stats() noexcept { return parts_.stats; }

  // With what the error table says of the number, which may come from a newer node.
  static Failure failure_of(std::uint16_t number, const std::string& detail);

  // Runs `act(session)` inside the combiner; waits for those inside, who are brief. Not on the
  // message route. In a forked child `act` does not run.
  void inside(const std::function<void(Session&)>& act);

 private:
  // agent_core.cpp
  std::size_t step_inside(bool looks);
  void step_now(bool wakes_for_workers);
  bool take_pool_miss() noexcept;
  // agent_registrations.cpp
  template <class Open>
  auto open_in_place(Open&& open, Error limit, bool (Session::*is_departing)() const noexcept,
                     base::Nanos deadline);
  Result<SubscribeOptions> complete(std::string_view pattern,
                                    const SubscribeOptions& options) const;
  Status complete_group(std::string_view pattern, SubscribeOptions& options) const;
  // agent_workers.cpp
  bool open_desk(std::shared_ptr<SubscriptionCore> subscription);
  // agent_calls.cpp
  Failure refusal();
  // agent_requests.cpp
  bool serve_requests(bool has_news);
  std::shared_ptr<SubscriptionCore> make_subscription(std::string_view pattern, Handlers handlers,
                                                      const SubscribeOptions& full,
                                                      const SubscriptionUse& use);

  Parts parts_;
  const base::ForkMark mark_;
  base::Random random_;
  StagedIntake intake_;
  std::unique_ptr<RequestMail> mail_;  // made inside the combiner
  base::Position<RequestMail*> mail_told_{nullptr};
  Executor executor_{parts_.clock};
  std::mutex opening_pool_;  // off the message route
  std::unique_ptr<WorkPool> work_pool_;
  WorkerHost* worker_host_ = nullptr;
  Session session_;
  queue::Combiner combiner_;
  queue::Combiner maintenance_;  // of the pool: one thread at a time
  base::EventCount events_;
  base::EventCount keeper_events_;
  base::Position<base::Nanos> attentive_until_{0};
  base::Doorbell doorbell_;
  std::uint64_t news_told_ = 0;     // inside the combiner
  std::uint64_t pushed_seen_ = 0;   // inside the combiner
  std::uint64_t shared_seen_ = 0;   // inside the combiner
  base::Nanos deadline_seen_ = -1;  // inside the combiner: as the agent's thread read it
  base::Position<WorkPool*> work_pool_told_{nullptr};
  base::Position<base::Nanos> pool_deadline_seen_{-1};  // as the agent's thread read it
  base::Position<bool> closed_{false};
  base::Position<std::uint32_t> publisher_count_{0};  // written inside the combiner
  base::Position<std::uint32_t> misses_{0};
  std::uint32_t misses_taken_ = 0;
  RequestDesk requests_;
  AnswerDesk answers_;
};

}  // namespace abuzz::client
