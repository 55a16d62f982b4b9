#include "bus/receipt.hpp"

namespace abuzz {
namespace {

struct Name {
  const char* text;
  const char* key;
};
constexpr Name reasons[] = {
    {"queue full", "queue_full"},
    {"peer gone", "peer_gone"},
    {"shutdown", "shutdown"},
    {"corrupt", "corrupt"},
    {"conflated", "conflated"},
    {"expired", "expired"},
    {"dead", "dead"},
};
static_assert(sizeof(reasons) / sizeof(reasons[0]) == drop_reason_count);

constexpr const char* outcomes[] = {"pending", "delivered", "no_subscriber",
                                    "dropped", "unknown",   "outside_window"};

}  // namespace

const char* drop_reason_name(DropReason reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return index < drop_reason_count ? reasons[index].text : "?";
}

const char* drop_reason_key(DropReason reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return index < drop_reason_count ? reasons[index].key : "?";
}

const char* receipt_outcome_name(ReceiptOutcome outcome) noexcept {
  const auto index = static_cast<std::size_t>(outcome);
  return index < sizeof(outcomes) / sizeof(outcomes[0]) ? outcomes[index] : "?";
}

}  // namespace abuzz
