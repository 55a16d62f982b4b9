#include <cstring>
#include <limits>

#include "bus/topic.hpp"
#include "bus/wire/control.hpp"
#include "schema/control_generated.h"

namespace abuzz::wire {

namespace {

constexpr std::size_t control_alignment = 8;
constexpr std::uint32_t tables_max = 4096;
constexpr std::uint8_t policy_max = 3;
constexpr std::uint8_t group_mode_max = 2;
constexpr std::size_t group_bytes_max = 64;
constexpr std::uint8_t receipt_flags_must_understand = 0xf0;

std::string_view text_of(const flatbuffers::String* string) noexcept {
  if (string == nullptr) return {};
  return {string->c_str(), string->size()};
}

LaneNumbers numbers_of(const fb::LaneNumbers* numbers) noexcept {
  if (numbers == nullptr) return {};
  return {numbers->high(), numbers->normal(), numbers->bulk()};
}

// Each `take` fills the plain struct, and tells whether every value is in its range.

bool take(const fb::Credit& from, Credit& to) noexcept {
  to = {from.publication(),    from.flags(),       from.accepted_seq(),
        from.limit_messages(), from.limit_bytes(), from.settled_seq()};
  return to.publication != 0 && to.flags <= credit_is_fresh && to.settled_seq <= to.accepted_seq;
}
bool take(const fb::Outcome& from, Outcome& to) noexcept {
  to = {from.publication(), from.delivered(), from.no_subscriber(), from.dropped(), from.unknown()};
  return to.publication != 0 && from.reserved() == 0;
}
bool take(const fb::Drops& from, Drops& to) noexcept {
  to = {from.publication(), static_cast<DropReason>(from.reason()), from.count()};
  return to.publication != 0 && from.reason() < drop_reason_count && from.reserved() == 0 &&
         from.reserved2() == 0;
}
bool take(const fb::Receipt& from, Receipt& to) noexcept {
  to = {from.publication(),
        from.count(),
        from.first_seq(),
        from.number(),
        from.delivered(),
        static_cast<ReceiptOutcome>(from.outcome()),
        static_cast<DropReason>(from.reason()),
        (from.flags() & 1) != 0};
  const bool is_delivered = to.outcome == ReceiptOutcome::delivered;
  return to.publication != 0 && to.count != 0 && to.first_seq != 0 && to.number != 0 &&
         to.count <= std::numeric_limits<std::uint64_t>::max() - to.first_seq &&
         to.outcome >= ReceiptOutcome::delivered && to.outcome <= ReceiptOutcome::unknown &&
         is_delivered == (to.delivered > 0) && from.reason() < drop_reason_count &&
         (from.flags() & receipt_flags_must_understand) == 0 && from.reserved() == 0;
}
bool take(const fb::Interest& from, Interest& to) noexcept {
  to = {from.publication(), from.match_count(), from.lossless_count(), from.generation(),
        from.queue_messages()};
  return to.publication != 0 && to.lossless_count <= to.match_count && from.reserved() == 0;
}
bool take(const fb::Held& from, Held& to) noexcept {
  to = {from.publication(), from.since_ms(), from.agent_id()};
  return to.publication != 0;
}
bool take(const fb::Want& from, Want& to) noexcept {
  to = {from.publication(), from.limit_messages(), from.limit_bytes()};
  return to.publication != 0 && from.reserved() == 0;
}
bool take(const fb::FlushAsk& from, FlushAsk& to) noexcept {
  to = {from.publication(), from.seq(), from.receipts_seen()};
  return to.publication != 0 && from.reserved() == 0;
}
bool take(const fb::Settle& from, Settle& to) noexcept {
  to = {from.subscription(), Lane{from.lane()},        from.received_no(),
        from.done_no(),      from.consumed_messages(), from.consumed_bytes()};
  return to.subscription != 0 && is_data_lane(to.lane) && from.reserved() == 0 &&
         from.reserved2() == 0;
}
bool take(const fb::Verdict& from, Verdict& to) noexcept {
  to = {from.subscription(), from.reason(), Lane{from.lane()}, from.first_delivery(), from.count()};
  return to.subscription != 0 && is_data_lane(to.lane) && from.reserved() == 0 &&
         to.first_delivery != 0 && to.count != 0 &&
         to.count <= std::numeric_limits<std::uint64_t>::max() - to.first_delivery;
}
bool take(const fb::LeaseAct& from, LeaseAct& to) noexcept {
  to = {from.subscription(),   LeaseWord{from.kind()}, Lane{from.lane()},
        from.first_delivery(), from.count(),           from.delay_ms()};
  return to.subscription != 0 && to.kind <= LeaseWord::in_progress && is_data_lane(to.lane) &&
         from.reserved() == 0 && to.first_delivery != 0 && to.count != 0 &&
         to.count <= std::numeric_limits<std::uint64_t>::max() - to.first_delivery;
}
bool take(const fb::Subscribed& from, Subscribed& to) noexcept {
  to = {from.subscription(), from.error(), from.generation(), from.matched_publications()};
  return to.subscription != 0 && from.reserved() == 0;
}
bool take(const fb::Advertised& from, Advertised& to) noexcept {
  to = {from.publication(), from.error()};
  return to.publication != 0 && from.reserved() == 0;
}
bool take(const fb::Withdraw& from, Withdraw& to) noexcept {
  to = {from.publication()};
  return to.publication != 0 && from.reserved() == 0;
}
bool take(const fb::Unsubscribe& from, Unsubscribe& to) noexcept {
  to = {from.subscription()};
  return to.subscription != 0 && from.reserved() == 0;
}
bool take(const fb::Gone& from, Gone& to) noexcept {
  to = {from.subscription(), from.reason()};
  return to.subscription != 0;
}
bool take(const fb::RequestAct& from, RequestAct& to) noexcept {
  to = {from.correlation(), from.agent_id(), from.publication(),
        static_cast<RequestActKind>(from.kind()), from.parts()};
  const bool is_known = to.kind == RequestActKind::cancel || to.kind == RequestActKind::go_on;
  const bool names_one = to.agent_id != 0 || to.publication != 0;
  return to.correlation != 0 && is_known && names_one && from.reserved() == 0 &&
         from.reserved_more() == 0;
}
bool take(const fb::ReplyEnd& from, ReplyEnd& to) noexcept {
  to = {from.agent_id(), from.publisher_id()};
  return to.agent_id != 0 && from.reserved() == 0;
}
bool take(const fb::Advertise& from, Advertise& to) noexcept {
  to = {from.publication(),    from.publisher_id(), from.publisher_epoch(),
        text_of(from.topic()), from.base_seq(),     from.returns(),
        from.lossless_count(), Lane{from.lane()},   from.retain()};
  return to.publication != 0 && is_data_lane(to.lane) &&
         to.topic.size() <= reserved_topic_bytes_max;
}
bool take(const fb::Subscribe& from, Subscribe& to) noexcept {
  to = {from.subscription(),
        text_of(from.pattern()),
        from.policy(),
        from.bound_messages(),
        from.bound_bytes(),
        from.window_messages(),
        from.window_bytes(),
        from.stall_ms(),
        from.resumes(),
        numbers_of(from.resume_received()),
        from.latest(),
        from.returns(),
        Retained{from.retained()},
        text_of(from.group()),
        from.group_mode(),
        from.ack_ms(),
        from.attempts_max(),
        from.key()};
  return to.subscription != 0 && to.policy <= policy_max && to.retained <= Retained::last_value &&
         to.group_mode <= group_mode_max && to.group.size() <= group_bytes_max &&
         to.pattern.size() <= reserved_topic_bytes_max;
}

template <class Item>
Item load(const flatbuffers::Vector<const Item*>& items, flatbuffers::uoffset_t index) noexcept {
  // Copied out: the verifier does not look at the alignment of structs.
  Item item;
  std::memcpy(static_cast<void*>(&item), items.Data() + index * sizeof(Item), sizeof(Item));
  return item;
}
template <class Item>
const Item& load(const flatbuffers::Vector<flatbuffers::Offset<Item>>& items,
                 flatbuffers::uoffset_t index) noexcept {
  return *items.Get(index);
}

// Hands every item of one vector to `use`; false as soon as one is out of range.
template <class Plain, class Items, class Use>
bool each(const Items* items, Use& use) {
  if (items == nullptr) return true;
  for (flatbuffers::uoffset_t index = 0; index < items->size(); ++index) {
    Plain plain;
    if (!take(load(*items, index), plain)) return false;
    use(plain);
  }
  return true;
}

// In the order of the field ids, but verdicts and words about leases come before settles: they are
// exceptions inside what a settle of the same record covers. So are drops inside outcomes.
template <class Use>
bool each_item(const fb::Control& control, Use use) {
  if (!each<Advertise>(control.advertises(), use)) return false;
  if (!each<Subscribe>(control.subscribes(), use)) return false;
  if (!each<Withdraw>(control.withdraws(), use)) return false;
  if (!each<Credit>(control.credits(), use)) return false;
  if (!each<Drops>(control.drops(), use)) return false;
  if (!each<Outcome>(control.outcomes(), use)) return false;
  if (!each<Interest>(control.interests(), use)) return false;
  if (!each<Verdict>(control.verdicts(), use)) return false;
  if (!each<LeaseAct>(control.lease_acts(), use)) return false;
  if (!each<Settle>(control.settles(), use)) return false;
  // After the settles: what was handled before the end counts.
  if (!each<Unsubscribe>(control.unsubscribes(), use)) return false;
  if (!each<Want>(control.wants(), use)) return false;
  if (!each<FlushAsk>(control.flush_asks(), use)) return false;
  if (!each<Subscribed>(control.subscribed(), use)) return false;
  if (!each<Advertised>(control.advertised(), use)) return false;
  if (!each<Gone>(control.gone(), use)) return false;
  if (!each<Held>(control.held(), use)) return false;
  if (const fb::Goodbye* goodbye = control.goodbye())
    use(Goodbye{goodbye->reason(), goodbye->deadline_ms()});
  if (const fb::Notice* notice = control.notice()) {
    if (text_of(notice->text()).size() > notice_bytes_max) return false;
    use(Notice{notice->error(), text_of(notice->text())});
  }
  if (!each<Receipt>(control.receipts(), use)) return false;
  if (!each<RequestAct>(control.request_acts(), use)) return false;
  if (!each<ReplyEnd>(control.reply_ends(), use)) return false;
  return true;
}

}  // namespace

Reject read_control(std::span<const std::byte> bytes, std::span<std::byte> scratch,
                    ControlSink& sink) {
  if (bytes.empty() || bytes.size() > control_bytes_read_max) return Reject::control;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % control_alignment != 0) {
    if (bytes.size() > scratch.size()) return Reject::control;
    std::memcpy(scratch.data(), bytes.data(), bytes.size());
    bytes = scratch.first(bytes.size());
  }
  const auto* const start = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier::Options options;
  options.max_depth = 4;
  options.max_tables = tables_max;
  options.check_nested_flatbuffers = false;
  flatbuffers::Verifier verifier(start, bytes.size(), options);
  if (!fb::VerifyControlBuffer(verifier)) return Reject::control;
  const fb::Control& control = *fb::GetControl(start);
  // All or nothing: what is refused has had no effect.
  if (!each_item(control, [](const auto&) {})) return Reject::control;
  each_item(control, [&sink](const auto& item) { sink.on(item); });
  return Reject::none;
}

}  // namespace abuzz::wire
