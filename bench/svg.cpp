#include "bench/svg.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace abuzz::bench {
namespace {

constexpr double width = 720, left = 78, right = 16, top = 34, bottom = 46, height = 320;
constexpr double bar_height = 22, bar_gap = 8, bar_left = 150;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char buffer[512];
  std::snprintf(buffer, sizeof buffer, pattern, values...);
  return buffer;
}

// 1200000 -> "1.2M"
std::string short_number(double value) {
  const double size = std::fabs(value);
  if (size >= 1e6) return format("%.3gM", value / 1e6);
  if (size >= 1e3) return format("%.3gk", value / 1e3);
  return format("%.3g", value);
}

std::string text_at(double x, double y, const char* anchor, std::string_view text,
                    const char* name = "label") {
  return format("<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", name, x, y,
                anchor) +
         escape_html(text) + "</text>\n";
}

std::string line_from(double x1, double y1, double x2, double y2, const char* name) {
  return format("<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", name, x1,
                y1, x2, y2);
}

// Where a value stands on an axis, before it is stretched to the drawing.
double place_of(double value, Scale scale) {
  switch (scale) {
    case Scale::linear:
      return value;
    case Scale::logarithmic:
      return std::log10(value);
    case Scale::nines:
      return -std::log10(std::max(1 - value, 1e-7));
  }
  return value;
}

bool is_drawable(double value, Scale scale) {
  return std::isfinite(value) && (scale != Scale::logarithmic || value > 0) &&
         (scale != Scale::nines || (value >= 0 && value < 1));
}

// Values at which an axis is labelled.
std::vector<double> ticks_of(double low, double high, Scale scale) {
  std::vector<double> ticks;
  if (scale == Scale::nines) {
    for (const double share : {0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999})
      if (place_of(share, scale) <= high + 1e-9) ticks.push_back(share);
    return ticks;
  }
  if (scale == Scale::logarithmic) {
    for (double exponent = std::floor(low); exponent <= std::ceil(high); ++exponent)
      for (const double step : {1.0, 2.0, 5.0}) {
        const double value = step * std::pow(10, exponent);
        const bool is_in = std::log10(value) >= low - 1e-9 && std::log10(value) <= high + 1e-9;
        if (is_in && (high - low < 2.5 || step == 1.0)) ticks.push_back(value);
      }
    if (ticks.size() > 1) return ticks;
    return ticks_of(std::pow(10, low), std::pow(10, high), Scale::linear);
  }
  const double raw = (high - low) / 5;
  const double unit = std::pow(10, std::floor(std::log10(std::max(raw, 1e-12))));
  const double factor = raw / unit > 5 ? 10 : raw / unit > 2 ? 5 : raw / unit > 1 ? 2 : 1;
  for (double value = std::ceil(low / (unit * factor)) * unit * factor; value <= high + 1e-9;
       value += unit * factor)
    ticks.push_back(value);
  return ticks;
}

std::string tick_text(double value, Scale scale) {
  if (scale != Scale::nines) return short_number(value);
  return value == 0 ? "0" : format("p%g", value * 100);
}

// One axis stretched over a number of pixels.
class Ruler {
 public:
  Ruler(Scale scale, double from, double to) : scale_(scale), from_(from), to_(to) {}
  void take(double value) {
    const double place = place_of(value, scale_);
    low_ = std::min(low_, place);
    high_ = std::max(high_, place);
  }
  void finish() {
    if (scale_ == Scale::linear) low_ = std::min(low_, 0.0);
    if (high_ - low_ < 1e-9) high_ = low_ + 1;
    if (scale_ != Scale::nines) high_ += (high_ - low_) * 0.05;
  }
  double at(double value) const {
    return from_ + (place_of(value, scale_) - low_) / (high_ - low_) * (to_ - from_);
  }
  std::vector<double> ticks() const { return ticks_of(low_, high_, scale_); }

 private:
  const Scale scale_;
  const double from_, to_;
  double low_ = 1e300, high_ = -1e300;
};

