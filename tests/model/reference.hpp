#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bus/base/units.hpp"
#include "bus/options.hpp"

namespace abuzz::testing {

// What delivery promises, written down as plainly as it can be: order, confirmed subscriptions,
// policies, time to live. It is told what was published, subscribed and broken, and judges each
// message that a handler gets, and at rest those that none got. It knows no queue, no credit and no
// link: only what may be missing, and why.
//
// One thread. Complaints are kept, not thrown: the first one is the finding.
class Reference {
 public:
  struct Message {
    std::uint32_t bytes = 0;
    std::uint64_t key = 0;
    base::Nanos expires_at = 0;  // 0: never
    bool is_handled = false;     // by some subscription
  };
  struct Sink;
  struct Source;
  // A source and a sink that matches it.
  struct Flow {
    Source* source = nullptr;
    Sink* sink = nullptr;
    std::uint64_t last = 0;     // handled
    std::uint64_t settled = 0;  // handled, or known at rest to be missing rightly
    std::uint64_t counted = 0;  // no longer in the backlog of the sink
    std::uint64_t owed_from = never;
    std::uint64_t handled = 0;
  };
  // A publisher's stream.
  struct Source {
    std::uint64_t number = 0;  // of its own
    std::string topic;
    std::uint64_t count = 0;           // published
    std::deque<Message> messages;      // the last ones, from `first` on
    std::uint64_t first = 1;           // sequence
    std::uint64_t handled = 0;         // messages that some subscription handled
    bool is_torn = false;              // its process was killed: its last messages may be missing
    bool is_closed = false;            // nothing more comes
    std::vector<Flow*> flows;          // of sinks that have not ended
    std::uint64_t unmatched_from = 1;  // no subscription matched from here on, at any time

    const Message& at(std::uint64_t sequence) const { return messages[sequence - first]; }
    Message& at(std::uint64_t sequence) { return messages[sequence - first]; }
  };
  // A subscription.
  struct Sink {
    std::string pattern;
    SubscribeOptions options;
    bool is_confirmed = false;
    bool is_returning = false;  // the present node does not know it yet
    bool is_ended = false;      // nothing may be handled any more
    bool is_dying = false;      // its process was killed: what it handles now nobody may learn
    bool is_excused = false;    // until the next rest: it was away too long to be owed everything
    std::vector<std::unique_ptr<Flow>> flows;
    // Of what was published to it, what is not known to be settled. The real queue holds no more.
    std::uint64_t waiting_messages = 0, waiting_bytes = 0;
    std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> waiting_by_key;
    bool may_drop = false;        // the bound may have been reached since nothing waited
    base::Nanos progress_at = 0;  // it handled something, or nothing waited
    // The last time that it made no progress for as long as its limit ended then.
    base::Nanos stood_until = 0;
    std::uint64_t handled = 0, gaps = 0;
  };

  static constexpr std::uint64_t never = ~std::uint64_t{0};
  // How much later than its time a message may be handled: each hop rounds up to milliseconds, and
  // the way between two processes is not measured.
  base::Nanos lateness_max = 5 * base::millisecond;

  // --- What happens. ---
  Source& add_source(const std::string& topic, bool is_matched_anyway = false);
  Sink& add_sink(const std::string& pattern, const SubscribeOptions& options, base::Nanos now);
  void publish(Source& source, const Message& message, base::Nanos now);
  void confirm(Sink& sink);
  // Its owner ended it, or died: nothing more is owed.
  void end(Sink& sink);
  // The node ended it, because it stood still. `slack`: how much later it heard of that, and the
  // node of what it did.
  void stall_out(Sink& sink, base::Nanos now, base::Nanos slack);
  // The node was killed: only lossless pairs go on without loss.
  void lose_node();
  // It is registered at the present node. To publishers that are newer than that node, a
  // subscription that has not returned is as one that is not confirmed.
  void return_to_node(Sink& sink);
  // --- What is seen. ---
  struct Sight {
    std::uint64_t sequence = 0;
    std::string_view topic;
    std::uint64_t key = 0;
    bool is_payload_right = false;
    std::uint64_t bytes = 0;
  };
  void handle(Sink& sink, Source* source, const Sight& sight, base::Nanos now);
  // Nothing is under way any more: what is missing now will not come.
  void rest(base::Nanos now);

  bool has_failed() const { return !complaints_.empty(); }
  const std::vector<std::string>& complaints() const { return complaints_; }
  void complain(std::string what) {
    if (complaints_.size() < 20) complaints_.push_back(std::move(what));
  }
  std::vector<std::unique_ptr<Source>>& sources() { return sources_; }
  std::vector<std::unique_ptr<Sink>>& sinks() { return sinks_; }
  std::uint64_t handled() const { return handled_; }
  std::uint64_t missed() const { return missed_; }
  std::uint64_t expired() const { return expired_; }

  // Token by token: `*` is any one, a last `>` one or more.
  static bool matches(std::string_view pattern, std::string_view topic);

 private:
  Flow& join(Source& source, Sink& sink);
  void count(Flow& flow, std::uint64_t sequence);
  void note_progress(Sink& sink, base::Nanos now, base::Nanos slack);
  void uncount(Flow& flow, std::uint64_t sequence);
  void miss(Flow& flow, std::uint64_t from, std::uint64_t to, base::Nanos now);
  static std::uint64_t bytes_of(const Message& message) { return message.bytes + 800; }
  static std::string name(const Flow& flow, std::uint64_t sequence) {
    return "message " + std::to_string(sequence) + " of " + flow.source->topic + " to " +
           flow.sink->pattern;
  }

  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::unique_ptr<Sink>> sinks_, ended_;
  std::vector<std::string> complaints_;
  std::uint64_t last_number_ = 0;
  std::uint64_t handled_ = 0, missed_ = 0, expired_ = 0;
};

}  // namespace abuzz::testing
