#include "bus/lease.hpp"

#include <algorithm>

#include "bus/client/lease_desk.hpp"
#include "bus/wire/control.hpp"

namespace abuzz {

namespace {

std::uint32_t to_delay_ms(std::chrono::milliseconds delay) noexcept {
  constexpr std::chrono::milliseconds most = std::chrono::hours(1);
  return static_cast<std::uint32_t>(std::clamp(delay, std::chrono::milliseconds(0), most).count());
}

client::LeaseDesk* desk_of(const MessageView::LeasePlace& place) noexcept {
  return static_cast<client::LeaseDesk*>(place.desk);
}

}  // namespace

Lease::Lease() noexcept = default;
Lease::Lease(std::unique_ptr<client::LeaseHandle> handle) noexcept : handle_(std::move(handle)) {}
Lease::Lease(Lease&&) noexcept = default;
Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    Lease ended(std::move(*this));
    handle_ = std::move(other.handle_);
  }
  return *this;
}

Lease::~Lease() {
  if (handle_) (void)nak();
}

LeaseStatus Lease::ack() {
  const auto handle = std::move(handle_);
  return handle ? handle->say(wire::LeaseWord::ack, 0) : LeaseStatus::not_leased;
}
LeaseStatus Lease::nak(std::chrono::milliseconds delay) {
  const auto handle = std::move(handle_);
  return handle ? handle->say(wire::LeaseWord::nak, to_delay_ms(delay)) : LeaseStatus::not_leased;
}
LeaseStatus Lease::nak() {
  const auto handle = std::move(handle_);
  return handle ? handle->say(wire::LeaseWord::nak, wire::delay_by_node) : LeaseStatus::not_leased;
}
LeaseStatus Lease::in_progress() {
  return handle_ ? handle_->say(wire::LeaseWord::in_progress, 0) : LeaseStatus::not_leased;
}
bool Lease::is_held() const noexcept {
  return handle_ && handle_->is_held();
}

Lease MessageView::lease() const {
  if (fields_.place.desk == nullptr) return {};
  return Lease(std::make_unique<client::LeaseHandle>(desk_of(fields_.place)->shared_from_this(),
                                                     fields_.place));
}
LeaseStatus MessageView::ack() const {
  return fields_.place.desk == nullptr ? LeaseStatus::not_leased
                                       : desk_of(fields_.place)->ack(fields_.place);
}
LeaseStatus MessageView::nak(std::chrono::milliseconds delay) const {
  if (fields_.place.desk == nullptr) return LeaseStatus::not_leased;
  return desk_of(fields_.place)->say(fields_.place, wire::LeaseWord::nak, to_delay_ms(delay));
}
LeaseStatus MessageView::nak() const {
  if (fields_.place.desk == nullptr) return LeaseStatus::not_leased;
  return desk_of(fields_.place)->say(fields_.place, wire::LeaseWord::nak, wire::delay_by_node);
}
LeaseStatus MessageView::in_progress() const {
  if (fields_.place.desk == nullptr) return LeaseStatus::not_leased;
  return desk_of(fields_.place)->say(fields_.place, wire::LeaseWord::in_progress, 0);
}

}  // namespace abuzz
