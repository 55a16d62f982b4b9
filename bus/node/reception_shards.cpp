#include <algorithm>
#include <utility>

#include "bus/node/reception.hpp"

// Which shard has which link: orders to shards, reports from them, and moves.

namespace abuzz::node {
namespace {

constexpr std::size_t reports_per_cycle = 256;

}  // namespace

void Reception::post(std::uint32_t shard, ShardOrder&& order) {
  Post& post = posts_[shard];
  if (post.waiting.empty() && parts_.places[shard].shard.post(std::move(order))) {
    ++post.count;
  } else {
    post.waiting.push_back(std::move(order));
  }
}

bool Reception::has_waiting_orders() const noexcept {
  return std::ranges::any_of(posts_, [](const Post& post) { return !post.waiting.empty(); });
}

std::size_t Reception::flush_orders() {
  std::size_t done = 0;
  for (std::size_t shard = 0; shard < posts_.size(); ++shard) {
    Post& post = posts_[shard];
    while (!post.waiting.empty() &&
           parts_.places[shard].shard.post(std::move(post.waiting.front()))) {
      post.waiting.pop_front();
      ++post.count;
      ++done;
    }
  }
  return done;
}

std::size_t Reception::take_reports() {
  std::size_t done = 0;
  ShardReport report;
  for (std::uint32_t shard = 0; shard < posts_.size(); ++shard) {
    for (std::size_t count = 0;
         count < reports_per_cycle && parts_.places[shard].shard.try_next_report(report); ++count) {
      hear(shard, report);
      ++done;
    }
  }
  return done;
}

void Reception::hear(std::uint32_t shard, const ShardReport& report) {
  if (report.kind == ShardReport::Kind::drained) {
    is_drained_ = true;
  } else if (report.kind == ShardReport::Kind::busy || report.kind == ShardReport::Kind::sampled) {
    hear_sample(shard, report);
  } else if (Guest* guest = guests_.find_link(report.session)) {
    // Else it ended while the report was under way.
    if (report.kind == ShardReport::Kind::load)
      guest->work += report.work;
    else if (report.session == guest->next_link)
      hear_of_next(*guest, report.kind);
    else
      hear_of_guest(*guest, report);
  }
}

void Reception::hear_of_guest(Guest& guest, const ShardReport& report) {
  switch (report.kind) {
    case ShardReport::Kind::admitted:
      if (guest.state == GuestState::announced) enter(guest, GuestState::welcomed);
      break;
    case ShardReport::Kind::attached:
      if (guest.state == GuestState::welcomed) enter(guest, GuestState::live);
      break;
    case ShardReport::Kind::strike:
      tell(LogLevel::warn, guest, std::string("sent a bad frame: ") + report.fault);
      break;
    case ShardReport::Kind::struck_out:
      end(guest, Why::struck_out);
      break;
    case ShardReport::Kind::link_lost:
      enter(guest, GuestState::lost);
      break;
    case ShardReport::Kind::goodbye:
      end(guest, Why::said_goodbye);
      break;
    case ShardReport::Kind::none:
    case ShardReport::Kind::drained:
    case ShardReport::Kind::busy:
    case ShardReport::Kind::load:
    case ShardReport::Kind::sampled:
      break;
  }
}

// Where it was, if it was here a moment ago: orders about it keep their order. Else, of the shards
// that are awake, where the least goes on, and then where the fewest are.
std::uint32_t Reception::choose_shard(const std::string& name) const {
  for (const Past& past : past_)
    if (past.name == name && now_ - past.ended_at < past_span) return past.shard;
  const auto rank = [&](std::uint32_t shard) {
    const bool is_fresh = sampled_at_ != 0 && now_ - sampled_at_ < base::second;
    const double tenths = is_fresh ? samples_[shard].busy * 10 : 0;
    return std::pair(static_cast<int>(tenths), posts_[shard].guests);
  };
  std::uint32_t best = 0;
  for (std::uint32_t shard = 1; shard < balancer_.awake_count(); ++shard)
    if (rank(shard) < rank(best)) best = shard;
  return best;
}

// --- Moves ---

bool Reception::move(const std::string& name, std::uint32_t shard, const std::string& reason) {
  const Guest* known = guests_.find_name(name);
  if (known == nullptr || shard >= posts_.size() || phase_ != Phase::open) return false;
  Guest& guest = *guests_.find(known->id);
  if (guest.state != GuestState::live || guest.next_link != 0 || guest.shard == shard) return false;
  ShardOrder order;
  order.kind = ShardOrder::Kind::expect;
  order.session = ++session_last_;
  order.agent_id = guest.agent_id;
  order.session_epoch = guest.session_epoch;
  order.name = guest.name;
  order.reason = reason;
  parts_.host.fill_secret(order.secret);
  guest.next_shard = shard;
  guests_.expect_link(guest, order.session);
  guest.welcome = write_welcome(guest, shard, order.secret);
  post(shard, std::move(order));
  return true;
}

// What becomes of the link that it is to move to. The agent is not hurried: until it has seen the
// welcome, it goes on over the link that it has.
void Reception::hear_of_next(Guest& guest, ShardReport::Kind kind) {
  if (kind == ShardReport::Kind::admitted) {
    const bool is_told =
        guest.state == GuestState::live && parts_.door.try_reply(guest.caller, guest.welcome);
    guest.welcome = {};
    if (is_told) return;
    dismiss(guest.next_shard, guest.next_link, false, PresenceCause::returned);
    guests_.drop_next_link(guest);
  } else if (kind == ShardReport::Kind::attached) {
    dismiss(guest.shard, guest.link, false, PresenceCause::returned);
    --posts_[guest.shard].guests;
    ++posts_[guest.next_shard].guests;
    guests_.take_next_link(guest);
    guest.moved_at = now_;
  }
}

void Reception::dismiss(std::uint32_t shard, SessionId link, bool agent_gone, PresenceCause cause,
                        std::vector<delivery::LeftBehind> left_behind) {
  ShardOrder order;
  order.kind = ShardOrder::Kind::dismiss;
  order.session = link;
  order.agent_gone = agent_gone;
  order.cause = cause;
  order.left_behind = std::move(left_behind);
  post(shard, std::move(order));
}

}  // namespace abuzz::node
