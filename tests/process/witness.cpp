#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bus/agent.hpp"
#include "tests/process/oracle_file.hpp"

// An agent that writes down what it did in a file of its own, for tests that must not believe what
// the bus counts. The payload of each message begins with its id: the writer's number (16 bits),
// its stream (8 bits), its number in the stream from 1 (40 bits); then when it was to be sent.
//
//   witness pub NAME FILE WRITER BYTES TOPIC[/LANE]@RATE[+EVERY]...   a stream for each; RATE a
//        second, or as fast as it goes: max. FILE: id and intended time of each message that was,
//        or is about to be, published. One in EVERY asks for a receipt. FILE.receipts: id of each
//        receipt that came, and its word: when << 8 | subscriptions that handled it << 3 | outcome.
//        One that was unknown stands there, and again once it was asked for anew.
//   witness sub NAME FILE PATTERN POLICY QUEUE MICROSECONDS   that long for each message, on
//        average. FILE: id and time since the intended one, of each message handed to its handler.
//        POLICY: lossless[:STALL_MS], latest:N, drop_old, drop_new, or group:NAME, whose members
//        acknowledge each message at the end of its time. Of those FILE has the attempt in place of
//        the time, and FILE.acked the same of each that it acknowledged.
//
// Both say `ready` on stdout. On stdin a publisher takes `rate STREAM RATE`; a subscriber `pause
// MICROSECONDS`. At its end a publisher flushes; then both say in a line of JSON what the library
// reports to them, and end when stdin does once more, or with a signal.

namespace {

using namespace std::chrono_literals;
using abuzz::testing::OracleFile;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t as_fast_as_it_goes = -1;

struct Payload {
  std::uint64_t id;
  std::int64_t intended_ns;
};

std::int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * second_ns + time.tv_nsec;
}

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

std::int64_t rate_of(const std::string& text) {
  return text == "max" ? as_fast_as_it_goes : std::atoll(text.c_str());
}

abuzz::Lane lane_of(std::string_view name) {
  if (name == "high") return abuzz::Lane::high;
  return name == "bulk" ? abuzz::Lane::bulk : abuzz::Lane::normal;
}

// --- Publishing ---

struct Asked {
  std::uint64_t sequence, id;
  bool was_unknown = false;
};

struct Stream {
  abuzz::Publisher publisher;
  std::atomic<std::int64_t> rate;
  std::uint64_t receipt_every;   // 0: none
  std::deque<Asked> asked = {};  // receipts that are to come
  std::int64_t rate_seen = 0;
  std::int64_t began = 0;       // of its schedule
  std::int64_t sent_since = 0;  // messages
  std::uint64_t number = 0;     // of the last message
  bool is_held = false;         // the last attempt was refused
};

