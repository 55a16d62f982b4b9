// Campaign: 10'000'000 runs
#include "bus/wire/control.hpp"

#include "tests/fuzz/fuzz_support.hpp"

// A control record. Every item is read, and what is refused has handed none over.

namespace {

using namespace abuzz;

class Reader final : public wire::ControlSink {
 public:
  void on(const wire::Advertise& item) override { text(item.topic, 160); }
  void on(const wire::Subscribe& item) override {
    text(item.pattern, 160);
    fuzz::require(item.policy <= 3);
  }
  void on(const wire::Withdraw& item) override { handle(item.publication); }
  void on(const wire::Credit& item) override { handle(item.publication); }
  void on(const wire::Settle& item) override { handle(item.subscription); }
  void on(const wire::Verdict& item) override {
    handle(item.subscription);
    fuzz::require(item.first_delivery + (item.count - 1) >= item.first_delivery);
  }
  void on(const wire::LeaseAct& item) override {
    handle(item.subscription);
    fuzz::require(item.first_delivery + (item.count - 1) >= item.first_delivery);
  }
  void on(const wire::Held& item) override { handle(item.publication); }
  void on(const wire::RequestAct& item) override {
    fuzz::require(item.correlation != 0 && (item.agent_id != 0 || item.publication != 0));
    fuzz::require(item.kind == wire::RequestActKind::cancel ||
                  item.kind == wire::RequestActKind::go_on);
    ++items;
  }
  void on(const wire::ReplyEnd& item) override {
    fuzz::require(item.agent_id != 0);
    ++items;
  }
  void on(const wire::Drops& item) override {
    handle(item.publication);
    fuzz::require(static_cast<std::size_t>(item.reason) < drop_reason_count);
  }
  void on(const wire::Receipt& item) override {
    handle(item.publication);
    fuzz::require(item.count > 0 && item.first_seq + (item.count - 1) >= item.first_seq);
    fuzz::require((item.outcome == ReceiptOutcome::delivered) == (item.delivered > 0));
    fuzz::require(static_cast<std::size_t>(item.reason) < drop_reason_count);
  }
  void on(const wire::Goodbye&) override { ++items; }
  void on(const wire::Notice& item) override { text(item.text, wire::notice_bytes_max); }

  std::size_t items = 0;
  std::size_t sum = 0;

 private:
  void handle(std::uint32_t value) {
    fuzz::require(value != 0);
    ++items;
  }
  void text(std::string_view value, std::size_t bytes_max) {
    fuzz::require(value.size() <= bytes_max);
    for (const char character : value) sum += static_cast<unsigned char>(character);
    ++items;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t count) {
  static std::array<std::byte, wire::control_bytes_read_max> scratch;
  for (const std::size_t shift : {0u, 1u}) {
    // At the end of its allocation, aligned and misaligned.
    std::vector<std::byte> memory(count + shift);
    if (count > 0) std::memcpy(memory.data() + shift, data, count);
    Reader reader;
    const wire::Reject reject =
        wire::read_control(std::span(memory).subspan(shift), scratch, reader);
    fuzz::require(reject == wire::Reject::none || reader.items == 0);
  }
  return 0;
}
