#include "bus/publisher.hpp"

#include "bus/client/publisher_core.hpp"

namespace abuzz {

namespace {

std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// The topic of a publisher that was moved from.
const std::string nothing;

}  // namespace

Publisher::Publisher(std::shared_ptr<client::PublisherCore> core) noexcept
    : core_(std::move(core)) {}
Publisher::Publisher(Publisher&&) noexcept = default;

Publisher& Publisher::operator=(Publisher&& other) noexcept {
  if (this != &other) {
    Publisher ended(std::move(*this));
    core_ = std::move(other.core_);
  }
  return *this;
}

Publisher::~Publisher() {
  if (core_) core_->release();
}

SendStatus Publisher::try_publish(std::span<const std::byte> payload,
                                  const MessageOptions& options) {
  return core_ ? core_->try_publish(payload, options) : SendStatus::closed;
}

SendStatus Publisher::try_publish(std::string_view payload, const MessageOptions& options) {
  return core_ ? core_->try_publish(bytes_of(payload), options) : SendStatus::closed;
}

SendStatus Publisher::publish(std::span<const std::byte> payload, std::chrono::nanoseconds patience,
                              const MessageOptions& options) {
  return core_ ? core_->publish(payload, patience.count(), options) : SendStatus::closed;
}

SendStatus Publisher::publish(std::string_view payload, std::chrono::nanoseconds patience,
                              const MessageOptions& options) {
  return core_ ? core_->publish(bytes_of(payload), patience.count(), options) : SendStatus::closed;
}

Claim Publisher::claim(std::size_t bytes) {
  return core_ ? core_->claim(bytes) : Claim{};
}

void Publisher::push() {
  if (core_) core_->push();
}

SendStatus Publisher::commit(std::size_t bytes, const MessageOptions& options) {
  return core_ ? core_->commit(bytes, options) : SendStatus::closed;
}

FlushReport Publisher::flush(std::chrono::nanoseconds patience) {
  return core_ ? core_->flush(patience.count()) : FlushReport{};
}

FlushReport Publisher::report() const {
  return core_ ? core_->report() : FlushReport{};
}

Receipt Publisher::receipt(std::uint64_t sequence) const {
  return core_ ? core_->receipt(sequence) : Receipt{};
}
Receipt Publisher::await_receipt(std::uint64_t sequence, std::chrono::nanoseconds patience) {
  return core_ ? core_->await_receipt(sequence, patience.count()) : Receipt{};
}
Receipt Publisher::retry(std::uint64_t sequence) {
  return core_ ? core_->retry(sequence) : Receipt{};
}

std::uint64_t Publisher::last_sequence() const noexcept {
  return core_ ? core_->pushed() : 0;
}
std::uint32_t Publisher::match_count() const noexcept {
  return core_ ? core_->news().match_count.read() : 0;
}
std::uint64_t Publisher::held_by() const noexcept {
  return core_ ? core_->news().held_by.read() : 0;
}
const std::string& Publisher::topic() const noexcept {
  return core_ ? core_->topic() : nothing;
}

}  // namespace abuzz