std::string draw_axes(const std::string& title, const Axis& x, const Axis& y, const Ruler& across,
                      const Ruler& up) {
  std::string out = text_at(left, 18, "start", title, "title");
  for (const double tick : across.ticks()) {
    out += line_from(across.at(tick), top, across.at(tick), height - bottom, "grid");
    out += text_at(across.at(tick), height - bottom + 16, "middle", tick_text(tick, x.scale));
  }
  for (const double tick : up.ticks()) {
    out += line_from(left, up.at(tick), width - right, up.at(tick), "grid");
    out += text_at(left - 6, up.at(tick) + 4, "end", tick_text(tick, y.scale));
  }
  out += line_from(left, height - bottom, width - right, height - bottom, "axis");
  out += line_from(left, top, left, height - bottom, "axis");
  out += text_at((left + width - right) / 2, height - 8, "middle", x.title);
  out += format("<text class=\"label\" x=\"14\" y=\"%.1f\" text-anchor=\"middle\" ",
                (top + height - bottom) / 2) +
         format("transform=\"rotate(-90 14 %.1f)\">", (top + height - bottom) / 2) +
         escape_html(y.title) + "</text>\n";
  return out;
}

std::string open_svg(double high, const std::string& title) {
  return format("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", width, high) +
         escape_html(title) + "\">\n";
}

std::string draw_series(const Series& series, const Axis& x, const Axis& y, const Ruler& across,
                        const Ruler& up) {
  std::string path, dots;
  for (const auto& [at_x, at_y] : series.points) {
    if (!is_drawable(at_x, x.scale) || !is_drawable(at_y, y.scale)) continue;
    path += format("%s%.1f %.1f", path.empty() ? "M" : "L", across.at(at_x), up.at(at_y));
    if (series.is_scatter || series.points.size() <= 12)
      dots += format("<circle class=\"s%u dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", series.colour,
                     across.at(at_x), up.at(at_y));
  }
  if (series.is_scatter) return dots;
  return format("<path class=\"s%u line\" d=\"", series.colour) + path + "\"/>\n" + dots;
}

std::string legend(const std::vector<Series>& series) {
  std::string out = "<p class=\"legend\">";
  for (const Series& one : series)
    out += format("<span><i class=\"s%u\"></i>", one.colour) + escape_html(one.name) + "</span> ";
  return out + "</p>\n";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '&')
      out += "&amp;";
    else if (letter == '<')
      out += "&lt;";
    else if (letter == '>')
      out += "&gt;";
    else if (letter == '"')
      out += "&quot;";
    else
      out += letter;
  }
  return out;
}

std::string line_chart(const std::string& title, const Axis& x, const Axis& y,
                       const std::vector<Series>& series) {
  Ruler across(x.scale, left, width - right), up(y.scale, height - bottom, top);
  bool has_points = false;
  for (const Series& one : series)
    for (const auto& [at_x, at_y] : one.points) {
      if (!is_drawable(at_x, x.scale) || !is_drawable(at_y, y.scale)) continue;
      across.take(at_x);
      up.take(at_y);
      has_points = true;
    }
  if (!has_points) return {};
  across.finish();
  up.finish();
  std::string out = "<figure>\n" + open_svg(height, title) + draw_axes(title, x, y, across, up);
  for (const Series& one : series) out += draw_series(one, x, y, across, up);
  return out + "</svg>\n" + legend(series) + "</figure>\n";
}

std::string bar_chart(const std::string& title, const std::string& unit,
                      const std::vector<Bar>& bars) {
  if (bars.empty()) return {};
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, bar.high);
  if (most <= 0) most = 1;
  const double high = top + static_cast<double>(bars.size()) * (bar_height + bar_gap) + 24;
  const double room = width - bar_left - 120;
  std::string out =
      "<figure>\n" + open_svg(high, title) + text_at(bar_left, 18, "start", title, "title");
  double y = top;
  for (const Bar& bar : bars) {
    const double middle = y + bar_height / 2;
    out += text_at(bar_left - 8, middle + 4, "end", bar.label);
    out +=
        format("<rect class=\"s%u bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
               bar.colour, bar_left, y, bar.middle / most * room, bar_height);
    out += line_from(bar_left + bar.low / most * room, middle, bar_left + bar.high / most * room,
                     middle, "whisker");
    out += text_at(bar_left + bar.high / most * room + 8, middle + 4, "start", bar.text);
    y += bar_height + bar_gap;
  }
  out += line_from(bar_left, top - 4, bar_left, y, "axis");
  out += text_at(bar_left, y + 14, "start", unit);
  return out + "</svg>\n</figure>\n";
}

}  // namespace abuzz::bench
