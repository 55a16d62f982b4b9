#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "bench/arrivals.hpp"
#include "bench/heritage.hpp"
#include "bench/pacer.hpp"
#include "bench/payload.hpp"
#include "bench/peers/abuzz_parts.hpp"
#include "bench/roles.hpp"
#include "bench/sequence_check.hpp"
#include "bench/share_check.hpp"
#include "bench/time.hpp"

// One process with many logical agents. Each has an inbox (a topic and a subscription of its own),
// a publisher to its target, and is a member of the group that works on tasks. All share the link
// and the executor of one connection.

namespace abuzz::bench {
namespace {

std::string inbox_of(unsigned agent) {
  return "heritage.inbox." + std::to_string(agent);
}

// What the handlers of this process, which run one at a time, have seen.
class Inboxes {
 public:
  Inboxes(const HeritageLoad& load, const HeritagePart& part, std::size_t bytes)
      : load_(load), part_(part), bytes_(bytes), checks_(part.agents) {}

  void take_message(unsigned agent, std::span<const std::byte> payload) {
    const PayloadFacts facts = check_payload(payload, bytes_);
    if (!facts.is_intact || facts.source != heritage_sender(load_, agent)) {
      ++corrupt_;
      return;
    }
    checks_[agent - part_.first_agent].take(facts.sequence);
    arrivals_.take(facts);
  }
  void take_task(std::span<const std::byte> payload) {
    const PayloadFacts facts = check_payload(payload, bytes_);
    if (!facts.is_intact || facts.source >= heritage_processes) {
      ++corrupt_;
      return;
    }
    // Many agents of this process share them, so they come in the order of none.
    tasks_.take_any(facts.source, facts.sequence);
    arrivals_.take(facts);
  }
  RoleReport finish() {
    RoleReport report;
    for (unsigned agent = 0; agent < part_.agents; ++agent) {
      SequenceCheck& check = checks_[agent];
      const unsigned sender = heritage_sender(load_, part_.first_agent + agent);
      check.finish(heritage_messages_of(load_, sender));
      report.received += check.received();
      report.lost += check.lost();
      report.reordered += check.reordered();
      report.doubled += check.doubled();
    }
    tasks_.report(report);
    arrivals_.report(report);
    report.corrupt = corrupt_;
    return report;
  }

 private:
  const HeritageLoad& load_;
  const HeritagePart part_;
  const std::size_t bytes_;
  std::vector<SequenceCheck> checks_;
  ShareCheck tasks_{heritage_processes};
  Arrivals arrivals_{true};
  std::uint64_t corrupt_ = 0;
};

class Crowd {
 public:
  Crowd(const RoleOptions& options, const HeritageLoad& load)
      : options_(options),
        load_(load),
        part_(heritage_part(load, options.source)),
        inboxes_(load, part_, options.bytes) {}

  Status open() {
    auto agent = abuzz_agent(options_);
    if (!agent) return agent.failure();
    agent_.emplace(std::move(agent).value());
    for (unsigned index = 0; index < part_.agents; ++index) {
      const Status joined = join(part_.first_agent + index);
      if (!joined) return joined;
    }
    return add_publisher("heritage.tasks", options_.source);
  }
  // Messages and tasks in turn, at the rate of this process.
  bool send(RoleReport& report) {
    const std::uint64_t total = part_.messages + part_.tasks;
    const double step_ns = 1e9 / options_.rate;
    const Pacer pacer(step_ns, options_.may_spin);
    const std::int64_t start_ns = now_ns() + millisecond_ns;
    std::uint64_t tasks = 0;
    for (; report.sent < total; ++report.sent) {
      const auto offset = static_cast<std::int64_t>(static_cast<double>(report.sent) * step_ns);
      pacer.sleep_until(start_ns + offset);
      const bool is_task = (report.sent + 1) * part_.tasks / total > tasks;
      const std::uint64_t message = report.sent - tasks;
      if (is_task) ++tasks;
      Source& source = is_task ? sources_.back() : sources_[message % part_.agents];
      if (!publish(source, start_ns + offset, report)) return false;
    }
    report.sending_ns = static_cast<std::uint64_t>(now_ns() - start_ns);
    return true;
  }
  FlushReport flush() { return agent_->flush(abuzz_patience); }
  // Nothing is handled any more.
  RoleReport finish() {
    subscriptions_.clear();
    RoleReport report = inboxes_.finish();
    report.link = agent_->link();
    return report;
  }

 private:
  struct Source {
    Publisher publisher;
    PayloadWriter writer;
    std::uint64_t sent = 0;
  };

  Status join(unsigned agent) {
    const auto inbox = [this, agent](const MessageView& message) {
      inboxes_.take_message(agent, message.payload());
    };
    const auto work = [this](const MessageView& message) {
      inboxes_.take_task(message.payload());
      (void)message.ack();
    };
    SubscribeOptions member;
    member.group = "agents";
    member.ack = AckMode::manual;
    const Status first = subscribe(inbox_of(agent), inbox, {});
    if (!first) return first;
    const Status second = subscribe("heritage.tasks", work, member);
    if (!second) return second;
    return add_publisher(inbox_of(heritage_target(load_, agent)), agent);
  }
  Status subscribe(const std::string& pattern, const Handler& handler,
                   const SubscribeOptions& options) {
    auto made = agent_->subscribe(pattern, handler, options);
    if (!made) return made.failure();
    subscriptions_.push_back(std::move(made).value());
    return Done{};
  }
  Status add_publisher(const std::string& topic, unsigned source) {
    auto made = agent_->publisher(topic);
    if (!made) return made.failure();
    sources_.push_back({std::move(made).value(), PayloadWriter(options_.bytes, source)});
    return Done{};
  }
  bool publish(Source& source, std::int64_t intended_ns, RoleReport& report) {
    const auto payload = source.writer.fill(++source.sent, false, intended_ns);
    SendStatus status = source.publisher.try_publish(payload);
    if (status == SendStatus::back_pressured) {
      ++report.back_pressured;
      status = source.publisher.publish(payload, abuzz_patience);
    }
    return status == SendStatus::queued;
  }

  const RoleOptions options_;
  const HeritageLoad& load_;
  const HeritagePart part_;
  Inboxes inboxes_;
  std::optional<Agent> agent_;
  std::deque<Source> sources_;  // of the agents, and last the one of tasks
  std::deque<Subscription> subscriptions_;
};

}  // namespace

bool run_abuzz_crowd(const RoleOptions& options, RoleChannel& channel) {
  const HeritageLoad* load = find_heritage_load(options.load);
  if (load == nullptr) return false;
  Crowd crowd(options, *load);
  if (const Status opened = crowd.open(); !opened) {
    channel.failed(opened.failure().message());
    return false;
  }
  channel.ready();
  if (!channel.await("go")) return false;
  RoleReport sent;
  if (!crowd.send(sent)) {
    channel.failed("a message was not taken for 10 s");
    return false;
  }
  const FlushReport flushed = crowd.flush();
  channel.sent(sent.sent);
  if (!channel.await("stop")) return false;
  RoleReport report = crowd.finish();
  report.sending_ns = sent.sending_ns;
  report.back_pressured = sent.back_pressured;
  if (flushed.delivered != sent.sent)
    report.text = "flush: " + std::to_string(flushed.delivered) + " of " +
                  std::to_string(sent.sent) + " delivered";
  channel.done(report);
  return true;
}

}  // namespace abuzz::bench
