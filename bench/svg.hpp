#pragma once

#include <string>
#include <utility>
#include <vector>

namespace abuzz::bench {

// Charts as SVG text for a page that has the classes of html_report.cpp: `axis`, `grid`, `label`,
// and for series 0, 1, 2 ... `s0`, `s1` ... (colours belong to the page, so that it has a light and
// a dark one). All text is escaped.

struct Series {
  std::string name;
  unsigned colour = 0;  // which of the classes
  std::vector<std::pair<double, double>> points;
  bool is_scatter = false;  // dots without a line
};

enum class Scale : unsigned char {
  linear,
  logarithmic,  // values of 0 and less are left out
  nines,        // a share below 1: 0.9, 0.99, 0.999 ... at equal distances
};

struct Axis {
  std::string title;
  Scale scale = Scale::linear;
};

// Lines over both axes. Empty when there is not one point.
std::string line_chart(const std::string& title, const Axis& x, const Axis& y,
                       const std::vector<Series>& series);

struct Bar {
  std::string label;
  unsigned colour = 0;
  double low = 0, middle = 0, high = 0;  // of the runs: the bar ends at the middle
  std::string text;                      // at its end
};
// Horizontal bars from 0. Empty when there is none.
std::string bar_chart(const std::string& title, const std::string& unit,
                      const std::vector<Bar>& bars);

std::string escape_html(std::string_view text);

}  // namespace abuzz::bench
