#include "bus/client/work_desk.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "bus/base/check.hpp"

namespace abuzz::client {

namespace {

using delivery::LaneTurn;
using Mark = OpenDelivery::Mark;

constexpr std::size_t spare_max = 64;

}  // namespace

WorkDesk::WorkDesk(std::shared_ptr<SubscriptionCore> core)
    : core_(std::move(core)),
      calls_max_(core_->options.concurrency),
      pieces_max_(core_->batch_handler ? core_->options.batch_max : 1),
      batch_wait_(core_->batch_handler ? std::chrono::nanoseconds(core_->options.batch_wait).count()
                                       : 0) {}

// --- Lists of items. ---

std::uint32_t WorkDesk::new_item() {
  if (free_items_ == none) {
    items_.emplace_back();
    return static_cast<std::uint32_t>(items_.size() - 1);
  }
  const std::uint32_t item = free_items_;
  free_items_ = items_[item].next;
  return item;
}

void WorkDesk::append(List& list, std::uint32_t item) noexcept {
  items_[item].next = none;
  if (list.first == none) {
    list.first = item;
  } else {
    items_[list.last].next = item;
  }
  list.last = item;
  ++list.count;
}

std::uint32_t WorkDesk::remove_first(List& list) noexcept {
  const std::uint32_t item = list.first;
  list.first = items_[item].next;
  if (list.first == none) list.last = none;
  --list.count;
  return item;
}

WorkDesk::Item WorkDesk::take_first(List& list) {
  const std::uint32_t place = remove_first(list);
  const Item item = items_[place];
  items_[place] = {};
  items_[place].next = free_items_;
  free_items_ = place;
  if (--item.delivery->listed == 0 && !refused_.empty()) {
    const auto found =
        std::ranges::find(refused_, item.delivery, &std::unique_ptr<OpenDelivery>::get);
    if (found != refused_.end()) {
      let_go(std::move(*found));
      refused_.erase(found);
    }
  }
  return item;
}

void WorkDesk::let_go(std::unique_ptr<OpenDelivery> delivery) {
  if (spare_.size() < spare_max) spare_.push_back(std::move(delivery));
}

// --- In. ---

std::size_t WorkDesk::take_in(base::Clock& clock) {
  is_starved_ = false;
  std::size_t taken = 0;
  while (!is_ended_) {
    LaneTurn::Waiting allowed = 0;
    for (std::size_t lane = 0; lane < wire::data_lanes; ++lane)
      if (lines_[lane].in_hand < in_hand_max) allowed |= LaneTurn::bit(lane);
    Delivery* const next = core_->queue->next(clock, allowed);
    if (next == nullptr) break;
    const std::size_t bytes = next->slice.bytes();
    is_starved_ = !core_->begin(*next);
    if (is_starved_) break;
    (void)core_->queue->take(bytes);
    add(core_->take_begun(), clock.now());
    ++taken;
  }
  return taken;
}

void WorkDesk::add(SubscriptionCore::Begun begun, base::Nanos now) {
  if (begun.facts.count == 0) return;
  Line& line = lines_[wire::lane_index(begun.facts.lane)];
  auto delivery = spare_.empty() ? std::make_unique<OpenDelivery>() : std::move(spare_.back());
  if (!spare_.empty()) spare_.pop_back();
  const std::uint32_t count = begun.end - begun.next;
  delivery->begun = std::move(begun);
  delivery->marks.assign(count, Mark::open);
  delivery->over = delivery->handled = delivery->next_free = 0;
  OpenDelivery& open = *delivery;
  line.deliveries.push_back(std::move(delivery));
  line.in_hand += count;
  for (std::uint32_t index = 0; index < count; ++index) add_message(line, open, index, now);
  if (count == 0) advance(line);
}

// Strands are of a lane: a stream has one lane only.
std::uint32_t WorkDesk::strand_of(const OpenDelivery& delivery,
                                  std::uint32_t index) const noexcept {
  if (calls_max_ == 1) return no_strand;  // one call at a time keeps all in order
  const std::uint64_t key = delivery.begun.view.entry(delivery.begun.next + index).key;
  if (key == 0) return no_strand;
  const wire::Envelope& envelope = delivery.begun.view.envelope();
  std::uint64_t mixed = (envelope.agent_id ^ (std::uint64_t{envelope.publisher_id} << 32)) + key;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58'476D'1CE4'E5B9ull;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D0'49BB'1331'11EBull;
  return static_cast<std::uint32_t>(mixed >> 40) & (strands_max - 1);
}

void WorkDesk::add_message(Line& line, OpenDelivery& delivery, std::uint32_t index,
                           base::Nanos now) {
  const std::uint32_t strand = strand_of(delivery, index);
  const std::uint32_t item = new_item();
  items_[item] = {&delivery, index, strand, none, now};
  ++delivery.listed;
  if (strand == no_strand) return append(line.ready, item);
  if (line.strands.empty()) line.strands.resize(strands_max);
  Strand& own = line.strands[strand];
  append(own.is_taken ? own.waiting : line.ready, item);
  own.is_taken = true;
}

// --- Out. ---

bool WorkDesk::is_batch_due(const Line& line, base::Nanos now) const noexcept {
  if (line.ready.count == 0) return false;
  return pieces_max_ == 1 || is_hurried_ || line.ready.count >= pieces_max_ ||
         now >= items_[line.ready.first].since + batch_wait_;
}

LaneTurn::Waiting WorkDesk::ready(base::Nanos now) const noexcept {
  LaneTurn::Waiting lanes = 0;
  if (is_ended_ || calls_ >= calls_max_ || core_->is_closing.hint()) return lanes;
  for (std::size_t lane = 0; lane < wire::data_lanes; ++lane)
    if (is_batch_due(lines_[lane], now)) lanes |= LaneTurn::bit(lane);
  return lanes;
}

base::Nanos WorkDesk::deadline() const noexcept {
  base::Nanos first = -1;
  if (pieces_max_ == 1 || is_ended_ || calls_ >= calls_max_) return first;
  for (const Line& line : lines_) {
    if (line.ready.count == 0) continue;
    const base::Nanos due = items_[line.ready.first].since + batch_wait_;
    if (first < 0 || due < first) first = due;
  }
  return first;
}

Work& WorkDesk::free_work() {
  for (auto& work : works_)
    if (!work->is_out) return *work;
  ABUZZ_CHECK(works_.size() < calls_max_);
  works_.push_back(std::make_unique<Work>());
  Work& work = *works_.back();
  work.desk = this;
  work.pieces.reserve(pieces_max_);
  work.views.reserve(pieces_max_);
  return work;
}

Work* WorkDesk::pop(std::size_t lane, base::Nanos now) {
  Line& line = lines_[lane];
  Work& work = free_work();
  work.lane = lane;
  while (work.pieces.size() < pieces_max_ && line.ready.count > 0) take_piece(line, work, now);
  advance(line);  // what was refused
  if (work.pieces.empty()) return nullptr;
  work.is_done.publish(false);
  work.was_given = false;
  work.is_out = true;
  ++calls_;
  return &work;
}

// Takes the first that is ready, and of its strand what still fits into the same call.
void WorkDesk::take_piece(Line& line, Work& work, base::Nanos now) {
  // Asked before it leaves its list: what is over may go with its last place.
  const Item& head = items_[line.ready.first];
  const bool is_late = refuse_late(*head.delivery, head.index, now);
  const Item item = take_first(line.ready);
  if (is_late) return release_strand(line, item.strand);
  give(work, item);
  if (item.strand == no_strand) return;
  List& waiting = line.strands[item.strand].waiting;
  while (work.pieces.size() < pieces_max_ && waiting.count > 0) {
    const Item& next = items_[waiting.first];
    const bool is_next_late = refuse_late(*next.delivery, next.index, now);
    const Item follower = take_first(waiting);
    if (!is_next_late) give(work, follower);
  }
}

void WorkDesk::give(Work& work, const Item& item) {
  OpenDelivery& delivery = *item.delivery;
  delivery.next_free = std::max(delivery.next_free, item.index + 1);
  work.pieces.push_back({&delivery, item.index, item.strand});
  work.views.push_back(core_->view_of(delivery.begun, delivery.begun.next + item.index));
}

// Whether the message is, or was, refused for its time. A node is told one range of a delivery: all
// from the first that nobody was given.
bool WorkDesk::refuse_late(OpenDelivery& delivery, std::uint32_t index, base::Nanos now) {
  if (delivery.marks[index] == Mark::refused) return true;
  if (!delivery.begun.is_expired(now)) return false;
  const std::uint32_t from = delivery.next_free;
  if (index < from || !core_->refuse_from(delivery.begun, delivery.begun.next + from)) return false;
  std::fill(delivery.marks.begin() + from, delivery.marks.end(), Mark::refused);
  delivery.next_free = static_cast<std::uint32_t>(delivery.marks.size());
  return true;
}

// The next of the strand may begin.
void WorkDesk::release_strand(Line& line, std::uint32_t strand) {
  if (strand == no_strand) return;
  Strand& own = line.strands[strand];
  own.is_taken = own.waiting.count > 0;
  if (own.is_taken) append(line.ready, remove_first(own.waiting));
}

// --- Over. ---

std::size_t WorkDesk::collect() {
  if (calls_ == 0) return 0;
  std::size_t collected = 0;
  for (const auto& work : works_) {
    if (!work->is_out || !work->is_done.read_fenced()) continue;
    Line& line = lines_[work->lane];
    std::uint32_t released = no_strand;
    for (const Work::Piece& piece : work->pieces) {
      if (work->was_given && piece.delivery->marks[piece.index] == Mark::open) {
        piece.delivery->marks[piece.index] = Mark::handled;
        ++piece.delivery->handled;
      }
      // Pieces of one strand stand in a row.
      if (piece.strand != released) release_strand(line, piece.strand);
      released = piece.strand;
    }
    work->pieces.clear();
    work->views.clear();
    work->is_out = false;
    --calls_;
    ++collected;
    advance(line);
  }
  return collected;
}

void WorkDesk::advance(Line& line) {
  while (!line.deliveries.is_empty()) {
    OpenDelivery& front = *line.deliveries.front();
    const std::uint32_t before = front.over;
    const auto count = static_cast<std::uint32_t>(front.marks.size());
    while (front.over < count && front.marks[front.over] != Mark::open) ++front.over;
    if (front.over < count) {
      if (front.over > before) core_->settle_some(front.begun, front.over);
      return;
    }
    core_->settle_all(front.begun, front.handled);
    line.in_hand -= count;
    std::unique_ptr<OpenDelivery> ended = std::move(line.deliveries.front());
    line.deliveries.pop_front();
    ended->begun = {};
    if (ended->listed > 0) {
      refused_.push_back(std::move(ended));
    } else {
      let_go(std::move(ended));
    }
  }
}

// The views of the handler stand in these deliveries: none is let go.
void WorkDesk::note_handled(Work& work) {
  for (const Work::Piece& piece : work.pieces) {
    piece.delivery->marks[piece.index] = Mark::handled;
    ++piece.delivery->handled;
  }
  Line& line = lines_[work.lane];
  for (std::size_t place = 0; place < line.deliveries.count(); ++place) {
    OpenDelivery& open = *line.deliveries.at(place);
    const auto first_open = std::ranges::find(open.marks, Mark::open);
    core_->settle_some(open.begun, static_cast<std::uint32_t>(first_open - open.marks.begin()));
    if (first_open != open.marks.end()) return;
  }
}

bool WorkDesk::is_empty() const noexcept {
  for (const Line& line : lines_)
    if (line.in_hand > 0) return false;
  return calls_ == 0;
}

}  // namespace abuzz::client