class Source {
 public:
  Source(const char* path, std::uint64_t writer, std::size_t bytes)
      : oracle_(path),
        receipts_((std::string(path) + ".receipts").c_str()),
        writer_(writer),
        payload_(std::max(bytes, sizeof(Payload))) {
    for (std::size_t index = 0; index < payload_.size(); ++index)
      payload_[index] = static_cast<std::byte>(index * 7);
  }
  // TOPIC[/LANE]@RATE[+EVERY]
  void add(abuzz::Agent& agent, const std::string& text) {
    const std::size_t at = text.find('@');
    std::string topic = text.substr(0, at);
    const std::size_t slash = topic.find('/');
    const abuzz::Lane lane =
        slash == std::string::npos ? abuzz::Lane::normal : lane_of(topic.substr(slash + 1));
    topic = topic.substr(0, slash);
    const std::size_t plus = text.find('+', at);
    const std::uint64_t every =
        plus == std::string::npos ? 0 : std::strtoull(text.c_str() + plus + 1, nullptr, 10);
    streams_.push_back(
        std::unique_ptr<Stream>(new Stream{agent.publisher(topic, {.lane = lane}).value(),
                                           {rate_of(text.substr(at + 1, plus - at - 1))},
                                           every}));
  }
  void set_rate(std::size_t stream, std::int64_t rate) {
    if (stream < streams_.size()) streams_[stream]->rate.store(rate, std::memory_order_relaxed);
  }
  // Publishes what is due on each stream; rests when nothing is, or nothing goes.
  void step() {
    bool has_moved = false;
    std::int64_t next = now_ns() + second_ns / 1000;
    for (std::size_t index = 0; index < streams_.size(); ++index)
      has_moved = serve(index, next) || has_moved;
    for (const auto& stream : streams_) take_receipts(*stream);
    if (has_moved) return;
    const std::int64_t rest = std::max<std::int64_t>(next - now_ns(), 20'000);
    std::this_thread::sleep_for(std::chrono::nanoseconds(rest));
  }
  std::string report() {
    abuzz::FlushReport sum;
    for (const auto& stream : streams_) {
      const abuzz::FlushReport one = stream->publisher.flush(10s);
      for (int round = 0; round < 1000 && !stream->asked.empty(); ++round) {
        take_receipts(*stream);
        std::this_thread::sleep_for(10ms);
      }
      sum.delivered += one.delivered;
      sum.no_subscriber += one.no_subscriber;
      sum.dropped += one.dropped;
      sum.pending += one.pending;
      sum.unknown += one.unknown;
    }
    return "{\"delivered\":" + std::to_string(sum.delivered) +
           ",\"no_subscriber\":" + std::to_string(sum.no_subscriber) +
           ",\"dropped\":" + std::to_string(sum.dropped) +
           ",\"pending\":" + std::to_string(sum.pending) +
           ",\"unknown\":" + std::to_string(sum.unknown) + "}";
  }

 private:
  static constexpr int burst = 64;

  // False when nothing was published; `next`: when there may be something, at the latest.
  bool serve(std::size_t index, std::int64_t& next) {
    Stream& stream = *streams_[index];
    const std::int64_t rate = stream.rate.load(std::memory_order_relaxed);
    if (rate != stream.rate_seen) {
      stream.rate_seen = rate;
      stream.began = now_ns();
      stream.sent_since = 0;
    }
    if (rate == 0) return false;
    for (int count = 0; count < burst; ++count) {
      std::int64_t intended = now_ns();
      if (rate > 0) {
        const std::int64_t due = stream.began + stream.sent_since * second_ns / rate;
        if (due > intended) {
          next = std::min(next, due);
          return count > 0;
        }
        intended = due;
      }
      if (!publish(index, stream, intended)) return count > 0;
    }
    return true;
  }
  bool publish(std::size_t index, Stream& stream, std::int64_t intended) {
    const std::uint64_t id = writer_ << 48 | std::uint64_t{index} << 40 | (stream.number + 1);
    const Payload head{id, intended};
    std::memcpy(payload_.data(), &head, sizeof head);
    // Before it is: whatever is handled anywhere stands here.
    oracle_.append({id, static_cast<std::uint64_t>(intended)});
    abuzz::MessageOptions options;
    options.receipt = stream.receipt_every > 0 && stream.number % stream.receipt_every == 0;
    if (stream.publisher.try_publish(payload_, options) != abuzz::SendStatus::queued) {
      oracle_.take_back();
      return false;
    }
    if (options.receipt) stream.asked.push_back({stream.publisher.last_sequence(), id});
    ++stream.number;
    ++stream.sent_since;
    return true;
  }

  // In the order in which they were asked for; what stands in front is waited for.
  void take_receipts(Stream& stream) {
    while (!stream.asked.empty()) {
      Asked& asked = stream.asked.front();
      abuzz::Receipt receipt = stream.publisher.receipt(asked.sequence);
      if (receipt.outcome == abuzz::ReceiptOutcome::pending) return;
      note(asked, receipt);
      if (receipt.outcome == abuzz::ReceiptOutcome::unknown && !asked.was_unknown) {
        asked.was_unknown = true;
        receipt = stream.publisher.retry(asked.sequence);
        if (receipt.outcome == abuzz::ReceiptOutcome::pending) return;
        note(asked, receipt);
      }
      stream.asked.pop_front();
    }
  }
  void note(const Asked& asked, const abuzz::Receipt& receipt) {
    receipts_.append({asked.id, static_cast<std::uint64_t>(now_ns()) << 8 |
                                    (receipt.delivered_count & 31u) << 3 |
                                    static_cast<std::uint64_t>(receipt.outcome)});
  }

  OracleFile oracle_, receipts_;
  const std::uint64_t writer_;
  std::vector<std::byte> payload_;
  std::vector<std::unique_ptr<Stream>> streams_;
};

int run_publisher(int argc, char** argv) {
  abuzz::Agent agent = abuzz::Agent::connect({.name = argv[2], .kind = "witness"}).value();
  Source source(argv[3], std::strtoull(argv[4], nullptr, 10), std::strtoull(argv[5], nullptr, 10));
  for (int index = 6; index < argc; ++index) source.add(agent, argv[index]);
  std::atomic<bool> ends{false};
  std::thread listener([&] {
    std::string word, rate;
    std::size_t stream = 0;
    while (std::cin >> word >> stream >> rate) {
      if (word == "end") break;
      source.set_rate(stream, rate_of(rate));
    }
    ends.store(true, std::memory_order_relaxed);
  });
  say("ready");
  while (!ends.load(std::memory_order_relaxed)) source.step();
  listener.join();
  say(source.report());
  while (std::getchar() != EOF) continue;
  return 0;
}

// --- Subscribing ---

class Inbox {
 public:
  Inbox(const char* path, std::int64_t pause_us)
      : oracle_(path), acked_((std::string(path) + ".acked").c_str()), pause_ns_(pause_us * 1000) {}
  void handle(const abuzz::MessageView& message) {
    Payload head{};
    if (message.payload().size() < sizeof head) return;
    std::memcpy(&head, message.payload().data(), sizeof head);
    const std::uint32_t attempt = message.attempt();
    const auto late_ns = static_cast<std::uint64_t>(now_ns() - head.intended_ns);
    oracle_.append({head.id, attempt > 0 ? attempt : late_ns});
    // The number in the payload is also the bus's own.
    if ((head.id & ((std::uint64_t{1} << 40) - 1)) != message.sequence()) ++strange_;
    rest();
    if (attempt == 0) return;
    // Before it is: whatever counts as delivered stands here.
    acked_.append({head.id, attempt});
    if (message.ack() != abuzz::LeaseStatus::told) acked_.take_back();
  }
  void set_pause(std::int64_t microseconds) {
    pause_ns_.store(microseconds * 1000, std::memory_order_relaxed);
  }
  std::uint64_t strange() const { return strange_; }

