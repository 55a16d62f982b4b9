#include "bus/subscription.hpp"

#include "bus/client/subscription_handle.hpp"

namespace abuzz {

Subscription::Subscription(std::unique_ptr<client::SubscriptionHandle> handle) noexcept
    : handle_(std::move(handle)) {}
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&&) noexcept = default;
Subscription::~Subscription() = default;

std::size_t Subscription::poll(const Handler& handler, std::size_t max,
                               std::chrono::nanoseconds patience) {
  if (!handle_) return 0;
  const auto agent = handle_->keep_agent();
  const auto core = handle_->keep_core();
  return agent->poll(*core, handler, max, patience.count());
}

SubscriptionReport Subscription::report() const {
  return handle_ ? handle_->core().report() : SubscriptionReport{};
}

bool Subscription::is_live() const noexcept {
  return handle_ && handle_->core().state.read() == client::SubscriptionState::live &&
         !handle_->agent().is_closed();
}

}  // namespace abuzz
