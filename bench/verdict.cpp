#include "bench/verdict.hpp"

#include <cmath>

namespace abuzz::bench {
namespace {

constexpr double early_confidence = 0.999, last_confidence = 0.95;

}  // namespace

const char* verdict_name(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::same:
      return "not slower";
    case Verdict::slower:
      return "slower";
    case Verdict::undecided:
      break;
  }
  return "undecided";
}

Verdict Judge::look(bool is_last) const {
  const double border = std::log1p(gate_) / 2;
  const Interval found =
      signed_rank_interval(values_, is_last ? last_confidence : early_confidence);
  if (!found.is_known()) return Verdict::undecided;
  if (found.low > border) return Verdict::slower;
  if (found.high < border) return Verdict::same;
  if (!is_narrow()) return Verdict::undecided;
  return found.middle > border ? Verdict::slower : Verdict::same;
}

Interval Judge::ratio() const {
  Interval found = signed_rank_interval(values_, last_confidence);
  found.low = std::exp(found.low);
  found.middle = std::exp(found.middle);
  found.high = std::exp(found.high);
  return found;
}

Verdict agree(Verdict one, Verdict other) noexcept {
  if (one == Verdict::slower || other == Verdict::slower) return Verdict::slower;
  return one == other ? one : Verdict::undecided;
}

Verdict combine(Verdict time, Verdict instructions) noexcept {
  if (time == Verdict::slower || instructions == Verdict::slower) return Verdict::slower;
  return time != Verdict::undecided ? time : instructions;
}

}  // namespace abuzz::bench
