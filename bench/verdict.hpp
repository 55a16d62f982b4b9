#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bench/statistics.hpp"

// Whether one build is slower than another one, judged from measurements that alternated. Pure: no
// clock, no processes.

namespace abuzz::bench {

enum class Verdict { undecided, same, slower };
const char* verdict_name(Verdict verdict) noexcept;

// Judges one figure from the logarithms of pairs: of how many times more time (or instructions) a
// message cost with this build than with the other one.
//
// A slowdown of `gate` (0.1: 10 %) is to be found and none is to be let pass; between the two, half
// of the gate is the border. Decided is as soon as the interval lies on one side of it, or is 3 %
// wide. Each look before the last one has an interval of 99.9 %, so that looking often raises no
// alarm by itself; the last one has 95 %.
class Judge {
 public:
  static constexpr double width_wanted = 0.03;

  Judge(std::string figure, double gate) : figure_(std::move(figure)), gate_(gate) {}

  void take(double log_ratio) { values_.push_back(log_ratio); }
  Verdict look(bool is_last) const;
  // Of the ratio itself, at 95 %: 1.1 is a tenth more a message.
  Interval ratio() const;
  // The middle says slower, however wide the interval is.
  bool is_over_border() const { return ratio().is_known() && ratio().middle > 1 + gate_ / 2; }
  bool is_narrow() const { return ratio().is_known() && ratio().width() <= width_wanted; }
  const std::string& figure() const noexcept { return figure_; }
  std::size_t pairs() const noexcept { return values_.size(); }

 private:
  std::string figure_;
  double gate_;
  std::vector<double> values_;
};

// Of two figures measured side by side: slower if one of them says so, the same if both do.
Verdict agree(Verdict one, Verdict other) noexcept;

// Of time and of instructions: slower if one of them says so; the same if time says so, or cannot
// tell and instructions say so.
Verdict combine(Verdict time, Verdict instructions) noexcept;

}  // namespace abuzz::bench