 private:
  // Sleeps are long, so that they are as long as they should be.
  static constexpr std::int64_t sleep_min_ns = 2'000'000;

  void rest() {
    owed_ns_ += pause_ns_.load(std::memory_order_relaxed);
    if (owed_ns_ < sleep_min_ns) return;
    const std::int64_t began = now_ns();
    std::this_thread::sleep_for(std::chrono::nanoseconds(owed_ns_));
    owed_ns_ -= now_ns() - began;
  }

  OracleFile oracle_, acked_;
  std::atomic<std::int64_t> pause_ns_;
  std::int64_t owed_ns_ = 0;
  std::uint64_t strange_ = 0;
};

abuzz::SubscribeOptions options_of(const std::string& policy, const char* queue) {
  abuzz::SubscribeOptions options;
  options.queue_messages = static_cast<std::uint32_t>(std::strtoul(queue, nullptr, 10));
  const std::size_t colon = policy.find(':');
  const std::string name = policy.substr(0, colon);
  const long number = colon == std::string::npos ? 0 : std::atol(policy.c_str() + colon + 1);
  if (name == "group") {
    options.group = policy.substr(colon + 1);
    options.ack = abuzz::AckMode::manual;
  } else if (name == "latest") {
    options.policy = abuzz::Policy::latest;
    options.latest_messages = static_cast<std::uint32_t>(number);
  } else if (name == "drop_old") {
    options.policy = abuzz::Policy::drop_old;
  } else if (name == "drop_new") {
    options.policy = abuzz::Policy::drop_new;
  } else {
    options.stall_limit = std::chrono::milliseconds(number);
  }
  return options;
}

int run_subscriber(char** argv) {
  abuzz::Agent agent = abuzz::Agent::connect({.name = argv[2], .kind = "witness"}).value();
  Inbox inbox(argv[3], std::atoll(argv[7]));
  abuzz::Subscription subscription =
      agent
          .subscribe(
              argv[4], [&](const abuzz::MessageView& message) { inbox.handle(message); },
              options_of(argv[5], argv[6]))
          .value();
  say("ready");
  std::string word;
  std::int64_t microseconds = 0;
  while (std::cin >> word >> microseconds && word == "pause") inbox.set_pause(microseconds);
  const abuzz::SubscriptionReport report = subscription.report();
  say("{\"received\":" + std::to_string(report.received) + ",\"handled\":" +
      std::to_string(report.handled) + ",\"duplicates\":" + std::to_string(report.duplicates) +
      ",\"gaps\":" + std::to_string(report.gaps) +
      ",\"strange\":" + std::to_string(inbox.strange()) + "}");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc > 1 ? argv[1] : "";
  if (role == "pub" && argc >= 7) return run_publisher(argc, argv);
  if (role == "sub" && argc == 8) return run_subscriber(argv);
  std::fprintf(stderr,
               "usage: witness pub NAME FILE WRITER BYTES TOPIC[/LANE]@RATE...\n"
               "       witness sub NAME FILE PATTERN POLICY QUEUE MICROSECONDS\n");
  return 2;
}
